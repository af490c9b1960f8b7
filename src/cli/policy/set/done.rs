//! What `policy set` prints: the new version, what differs from the one that would be in force without
//! it, and whom it takes first.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::domain::period::Months;
use crate::domain::policy::{Terms, Version};

use super::super::super::output;
use super::super::{Dates, VersionDocument, terms_texts, until_text, version_facts};
use super::Outlook;

/// Names of the terms, as [`version_facts`] has them.
const TERMS: [&str; 3] = ["anonymize after", "delete after", "quarantine"];

/// What was set, as it is printed.
pub(super) struct Done<'a> {
    pub(super) slug: &'a str,
    pub(super) version: &'a Version,
    /// All versions, the new one included.
    pub(super) versions: &'a [Version],
    /// The version whose terms the new one keeps where it sets no others.
    pub(super) base: Option<&'a Version>,
    /// The version in force until now.
    pub(super) current: Option<&'a Version>,
    pub(super) replaced: Vec<i32>,
    pub(super) now: DateTime<Utc>,
    pub(super) outlook: Option<Outlook>,
}

/// What `policy set` prints in JSON.
#[derive(Serialize)]
pub(super) struct SetDocument<'a> {
    tenant: &'a str,
    #[serde(flatten)]
    version: VersionDocument,
    #[serde(flatten)]
    dates: Option<&'a Dates>,
    would_anonymize: Option<u64>,
    would_purge: Option<u64>,
    /// The version in force when the new one becomes effective, or, if none is, now; null if there is
    /// none either.
    based_on_version: Option<i32>,
    /// The version in force until now, where the new one takes over from another than that.
    takes_over_from_version: Option<i32>,
    /// The terms that differ from it.
    changes: Vec<ChangeDocument>,
    /// Planned versions that can never rule any more.
    replaces_planned: &'a [i32],
}

#[derive(Serialize)]
struct ChangeDocument {
    /// The key of the term.
    term: &'static str,
    from: Option<u32>,
    to: Option<u32>,
}

impl Done<'_> {
    pub(super) fn document(&self) -> SetDocument<'_> {
        let outlook = self.outlook.as_ref();
        let numbers = |terms: Option<Terms>| {
            let months = |months: Option<Months>| months.map(|months| u32::from(months.get()));
            [
                terms.and_then(|terms| months(terms.anonymize_after)),
                terms.and_then(|terms| months(terms.retain)),
                terms.and_then(|terms| terms.quarantine_days),
            ]
        };
        let names = ["anonymize_after_months", "retain_months", "quarantine_days"];
        let before = numbers(self.base.map(|base| base.terms));
        let after = numbers(Some(self.version.terms));
        let terms = names.into_iter().zip(before).zip(after);
        SetDocument {
            tenant: self.slug,
            version: VersionDocument::of(self.version, self.versions, self.now),
            dates: outlook.map(|outlook| &outlook.dates),
            would_anonymize: outlook.map(|outlook| outlook.would_anonymize),
            would_purge: outlook.map(|outlook| outlook.would_purge),
            based_on_version: self.base.map(|base| base.number),
            takes_over_from_version: self.overtaken().map(|current| current.number),
            changes: terms
                .filter(|((_, from), to)| from != to)
                .map(|((term, from), to)| ChangeDocument { term, from, to })
                .collect(),
            replaces_planned: &self.replaced,
        }
    }

    pub(super) fn facts(&self) -> Vec<(&'static str, String)> {
        let mut lines = vec![("tenant", self.slug.to_owned())];
        let others = version_facts(self.version).into_iter();
        lines.extend(others.filter(|(name, _)| !TERMS.contains(name)));
        let compared = match self.base {
            None => "no version: none is in force".to_owned(),
            Some(base) => format!("version {}", base.number),
        };
        let none = ["none"; 3].map(str::to_owned);
        let before = self.base.map_or(none, |base| terms_texts(&base.terms));
        let after = terms_texts(&self.version.terms);
        for ((name, before), after) in TERMS.into_iter().zip(before).zip(after) {
            let text = if before == after {
                format!("{after} (kept)")
            } else {
                format!("{before} -> {after}")
            };
            lines.push((name, text));
        }
        lines.push(("compared with", compared));
        if let Some(current) = self.overtaken() {
            let [anonymize, retain, quarantine] = terms_texts(&current.terms);
            lines.push((
                "replaces",
                format!(
                    "version {}: anonymize {anonymize}, delete {retain}, quarantine {quarantine}",
                    current.number
                ),
            ));
        }
        if !self.replaced.is_empty() {
            let numbers: Vec<String> = self.replaced.iter().map(ToString::to_string).collect();
            let text = format!("version {}, which can never rule now", numbers.join(", "));
            lines.push(("replaces planned", text));
        }
        lines.extend(self.outlook_facts());
        lines
    }

    /// The version in force until now, if it is not the one that the new one was compared with: of a
    /// version that is dated back, both are worth seeing.
    fn overtaken(&self) -> Option<&Version> {
        let base = self.base.map(|base| base.number);
        self.current.filter(|current| {
            self.version.effective_from <= self.now && base != Some(current.number)
        })
    }

    fn outlook_facts(&self) -> Vec<(&'static str, String)> {
        let Some(outlook) = &self.outlook else {
            return vec![("first acts on", "no month before the year 2100".to_owned())];
        };
        let dates = &outlook.dates;
        let due = output::instant(dates.due);
        let stage = |until, cutoff: Option<_>, count: u64| match cutoff {
            None => until_text(until),
            Some(cutoff) => format!(
                "{} (cutoff {}): {count} now",
                until_text(until),
                output::instant(cutoff)
            ),
        };
        vec![
            (
                "first acts on",
                format!("month {}, due {due}", dates.period),
            ),
            (
                "will anonymize",
                stage(
                    dates.anonymize_until,
                    dates.anonymize_cutoff,
                    outlook.would_anonymize,
                ),
            ),
            (
                "will delete",
                stage(dates.purge_until, dates.purge_cutoff, outlook.would_purge),
            ),
        ]
    }
}
