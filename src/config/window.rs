//! A time of day, from one minute to another: `01:00-06:00`.

use std::fmt;

use chrono::NaiveTime;
use serde::{Serialize, Serializer};

/// What it looks like, for error messages.
pub(super) const FORM: &str = "two different times of day such as \"01:00-06:00\" or \
     \"22:00-05:30\", 00:00 to 23:59";

/// From a time of day up to another one, which is on the next day if it is the smaller one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DailyWindow {
    /// When it opens.
    pub from: NaiveTime,
    /// When it closes; never the same as `from`.
    pub to: NaiveTime,
}

impl DailyWindow {
    /// `None` if the text is none; [`FORM`] says what one looks like.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (from, to) = text.split_once('-')?;
        let (from, to) = (time(from)?, time(to)?);
        (from != to).then_some(Self { from, to })
    }
}

/// `01:00`, and nothing that only looks like it.
fn time(text: &str) -> Option<NaiveTime> {
    let time = NaiveTime::parse_from_str(text, "%H:%M").ok()?;
    (time.format("%H:%M").to_string() == text).then_some(time)
}

impl fmt::Display for DailyWindow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (self.from.format("%H:%M"), self.to.format("%H:%M"));
        write!(formatter, "{from}-{to}")
    }
}

impl Serialize for DailyWindow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
