//! What the calendar and a tenant's policies hold in store: in which period something first happens.

use chrono::{DateTime, Utc};

use super::cutoff::Cutoffs;
use super::period::{Period, ScheduleHour, Zone, due_instant};
use super::policy::{Version, version_at};

/// A tenant's calendar, from the first period on of which nothing is settled yet.
#[derive(Clone, Copy, Debug)]
pub struct Calendar<'a> {
    /// The tenant's zone.
    pub zone: &'a Zone,
    /// The schedule's hour.
    pub hour: ScheduleHour,
    /// The first period to look at.
    pub first: Period,
}

impl Calendar<'_> {
    /// When a period is due.
    #[must_use]
    pub fn due(self, period: Period) -> DateTime<Utc> {
        due_instant(period, self.zone, self.hour)
    }

    /// The first period that version `number` rules (P9); `None` = it never will.
    #[must_use]
    pub fn first_ruled_by(self, versions: &[Version], number: i32) -> Option<Period> {
        self.periods().find(|period| {
            version_at(versions, self.due(*period)).is_some_and(|ruling| ruling.number == number)
        })
    }

    /// The first period whose run takes a participant in one stage, with the version that rules it.
    ///
    /// `cutoff` picks the stage; `pinned` holds the cutoffs of the first period if its run has
    /// pinned any. A period that is due already takes what both its ruling version and
    /// the current one allow (P10); a later one what rules it by then, as far as is known now.
    #[must_use]
    pub fn first_taking(
        self,
        versions: &[Version],
        now: DateTime<Utc>,
        pinned: Option<Cutoffs>,
        added_at: DateTime<Utc>,
        cutoff: impl Fn(Cutoffs) -> Option<DateTime<Utc>>,
    ) -> Option<Period> {
        self.periods().find(|period| {
            let due = self.due(*period);
            let cutoffs = |at| {
                version_at(versions, at).map_or_else(Cutoffs::default, |version| {
                    Cutoffs::of(*period, self.zone, &version.terms)
                })
            };
            let ruling = match pinned {
                Some(pinned) if *period == self.first => pinned,
                _ => cutoffs(due),
            };
            let in_force = if due <= now {
                let current = version_at(versions, now).map(|version| &version.terms);
                ruling.in_force(current, *period, self.zone)
            } else {
                ruling
            };
            cutoff(in_force).is_some_and(|cutoff| added_at < cutoff)
        })
    }

    /// From the first period to the last that has a name.
    fn periods(self) -> impl Iterator<Item = Period> {
        std::iter::successors(Some(self.first), |period| Some(period.next()))
            .take_while(|period| *period <= Period::LAST)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::super::policy::Terms;
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a valid time")
    }

    fn version(number: i32, anonymize_months: i32, effective_from: &str) -> Version {
        Version {
            number,
            terms: Terms::from_stored(Some(anonymize_months), None, None, false).expect("terms"),
            effective_from: at(effective_from),
            created_at: at(effective_from),
            created_by: String::new(),
            reason: String::new(),
        }
    }

    fn calendar() -> Calendar<'static> {
        static BRUSSELS: LazyLock<Zone> =
            LazyLock::new(|| crate::tzdata::zone_for_tests("Europe/Brussels"));
        Calendar {
            zone: &BRUSSELS,
            hour: ScheduleHour::default(),
            first: "2024-04".parse().expect("a period"),
        }
    }

    fn period(text: &str) -> Option<Period> {
        Some(text.parse().expect("a period"))
    }

    #[test]
    fn p09_a_policy_set_on_10_april_first_acts_on_1_may() {
        let versions = [
            version(1, 2, "2023-01-01T00:00:00Z"),
            version(2, 1, "2024-04-10T08:00:00Z"),
        ];
        assert_eq!(calendar().first_ruled_by(&versions, 2), period("2024-05"));
        assert_eq!(calendar().first_ruled_by(&versions, 1), period("2024-04"));
        let backdated = [
            version(1, 2, "2023-01-01T00:00:00Z"),
            version(2, 1, "2024-03-31T22:00:00Z"),
        ];
        assert_eq!(calendar().first_ruled_by(&backdated, 2), period("2024-04"));
        assert_eq!(calendar().first_ruled_by(&backdated, 1), None);
    }

    #[test]
    fn d02_who_was_added_on_the_cutoff_goes_a_month_later() {
        let versions = [version(1, 1, "2023-01-01T00:00:00Z")];
        let first = |added_at: &str| {
            let now = at("2024-04-02T00:00:00Z");
            calendar().first_taking(&versions, now, None, at(added_at), |cutoffs| {
                cutoffs.anonymize
            })
        };
        assert_eq!(first("2024-02-29T22:59:59.999999Z"), period("2024-04"));
        assert_eq!(first("2024-02-29T23:00:00Z"), period("2024-05"));
    }

    #[test]
    fn p10_a_period_that_is_due_spares_whom_the_current_policy_keeps() {
        let versions = [
            version(1, 1, "2023-01-01T00:00:00Z"),
            version(2, 3, "2024-04-01T12:00:00Z"),
        ];
        let now = at("2024-04-02T00:00:00Z");
        let found =
            calendar().first_taking(&versions, now, None, at("2024-02-10T00:00:00Z"), |c| {
                c.anonymize
            });
        assert_eq!(found, period("2024-06"));
        let never =
            calendar().first_taking(&versions, now, None, at("2024-02-10T00:00:00Z"), |c| {
                c.purge
            });
        assert_eq!(never, None);
    }
}
