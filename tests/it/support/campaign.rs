//! What the suites of `docs/proof.md` share: how long a campaign is, its seed, and its record.

use std::env;

/// Whether somebody asked for the long campaign, `RETENTIOND_TEST_CAMPAIGN=long`, rather than the
/// bounded one that belongs to every run of the tests.
pub fn is_long() -> bool {
    env::var("RETENTIOND_TEST_CAMPAIGN").is_ok_and(|campaign| campaign == "long")
}

/// The seed that was asked for, `RETENTIOND_TEST_SEED`, or else `default`.
pub fn seed_or(default: u64) -> u64 {
    env::var("RETENTIOND_TEST_SEED").map_or(default, |seed| seed.parse().expect("a whole number"))
}

/// A line of the campaign's record; the test harness shows it when a test fails, and with
/// `--nocapture`.
#[expect(clippy::print_stdout, reason = "it is for whoever runs the tests")]
pub fn report(line: &str) {
    println!("{line}");
}
