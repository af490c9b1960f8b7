//! How many days whole months can be: the ages that a period in months guarantees.

use super::period::{Months, Period};

/// The days of the shortest span of `months` calendar months: the age that they guarantee.
///
/// One month guarantees 28 days (1 February to 1 March), two 59, three 89.
#[must_use]
pub fn shortest_span_days(months: Months) -> u32 {
    spans_days(i32::from(months.get())).min().unwrap_or(0)
}

/// The days of the longest span of `months` calendar months.
#[must_use]
pub fn longest_span_days(months: Months) -> u32 {
    spans_days(i32::from(months.get())).max().unwrap_or(0)
}

/// The most days that a person can be old, at a due instant, and still be stored untouched.
///
/// It is the longest span of one month more than `months`: who was added on the cutoff itself waits
/// for the next period, and is that old when it comes.
#[must_use]
pub fn longest_age_days(months: Months) -> u32 {
    spans_days(i32::from(months.get()) + 1).max().unwrap_or(0)
}

/// The days of every span of `months` months that begins with a month, over the 400 years after which
/// the Gregorian calendar repeats itself: 4,800 subtractions, too cheap to store.
fn spans_days(months: i32) -> impl Iterator<Item = u32> {
    const CYCLE_MONTHS: i32 = 400 * 12;
    let start = Period::FIRST;
    (0..CYCLE_MONTHS).map(move |offset| {
        let from = start.plus(offset).nominal_date();
        let to = start.plus(offset + months).nominal_date();
        u32::try_from((to - from).num_days()).expect("a span of months is 0 to 36,600 days long")
    })
}
