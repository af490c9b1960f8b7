//! What is decided, and nothing that is done: pure code that knows no database, file or clock.
//!
//! - [`clocks`]: which times of a clock are believed.
//! - [`zone`]: time zones, and where a local day begins.
//! - [`period`]: months, and the instant at which a month's run is due.
//! - [`dated`]: which `added_at` can be a real date at all.
//! - [`cutoff`]: which `added_at` a run may touch; [`span`]: the ages that this guarantees.
//! - [`policy`]: a tenant's terms, how they are written, and which version rules.
//! - [`gap`]: which run comes so long after the last one that somebody has to confirm it.
//! - [`forecast`]: in which period something first happens.
//! - [`subject`]: what belongs to a participant, and [`counts`] of what was done with it.
//! - [`email`] and [`suppression`]: how somebody who unsubscribed is recognised again; [`address`]: whether
//!   a text is one address and nothing else, [`email_value`]: whom mail to any other text may reach.
//! - [`run_state`]: where a tenant-run stands; [`record`]: what its record can say.
//! - [`window`]: the time of day in which work may be done.

pub mod address;
pub mod clocks;
pub mod counts;
pub mod cutoff;
pub mod dated;
pub mod email;
pub mod email_value;
pub mod forecast;
pub mod gap;
pub mod invisible;
pub mod period;
pub mod policy;
pub mod record;
pub mod run_state;
pub mod span;
pub mod subject;
pub mod suppression;
pub mod window;
pub mod zone;

/// Text from outside as it may stand in an error: on one line, escaped, and not endless.
fn shown(value: &str) -> String {
    const CHARACTERS_MAX: usize = 40;
    let mut shown: String = value
        .chars()
        .take(CHARACTERS_MAX)
        .flat_map(char::escape_debug)
        .collect();
    if value.chars().nth(CHARACTERS_MAX).is_some() {
        shown.push('…');
    }
    shown
}
