//! Which participants a run may touch: those with `added_at < cutoff`, strictly, and nobody else.
//!
//! Cutoffs are counted in calendar months on the tenant's calendar and turned into an instant last.
//! How old a person is at the cutoff therefore varies: one month is 28 to 31 days.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::period::{Months, Period, Zone};
use super::policy::{Terms, Version};

/// The cutoff of `months` for `period`: the first existing instant, in `zone`, of the day that lies
/// that many months before the period's nominal date.
#[must_use]
pub fn cutoff(period: Period, zone: &Zone, months: Months) -> DateTime<Utc> {
    zone.first_instant_of(period.minus(months).nominal_date())
}

/// The cutoffs of one tenant-run; unset means that the stage touches nobody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cutoffs {
    /// Who was added before it loses the personal fields.
    pub anonymize: Option<DateTime<Utc>>,
    /// Who was added before it is deleted.
    pub purge: Option<DateTime<Utc>>,
}

impl Cutoffs {
    /// The cutoffs of `terms` for `period`.
    #[must_use]
    pub fn of(period: Period, zone: &Zone, terms: &Terms) -> Self {
        let of_stage = |months: Option<Months>| months.map(|months| cutoff(period, zone, months));
        Self {
            anonymize: of_stage(terms.anonymize_after),
            purge: of_stage(terms.retain),
        }
    }

    /// For each stage the older of the two, where unset is older than any time.
    ///
    /// This is what keeps a run from erasing what a policy, lengthened or cleared after the run began,
    /// wants kept (P10), and a shortened one from acting before the next period (P11).
    #[must_use]
    pub fn older_of(self, other: Self) -> Self {
        // `Option`'s own order: None is less than every Some, and means never.
        Self {
            anonymize: self.anonymize.min(other.anonymize),
            purge: self.purge.min(other.purge),
        }
    }

    /// P10: of these cutoffs, which a run of `period` has pinned, and those of the current terms the older.
    /// Without current terms nothing may be erased.
    #[must_use]
    pub fn in_force(self, current: Option<&Terms>, period: Period, zone: &Zone) -> Self {
        let current = current.map_or_else(Self::default, |terms| Self::of(period, zone, terms));
        self.older_of(current)
    }

    /// P10: the cutoffs by which a completed run of `period` is judged, which has pinned these: for each stage the
    /// oldest of them, of those of the version in force when its recount found nothing left, and of those of the
    /// version in force now.
    #[must_use]
    pub fn judging(
        self,
        period: Period,
        zone: &Zone,
        at_recount: Option<&Version>,
        current: Option<&Version>,
    ) -> Self {
        // A version that is not there keeps nobody: without one `verify` must not find less than with it.
        [at_recount, current]
            .into_iter()
            .flatten()
            .fold(self, |kept, version| {
                kept.in_force(Some(&version.terms), period, zone)
            })
    }

    /// Whether neither stage has anything to do.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.anonymize.is_none() && self.purge.is_none()
    }
}

/// The last day that lies, on the clocks of `zone`, wholly before `cutoff`: "until DATE inclusive".
#[must_use]
pub fn until_inclusive(cutoff: DateTime<Utc>, zone: &Zone) -> NaiveDate {
    let mut day = zone.local_date(cutoff);
    // Four steps are the most: the day of the cutoff, one that clocks put back over midnight entered
    // again, and one that the zone never had.
    for _ in 0..4 {
        let Some(previous) = day.pred_opt() else {
            break;
        };
        day = previous;
        let existed = zone.local_date(zone.first_instant_of(day)) == day;
        if existed && end_of_day(day, zone) <= cutoff {
            break;
        }
    }
    day
}

/// The instant from which on the clocks of `zone` never show `day` again.
fn end_of_day(day: NaiveDate, zone: &Zone) -> DateTime<Utc> {
    let Some(next_day) = day.succ_opt() else {
        return DateTime::<Utc>::MAX_UTC;
    };
    let first = zone.first_instant_of(next_day);
    // St. John's used to go from 00:01 back to 23:01 of the day before.
    match zone.second_midnight_of(next_day) {
        Some(second) if zone.local_date(second - TimeDelta::microseconds(1)) <= day => second,
        _ => first,
    }
}

#[cfg(test)]
mod tests;
