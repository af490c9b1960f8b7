//! Which versions are in force, which are planned, and which can never rule.

use chrono::{DateTime, Utc};

use super::{Version, version_at};

/// How a version stands at some instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Force {
    /// It rules now.
    InForce,
    /// It will rule from its `effective_from` on.
    Planned,
    /// It was effective once, and a higher version has taken its place.
    Replaced,
    /// Before it becomes effective a higher version does, so it can never rule.
    Never,
}

impl Force {
    /// Name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::InForce => "in_force",
            Self::Planned => "planned",
            Self::Replaced => "replaced",
            Self::Never => "never",
        }
    }

    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::InForce => "in force",
            Self::Planned => "planned",
            Self::Replaced => "replaced",
            Self::Never => "can never rule",
        }
    }
}

/// How `version`, one of `versions`, stands at `now`.
#[must_use]
pub fn force_of(version: &Version, versions: &[Version], now: DateTime<Utc>) -> Force {
    let rules_at = |instant| {
        version_at(versions, instant).is_some_and(|ruling| ruling.number == version.number)
    };
    if version.effective_from > now {
        if rules_at(version.effective_from) {
            Force::Planned
        } else {
            Force::Never
        }
    } else if rules_at(now) {
        Force::InForce
    } else {
        Force::Replaced
    }
}

/// P12: the planned versions that could never rule once a new version, whose number is the highest, is
/// effective from `effective_from` on.
#[must_use]
pub fn shadowed(
    versions: &[Version],
    effective_from: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Vec<&Version> {
    versions
        .iter()
        .filter(|version| {
            version.effective_from >= effective_from
                && force_of(version, versions, now) == Force::Planned
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::Terms;
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("an RFC 3339 time")
    }

    fn versions(effective_from: &[&str]) -> Vec<Version> {
        (1..)
            .zip(effective_from)
            .map(|(number, effective_from)| Version {
                number,
                terms: Terms::from_stored(Some(1), None, None, false).expect("terms"),
                effective_from: at(effective_from),
                created_at: at("2024-01-01T00:00:00Z"),
                created_by: String::new(),
                reason: String::new(),
            })
            .collect()
    }

    const NOW: &str = "2024-04-10T00:00:00Z";

    fn forces(effective_from: &[&str]) -> Vec<Force> {
        let versions = versions(effective_from);
        versions
            .iter()
            .map(|version| force_of(version, &versions, at(NOW)))
            .collect()
    }

    #[test]
    fn p12_a_version_is_in_force_planned_replaced_or_can_never_rule() {
        use Force::{InForce, Never, Planned, Replaced};
        let (past, now, soon, later) = (
            "2023-01-01T00:00:00Z",
            NOW,
            "2025-01-01T00:00:00Z",
            "2028-01-01T00:00:00Z",
        );
        assert_eq!(forces(&[past, now]), [Replaced, InForce]);
        assert_eq!(forces(&[past, later]), [InForce, Planned]);
        assert_eq!(forces(&[past, later, now]), [Replaced, Never, InForce]);
        // A planned one may stand in another planned one's way, also at the same instant.
        assert_eq!(forces(&[past, later, soon]), [InForce, Never, Planned]);
        assert_eq!(forces(&[past, later, later]), [InForce, Never, Planned]);
        assert_eq!(forces(&[past, soon, later]), [InForce, Planned, Planned]);
        assert_eq!(forces(&[soon]), [Planned]);
    }

    #[test]
    fn p12_a_new_version_shadows_what_was_planned_for_its_day_or_later() {
        let numbers = |effective_from: &[&str], new: &str| -> Vec<i32> {
            let versions = versions(effective_from);
            shadowed(&versions, at(new), at(NOW))
                .iter()
                .map(|version| version.number)
                .collect()
        };
        let (past, soon, later) = (
            "2023-01-01T00:00:00Z",
            "2025-01-01T00:00:00Z",
            "2028-01-01T00:00:00Z",
        );
        assert_eq!(numbers(&[past, later], NOW), [2]);
        assert_eq!(numbers(&[past, later], later), [2], "the very day");
        assert!(numbers(&[past, later], "2028-01-01T00:00:00.000001Z").is_empty());
        assert_eq!(numbers(&[past, soon, later], "2026-01-01T00:00:00Z"), [3]);
        assert_eq!(numbers(&[past, soon, later], past), [2, 3]);
        // What can never rule anyhow, and what rules already, is not planned.
        assert!(numbers(&[past, later, NOW], NOW).is_empty());
        assert!(numbers(&[past, NOW], past).is_empty());
    }
}
