# An index of the commands: `just` lists them. Each calls a script that also works without just.

set positional-arguments

# List the commands
default:
    @just --list

# Show the main job in a scratch SQLite database
demo:
    cargo run --profile quick --locked -- demo

# Check formatting and lints
lint:
    cargo fmt --all --check
    cargo fmt --manifest-path tests/fuzz/Cargo.toml --check
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Unit and property tests; they need no server
unit:
    cargo test --locked --lib

# Tests on all three databases: `just test`, `just test --test it dates::`
test *arguments='--tests':
    tests/run "$@"

# Start the test servers and keep them, for single tests in another terminal
servers:
    tests/run --servers-only

# Test the tests with deliberate mistakes: all of them, or one by name
mutants *arguments:
    tests/mutants/run "$@"

# Feed made-up input to everything that reads input: `just fuzz email 60`
fuzz *arguments:
    tests/fuzz/run "$@"

# Write the help snapshots anew after a change of `--help`
help-snapshots:
    RETENTIOND_UPDATE_SNAPSHOTS=1 cargo test --locked --test it help::

# Measure speed and what other users notice
bench *arguments:
    benches/run "$@"

# Everything that a change must pass; takes about an hour on two cores
ci:
    .ci/run
