//! `[safety] gap_max`: whole months, or none.

use std::fmt::{self, Display};

use serde::{Serialize, Serializer};

/// What it may look like.
pub(super) const FORM: &str = "a number of months or years from \"1m\" to \"1200m\", such as \"3m\", or \
     \"none\"";

/// So many months after the last settled one a run has to be confirmed; none = never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GapMax(Option<u16>);

impl GapMax {
    /// Unless configured: three months.
    pub(super) const DEFAULT: Self = Self(Some(3));

    /// The number of months, 1 to 1,200.
    #[must_use]
    pub fn months(self) -> Option<u16> {
        self.0
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        if text == "none" {
            return Some(Self(None));
        }
        let (number, months) = match text.strip_suffix('m') {
            Some(number) => (number, 1),
            None => (text.strip_suffix('y')?, 12),
        };
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let months = number.parse::<u16>().ok()?.checked_mul(months)?;
        (1..=1200).contains(&months).then_some(Self(Some(months)))
    }
}

impl Display for GapMax {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(months) => write!(formatter, "{months}m"),
            None => formatter.write_str("none"),
        }
    }
}

impl Serialize for GapMax {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s13_the_longest_gap_is_whole_months_or_none() {
        for (text, shown) in [
            ("1m", "1m"),
            ("3m", "3m"),
            ("1y", "12m"),
            ("1200m", "1200m"),
            ("none", "none"),
        ] {
            let gap_max = GapMax::parse(text).expect(text);
            assert_eq!(gap_max.to_string(), shown);
        }
        for text in [
            "", "0m", "-1m", "+3m", "3", "m", "3 m", "90d", "1201m", "101y", "None",
        ] {
            assert_eq!(GapMax::parse(text), None, "{text}");
        }
    }
}
