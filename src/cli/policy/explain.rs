//! `policy explain`: the dates of a period under any policy, from the calendar alone.

use clap::Args;
use serde::Serialize;

use crate::domain::cutoff::Cutoffs;
use crate::domain::period::{Months, Period, ScheduleHour, due_instant, newest_due_period};
use crate::domain::policy::{Terms, parse_anonymize, parse_retain};
use crate::domain::span::{longest_age_days, shortest_span_days};

use super::super::command_context::CommandContext;
use super::super::exit::{Exit, Failure};
use super::super::output::{self, Format};
use super::{Dates, until_text};

/// Arguments of `policy explain`.
#[derive(Debug, Args)]
#[command(
    after_help = "A run anonymizes or deletes people added strictly before a cutoff, and nobody \
    else. A cutoff is the first instant, in the time zone, of the day that lies so many months \
    before the 1st of the run's month. The guaranteed age: everyone whom a run erases is at least \
    that old. The longest age: nobody is older when a run erases them.\n\nExamples:\n  \
    retentiond policy explain --time-zone Europe/Brussels --anonymize 1m --retain 1y --period 2024-04\n  \
    retentiond policy explain --time-zone Pacific/Kiritimati --period 2024-04 --output json"
)]
pub struct ExplainArguments {
    /// Time zone by its IANA name, for example Europe/Brussels
    #[arg(long, value_name = "ZONE")]
    time_zone: String,

    /// Anonymization period: 1m, 1y, or none [default: none]
    #[arg(long, value_name = "PERIOD", allow_hyphen_values = true)]
    anonymize: Option<String>,

    /// Retention period: 12m, 1y, or none [default: none]
    #[arg(long, value_name = "PERIOD", allow_hyphen_values = true)]
    retain: Option<String>,

    /// Month of the run, written 2024-04 [default: the newest that is due]
    #[arg(long, value_name = "YYYY-MM")]
    period: Option<Period>,

    /// Hour of the 1st at which the month is due, as [schedule] hour in the configuration
    #[arg(long, value_name = "HOUR", default_value_t = 0)]
    hour: u8,
}

/// What `policy explain` prints in JSON.
#[derive(Serialize)]
struct Explanation {
    #[serde(flatten)]
    dates: Dates,
    time_zone: String,
    tzdata_release: String,
    hour: u8,
    anonymize_after_months: Option<u16>,
    anonymize_guaranteed_days: Option<u32>,
    anonymize_longest_days: Option<u32>,
    retain_months: Option<u16>,
    purge_guaranteed_days: Option<u32>,
    purge_longest_days: Option<u32>,
}

/// `policy explain`.
pub(super) fn explain(
    context: &CommandContext,
    arguments: &ExplainArguments,
) -> Result<Exit, Failure> {
    let rules = context.tzdata.newest();
    let zone = &rules.zone(&arguments.time_zone).map_err(Failure::usage)?;
    let hour = ScheduleHour::try_from(arguments.hour).map_err(Failure::usage)?;
    let read = |text: &Option<String>, parse: fn(&str) -> _| match text {
        Some(text) => parse(text),
        None => Ok(None),
    };
    let anonymize = read(&arguments.anonymize, parse_anonymize).map_err(Failure::usage)?;
    let retain = read(&arguments.retain, parse_retain).map_err(Failure::usage)?;
    let terms = Terms::new(anonymize, retain, None, false).map_err(Failure::usage)?;
    let period = match arguments.period {
        Some(period) => period,
        None => newest_due_period(context.now()?, zone, hour).min(Period::LAST),
    };
    let due = due_instant(period, zone, hour);
    let explanation = Explanation {
        dates: Dates::of(period, due, zone, Cutoffs::of(period, zone, &terms)),
        time_zone: zone.to_string(),
        tzdata_release: zone.release().to_string(),
        hour: hour.get(),
        anonymize_after_months: anonymize.map(Months::get),
        anonymize_guaranteed_days: anonymize.map(shortest_span_days),
        anonymize_longest_days: anonymize.map(longest_age_days),
        retain_months: retain.map(Months::get),
        purge_guaranteed_days: retain.map(shortest_span_days),
        purge_longest_days: retain.map(longest_age_days),
    };
    match context.format {
        Format::Json => output::print_json(&explanation)?,
        Format::Table => print(&explanation, &terms)?,
    }
    Ok(Exit::Done)
}

fn print(explanation: &Explanation, terms: &Terms) -> Result<(), Failure> {
    let dates = &explanation.dates;
    let mut lines = vec![
        ("month", dates.period.to_string()),
        (
            "time zone",
            format!(
                "{} (tzdata {})",
                explanation.time_zone, explanation.tzdata_release
            ),
        ),
        ("due", output::instant(dates.due)),
    ];
    let stages = [
        (
            "anonymized",
            terms.anonymize_after,
            dates.anonymize_until,
            dates.anonymize_cutoff,
        ),
        (
            "deleted",
            terms.retain,
            dates.purge_until,
            dates.purge_cutoff,
        ),
    ];
    for (name, months, until, cutoff) in stages {
        let (Some(months), Some(cutoff)) = (months, cutoff) else {
            lines.push((name, until_text(None)));
            continue;
        };
        lines.extend([
            (name, until_text(until)),
            ("", format!("that is, before {}", output::instant(cutoff))),
            (
                "",
                format!(
                    "period {months}: at least {} days old when erased, at most {} days old before",
                    shortest_span_days(months),
                    longest_age_days(months)
                ),
            ),
        ]);
    }
    output::print(&output::facts(&lines))
}
