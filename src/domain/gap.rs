//! S13: a run that comes long after the last one may come from a clock that is wrong.
//!
//! Two clocks that agree on a date years ahead look like a service that was down for years. Nobody can
//! tell the two apart but a person, and the mistake cannot be taken back; so a person is asked.

use super::period::{Months, Period};

/// What a gap is called in reports, metrics and the log.
pub const GAP: &str = "gap";

/// The newest settled period that lies more than `months_max` before `period`: the run of `period`
/// then has to be confirmed.
///
/// Settled is a period that is completed, or of which a claim found that no policy rules it. Of a tenant
/// that has none yet, the newest of the whole database counts; where that has none either, this is its
/// first run, and there is nothing to compare with.
#[must_use]
pub fn gap_before(
    period: Period,
    newest_of_tenant: Option<Period>,
    newest_of_database: Option<Period>,
    months_max: Months,
) -> Option<Period> {
    newest_of_tenant
        .or(newest_of_database)
        .filter(|newest| *newest < period.minus(months_max))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn period(text: &str) -> Period {
        text.parse().expect("a period")
    }

    #[test]
    fn s13_more_than_three_months_after_the_newest_settled_period_is_a_gap() {
        let three = Months::try_from(3).expect("months");
        let gap = |tenant: Option<&str>, database: Option<&str>| {
            gap_before(
                period("2024-04"),
                tenant.map(period),
                database.map(period),
                three,
            )
        };
        assert_eq!(gap(Some("2024-03"), Some("2024-03")), None);
        assert_eq!(gap(Some("2024-01"), Some("2024-01")), None, "exactly three");
        let december = Some(period("2023-12"));
        assert_eq!(gap(Some("2023-12"), Some("2023-12")), december);
        // A tenant that was left undone, in a database that was not.
        assert_eq!(gap(Some("2023-12"), Some("2024-03")), december);
        // A new tenant is compared with the others, and the first run of all with nothing.
        assert_eq!(gap(None, Some("2024-03")), None);
        assert_eq!(gap(None, Some("2023-12")), december);
        assert_eq!(gap(None, None), None);
        // An older period that somebody names.
        assert_eq!(gap(Some("2026-11"), Some("2026-11")), None);
    }
}
