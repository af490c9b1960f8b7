//! The monthly trigger: one cron job for each offset from UTC that a time zone in use has now.
//!
//! The tick is not trusted. `tokio-cron-scheduler` freezes a zone's UTC offset when a job is made (so
//! after a change of DST it fires in the wrong hour, once even on the last day of the month before),
//! loses ticks while the process is down, and a machine that sleeps sleeps through them. So a tick is
//! a wake-up without input; what is due comes from the database and the calendar, and the sweep
//! finds what a tick missed. Jobs are made anew when an offset comes into use or goes out of it: when
//! clocks change, a tenant moves, or the rules of a zone do (D12). So the scheduler is given offsets only,
//! and the rules that are compiled into the crates that it is made of decide nothing.

use std::collections::BTreeSet;

use chrono::{DateTime, FixedOffset, Utc};
use tokio::sync::watch;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

use crate::domain::period::{ScheduleHour, Zone};

use super::wakeup::{Source, WakeupSender};

/// What the jobs are made from; equal = they need not be made anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Timetable {
    hour: ScheduleHour,
    /// Local time minus UTC, in seconds.
    offsets: BTreeSet<i32>,
}

impl Timetable {
    /// The timetable of these zones as their offsets are at `now`.
    pub(super) fn at<'a>(
        now: DateTime<Utc>,
        zones: impl IntoIterator<Item = &'a Zone>,
        hour: ScheduleHour,
    ) -> Self {
        let offset = |zone: &Zone| zone.offset_at(now).local_minus_utc();
        Self {
            hour,
            offsets: zones.into_iter().map(offset).collect(),
        }
    }
}

/// Keeps the jobs as the newest timetable says, until its sender is gone.
pub(super) async fn keep(mut timetable: watch::Receiver<Timetable>, wakeups: WakeupSender) {
    let mut running: Option<JobScheduler> = None;
    while timetable.changed().await.is_ok() {
        let wanted = timetable.borrow_and_update().clone();
        if let Some(mut old) = running.take() {
            // Jobs hold no work, so there is none to wait for.
            let _ = old.shutdown().await;
        }
        match start(&wanted, &wakeups).await {
            Ok(scheduler) => running = Some(scheduler),
            Err(_) => tracing::error!(
                event = "schedule_failed",
                "the monthly trigger could not be set up; the sweep still finds what is due"
            ),
        }
    }
}

async fn start(
    timetable: &Timetable,
    wakeups: &WakeupSender,
) -> Result<JobScheduler, JobSchedulerError> {
    let mut scheduler = JobScheduler::new().await?;
    if let Err(error) = fill(&scheduler, timetable, wakeups).await {
        // It has tasks of its own, which nobody else would end.
        let _ = scheduler.shutdown().await;
        return Err(error);
    }
    Ok(scheduler)
}

async fn fill(
    scheduler: &JobScheduler,
    timetable: &Timetable,
    wakeups: &WakeupSender,
) -> Result<(), JobSchedulerError> {
    let offsets = timetable.offsets.iter();
    for offset in offsets.filter_map(|seconds| FixedOffset::east_opt(*seconds)) {
        let wakeups = wakeups.clone();
        let monthly = format!("0 0 {} 1 * *", timetable.hour.get());
        // A panic in the synchronous part would end the job for good; there is nothing in it.
        let job = Job::new_async_tz(monthly.as_str(), offset, move |_, _| {
            let wakeups = wakeups.clone();
            Box::pin(async move { wakeups.ring(Source::Cron) })
        })?;
        scheduler.add(job).await?;
    }
    scheduler.start().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_made_anew_when_the_offset_of_a_zone_changes() {
        let at = |text: &str| -> DateTime<Utc> { text.parse().expect("an RFC 3339 time") };
        let zone = crate::tzdata::zone_for_tests("Europe/Brussels");
        let hour = ScheduleHour::default();
        let winter = Timetable::at(at("2024-03-31T00:59:59Z"), [&zone], hour);
        let summer = Timetable::at(at("2024-03-31T01:00:00Z"), [&zone], hour);
        assert_ne!(winter, summer);
        assert_eq!(
            summer,
            Timetable::at(at("2024-06-01T00:00:00Z"), [&zone], hour)
        );
    }
}
