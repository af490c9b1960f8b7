//! The `retentiond` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    retentiond::cli::main()
}
