//! Releases of the IANA time-zone database.

use std::fmt::{self, Display};
use std::sync::Arc;

use chrono::{DateTime, Datelike, Utc};

/// Longer than any release was ever called, with what distributions add.
const CHARACTERS_MAX: usize = 32;

/// Releases older than this may lack a rule that is in force: there are several in a year, and a
/// country that changes its rules often says so a few months before.
const AGE_MONTHS_MAX: i32 = 15;

/// A release of the IANA time-zone database, such as `2026a`, or that nobody knows which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release(Option<Arc<str>>);

impl Release {
    /// Nothing tells which.
    #[must_use]
    pub fn unknown() -> Self {
        Self(None)
    }

    /// The release of that name: a year, letters, and what a distribution adds. Whatever does not look
    /// like one is unknown.
    #[must_use]
    pub fn named(text: &str) -> Self {
        let text = text.trim();
        let (year, rest) = text.split_at_checked(4).unwrap_or_default();
        let looks_right = year.bytes().all(|byte| byte.is_ascii_digit())
            && rest.starts_with(|letter: char| letter.is_ascii_lowercase())
            && text.len() <= CHARACTERS_MAX
            && rest
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
        Self(looks_right.then(|| text.into()))
    }

    /// Its name, or `unknown`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.as_deref().unwrap_or("unknown")
    }

    /// Whether this one came before `other`; never so where one of them is unknown.
    #[must_use]
    pub fn is_before(&self, other: &Self) -> bool {
        match (self.order(), other.order()) {
            (Some(this), Some(other)) => this < other,
            _ => false,
        }
    }

    /// Whether every release of its year is older than fifteen months at `now`. A name does not tell the
    /// month, so it is the end of the year that counts: `2025b` is old from April 2027 on.
    #[must_use]
    pub fn is_old_at(&self, now: DateTime<Utc>) -> bool {
        let month = |year: i32, month0: i32| year * 12 + month0;
        let this_month = month(now.year(), i32::try_from(now.month0()).unwrap_or_default());
        let end_of_year = self.order().map(|(year, ..)| month(year, 11));
        end_of_year.is_some_and(|end| this_month - end > AGE_MONTHS_MAX)
    }

    /// The year, and then what comes before what: `2026z` before `2026aa`.
    fn order(&self) -> Option<(i32, usize, &str)> {
        let name = self.0.as_deref()?;
        let (year, rest) = name.split_at_checked(4)?;
        let letters = rest
            .find(|letter: char| !letter.is_ascii_lowercase())
            .unwrap_or(rest.len());
        Some((year.parse().ok()?, letters, &rest[..letters]))
    }
}

impl Display for Release {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d12_names_of_releases() {
        for name in ["2025b", "1996l", "2016aa", "2025b-debian1", "2026a-4-gabc"] {
            assert_eq!(Release::named(name).name(), name);
        }
        assert_eq!(Release::named(" 2025b\n").name(), "2025b");
        let too_long = format!("2025b{}", "x".repeat(40));
        for name in [
            "", "2025", "b2025", "unknown", "2025b\"}", "2025B", "ÿ25b", &too_long,
        ] {
            assert_eq!(Release::named(name), Release::unknown(), "{name:?}");
        }
        assert_eq!(Release::unknown().to_string(), "unknown");
    }

    #[test]
    fn d12_which_release_came_first() {
        let names = [
            "1996l", "2025b", "2025c", "2026a", "2026f", "2026z", "2026aa", "2027a",
        ];
        let releases = names.map(Release::named);
        for (position, one) in releases.iter().enumerate() {
            for (other_position, other) in releases.iter().enumerate() {
                assert_eq!(
                    one.is_before(other),
                    position < other_position,
                    "{one} {other}"
                );
            }
        }
        assert!(!Release::named("2025b-debian2").is_before(&Release::named("2025b")));
        assert!(!Release::unknown().is_before(&releases[0]));
        assert!(!releases[0].is_before(&Release::unknown()));
    }

    #[test]
    fn d12_which_release_is_old() {
        let at = |text: &str| text.parse().expect("an RFC 3339 time");
        let release = Release::named("2025b");
        assert!(!release.is_old_at(at("2025-03-01T00:00:00Z")));
        assert!(!release.is_old_at(at("2027-03-31T23:59:59Z")));
        assert!(release.is_old_at(at("2027-04-01T00:00:00Z")));
        assert!(!Release::unknown().is_old_at(at("2099-01-01T00:00:00Z")));
    }
}
