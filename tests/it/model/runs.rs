//! The reference's runs: which period is owed, which policy rules it, who goes, and what `verify`
//! says. Case numbers are those of `docs/semantics.md`.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use retentiond::domain::counts::Counts;
use retentiond::engine::partition::Partition;

use super::calendar::{Month, Tz, month_text};
use super::reference::{Policy, Reference, Stored, Tenant, normal};
use super::seen::{Cutoffs, EMAIL, Key, Run, Verdict};
use crate::support::month_start;

/// How a pass must end for a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The run is claimed, and then done.
    Claimed,
    AlreadyCompleted,
    NoPolicy,
    Held,
    Refused,
    /// In a zone that nobody knows.
    Failed,
}

/// People whom a run is to take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Victims {
    pub anonymize: BTreeSet<Key>,
    pub purge: BTreeSet<Key>,
}

/// Who is to go is known beforehand; how many of them went before a crash is not.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    pub people: BTreeSet<Key>,
    pub uploads: BTreeSet<u32>,
}

/// S13: what a claim is compared with.
#[derive(Clone, Copy, Debug)]
pub struct Gap {
    /// Somebody has confirmed it.
    pub is_confirmed: bool,
    /// The newest month that is settled for any tenant.
    pub newest: Option<Month>,
}

impl Reference {
    /// The newest month that is settled for any tenant.
    pub fn newest_settled(&self) -> Option<Month> {
        let months = self.tenants.iter().filter_map(Tenant::newest_settled);
        months.max()
    }

    /// A whole pass for one tenant: how it ends, and what it does.
    pub fn run(
        &mut self,
        tenant: usize,
        named: Option<Month>,
        is_confirmed: bool,
    ) -> (End, Counts) {
        let event = self.event();
        let now = self.now;
        let gap = Gap {
            is_confirmed,
            newest: self.newest_settled(),
        };
        let tenant = &mut self.tenants[tenant];
        let (period, end) = tenant.claim(now, named, event, gap);
        if end != End::Claimed {
            return (end, Counts::default());
        }
        let counts = tenant.erase(period, now, None);
        tenant.complete(period, now);
        (end, counts)
    }
}

impl Tenant {
    /// The period that a pass is about.
    pub fn period(&self, now: DateTime<Utc>, named: Option<Month>) -> Month {
        named.unwrap_or_else(|| Month::newest_due(self.reckoning(), now))
    }

    /// The newest month that was completed, or that no policy ruled.
    fn newest_settled(&self) -> Option<Month> {
        let settled = |run: &Run| matches!(run.state, "completed" | "no_policy");
        let mut runs = self.runs.iter().rev();
        runs.find(|(_, run)| settled(&run.seen))
            .map(|(month, _)| *month)
    }

    /// Claims the run, or not; all of what this writes is written at once.
    pub fn claim(
        &mut self,
        now: DateTime<Utc>,
        named: Option<Month>,
        event: u64,
        gap: Gap,
    ) -> (Month, End) {
        let zone = self.reckoning();
        let period = self.period(now, named);
        let due_at = period.begins(zone);
        // S8; and a newer run covers this one, a completed one or, unless the period was named, any
        // that was not given up.
        let covers = |run: &Run| match named {
            Some(_) => run.state == "completed",
            None => run.state != "superseded",
        };
        let newer = self
            .runs
            .range(period.plus(1)..)
            .any(|(_, run)| covers(&run.seen));
        if self.zone.is_none() {
            if due_at <= now && !newer {
                self.fail(period, due_at, event);
            }
            return (period, End::Failed);
        }
        if due_at > now || newer {
            return (period, End::Refused);
        }
        let pinned = self.runs.get(&period).map(|run| run.seen.clone());
        if pinned.as_ref().is_some_and(|run| run.state == "completed") {
            return (period, End::AlreadyCompleted);
        }
        // S13: more than three months after the last settled one; not of a run that was claimed before.
        let is_new = pinned.as_ref().is_none_or(|run| run.version.is_none());
        let last = self.newest_settled().or(gap.newest);
        if !gap.is_confirmed && is_new && last.is_some_and(|last| last < period.minus(3)) {
            return (period, End::Refused);
        }
        // P9.
        let ruling = match pinned.and_then(|run| run.version) {
            Some(version) => usize::try_from(version - 1).ok(),
            None => self.version_at(due_at),
        };
        let ruling = ruling.filter(|version| !self.policies[*version].is_empty());
        // S2: gaps since the last recorded run, and older unfinished runs.
        if let Some((last, _)) = self.runs.range(..period).next_back() {
            let mut gap = last.plus(1);
            while gap < period {
                self.record(gap, "superseded", gap.begins(zone), event);
                gap = gap.plus(1);
            }
        }
        for (_, run) in self.runs.range_mut(..period) {
            if matches!(run.seen.state, "pending" | "running" | "failed") {
                run.seen.state = "superseded";
                run.seen.failure = None;
                run.seen.held = false;
            }
        }
        let Some(ruling) = ruling else {
            let run = self.record(period, "no_policy", due_at, event);
            if matches!(run.seen.state, "pending" | "failed") {
                run.seen.state = "no_policy";
                run.seen.failure = None;
            }
            return (period, End::NoPolicy);
        };
        let cutoffs = self.policies[ruling].cutoffs(period, zone);
        let run = self.record(period, "pending", due_at, event);
        if run.seen.held {
            return (period, End::Held);
        }
        if run.seen.version.is_none() {
            run.seen.version = i32::try_from(ruling + 1).ok();
            run.seen.cutoffs = cutoffs;
        }
        if run.seen.attempts == 0 {
            // S11 counts from the first claim.
            run.since = event;
        }
        run.seen.state = "running";
        run.seen.failure = None;
        run.seen.attempts += 1;
        run.seen.held = true;
        (period, End::Claimed)
    }

    /// The run's record, made if there is none.
    fn record(
        &mut self,
        period: Month,
        state: &'static str,
        due_at: DateTime<Utc>,
        event: u64,
    ) -> &mut Stored<Run> {
        self.runs.entry(period).or_insert(Stored {
            seen: Run {
                state,
                due_at,
                version: None,
                cutoffs: Cutoffs::default(),
                recount_version: None,
                counts: Counts::default(),
                attempts: 0,
                failure: None,
                held: false,
            },
            since: event,
        })
    }

    /// S4: what cannot even be claimed is on record, unless it ended or somebody is at it.
    fn fail(&mut self, period: Month, due_at: DateTime<Utc>, event: u64) {
        let run = self.record(period, "pending", due_at, event);
        if matches!(run.seen.state, "pending" | "failed") {
            run.seen.state = "failed";
            run.seen.failure = Some("time_zone".to_owned());
        }
    }

    /// Ends the run, and gives its lease back.
    pub fn end(&mut self, period: Month, state: &'static str, failure: Option<&str>) {
        let run = self.runs.get_mut(&period).expect("a claimed run");
        run.seen.state = state;
        run.seen.failure = failure.map(str::to_owned);
        run.seen.held = false;
    }

    /// Nothing is left to do by the version in force now.
    pub fn complete(&mut self, period: Month, now: DateTime<Utc>) {
        let version = self.version_at(now);
        self.end(period, "completed", None);
        let run = self.runs.get_mut(&period).expect("a claimed run");
        run.seen.recount_version = version.and_then(|version| i32::try_from(version + 1).ok());
    }

    /// P10, P11: of what is pinned and what is current, for each stage the older; unset is never. Once completed,
    /// what was current then counts as well.
    fn cutoffs(&self, period: Month, now: DateTime<Utc>) -> Cutoffs {
        let run = &self.runs[&period].seen;
        let of = |version: usize| self.policies[version].cutoffs(period, self.reckoning());
        let current = self.version_at(now).map_or(Cutoffs::default(), of);
        let recounted = run.recount_version.filter(|_| run.state == "completed");
        let recounted = recounted.and_then(|version| usize::try_from(version - 1).ok());
        let older = |one: Option<DateTime<Utc>>, other: Option<DateTime<Utc>>| match (one, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            _ => None,
        };
        let older_of = |one: Cutoffs, other: Cutoffs| Cutoffs {
            anonymize: older(one.anonymize, other.anonymize),
            purge: older(one.purge, other.purge),
        };
        let pinned = recounted.map_or(run.cutoffs, |version| older_of(run.cutoffs, of(version)));
        older_of(pinned, current)
    }

    /// Whom the run of a period is to take now. P4: who is to be deleted is not anonymized first.
    pub fn victims(&self, period: Month, now: DateTime<Utc>) -> Victims {
        let cutoffs = self.cutoffs(period, now);
        let mut victims = Victims::default();
        for (key, person) in &self.people {
            let is_before = |cutoff: Option<DateTime<Utc>>| {
                cutoff.is_some_and(|cutoff| person.seen.added_at < cutoff)
            };
            if is_undated(person.seen.added_at, now) {
                continue;
            }
            if is_before(cutoffs.purge) {
                victims.purge.insert(*key);
            } else if is_before(cutoffs.anonymize) && person.seen.anonymized_at.is_none() {
                victims.anonymize.insert(*key);
            }
        }
        victims
    }

    /// Takes the run's victims, all of them or only those that are known to have been `taken`, and
    /// adds what it did to the run's record.
    pub fn erase(&mut self, period: Month, now: DateTime<Utc>, taken: Option<&Taken>) -> Counts {
        let victims = self.victims(period, now);
        let is_taken = |key: &&Key| taken.is_none_or(|taken| taken.people.contains(key));
        let mut counts = Counts::default();
        let mut hashes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for key in victims.anonymize.iter().filter(is_taken) {
            let person = &mut self.people.get_mut(key).expect("a victim").seen;
            note_hash(
                person.unsubscribed_at,
                &person.fields[EMAIL],
                &mut hashes,
                &mut counts,
            );
            counts.anonymized += 1;
            counts.invitations_expired += person.expire();
            person.fields = Default::default();
            person.anonymized_at = Some(now);
            person.unsubscribed_at = person.unsubscribed_at.map(month_start);
        }
        for key in victims.purge.iter().filter(is_taken) {
            let person = self.people.remove(key).expect("a victim").seen;
            note_hash(
                person.unsubscribed_at,
                &person.fields[EMAIL],
                &mut hashes,
                &mut counts,
            );
            counts.purged += 1;
            for (sum, count) in counts.children_purged.iter_mut().zip(person.children()) {
                *sum += count;
            }
            let upload = self.uploads.get_mut(&key.0).expect("its upload");
            upload.seen.first_purged_at.get_or_insert(now);
        }
        for (address, months) in hashes {
            // A hash that is there keeps its month.
            if let Entry::Vacant(entry) = self.hashes.entry(address) {
                counts.suppressions += 1;
                entry.insert(months);
            }
        }
        // E6.
        for number in self.uploads_left_empty() {
            if taken.is_none_or(|taken| taken.uploads.contains(&number)) {
                counts.uploads_removed += 1;
                self.uploads.remove(&number);
                self.contents.remove(&number);
            }
        }
        self.runs
            .get_mut(&period)
            .expect("a claimed run")
            .seen
            .counts += counts;
        counts
    }

    /// Uploads of which a run took the last participant.
    pub fn uploads_left_empty(&self) -> Vec<u32> {
        let has_people = |number: u32| {
            let mut people = self.people.range((number, 0)..=(number, u32::MAX));
            people.next().is_some()
        };
        let uploads = self.uploads.iter();
        uploads
            .filter(|(number, upload)| {
                upload.seen.first_purged_at.is_some() && !has_people(**number)
            })
            .map(|(number, _)| *number)
            .collect()
    }

    /// What `verify` must say of the newest due period.
    pub fn verdict(&self, now: DateTime<Utc>) -> Verdict {
        let period = self.period(now, None);
        let run = self.runs.get(&period);
        let mut victims = Victims::default();
        let mut verdict = Verdict {
            state: run.map(|run| run.seen.state.to_owned()),
            empty_uploads: self.uploads_left_empty().len() as u64,
            ..Verdict::default()
        };
        let mut is_done = false;
        match (run, self.zone) {
            // Nothing is known then, not even the state.
            (Some(run), None) if run.seen.state == "completed" => return Verdict::default(),
            (Some(run), _) if run.seen.state == "completed" => {
                victims = self.victims(period, now);
                let is_late = |key: &&Key| {
                    self.people[*key].since > run.since || self.uploads[&key.0].since > run.since
                };
                let late = |keys: &BTreeSet<Key>| keys.iter().filter(is_late).count() as u64;
                let (anonymize, purge) = (late(&victims.anonymize), late(&victims.purge));
                verdict.late = anonymize + purge;
                verdict.overdue_anonymize = victims.anonymize.len() as u64 - anonymize;
                verdict.overdue_purge = victims.purge.len() as u64 - purge;
                is_done = true;
            }
            (Some(run), _) if run.seen.state == "no_policy" => {
                // P3: until somebody dates a policy back.
                let version = self.version_at(period.begins(self.reckoning()));
                is_done = version.is_none_or(|version| self.policies[version].is_empty());
            }
            _ => {}
        }
        verdict.people = self.parts(&victims, now);
        // Without a policy nobody ever goes, with a date or without.
        let undated = match verdict.state.as_deref() {
            Some("no_policy") => 0,
            _ => verdict.people.undated,
        };
        // U5: marked by the platform, and still to be invited.
        let is_queued = self.people.values().any(|person| {
            person.seen.unsubscribed_at.is_some()
                && person.seen.anonymized_at.is_none()
                && person
                    .seen
                    .invitations
                    .iter()
                    .any(|state| state.starts_with("queued"))
        });
        verdict.ok = is_done
            && !is_queued
            && verdict.overdue_anonymize + verdict.overdue_purge + verdict.empty_uploads == 0
            && undated == 0;
        verdict
    }

    /// E12: everybody by what becomes of them.
    fn parts(&self, victims: &Victims, now: DateTime<Utc>) -> Partition {
        let mut parts = Partition::default();
        for (key, person) in &self.people {
            parts.total += 1;
            *if is_undated(person.seen.added_at, now) {
                &mut parts.undated
            } else if victims.purge.contains(key) {
                &mut parts.to_delete
            } else if victims.anonymize.contains(key) {
                &mut parts.to_anonymize
            } else if person.seen.anonymized_at.is_some() {
                &mut parts.anonymized
            } else {
                &mut parts.kept
            } += 1;
        }
        parts
    }
}

/// E13: no real date, by the calendar alone.
fn is_undated(added_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    added_at.year() < 1990 || added_at > now + TimeDelta::days(1)
}

/// U11, U10: the hash of somebody who unsubscribed and is erased now.
fn note_hash(
    unsubscribed_at: Option<DateTime<Utc>>,
    email: &Option<String>,
    hashes: &mut BTreeMap<String, BTreeSet<String>>,
    counts: &mut Counts,
) {
    let (Some(unsubscribed_at), Some(email)) = (unsubscribed_at, email) else {
        return;
    };
    match normal(email) {
        Some(address) => {
            let months = hashes.entry(address).or_default();
            months.insert(month_text(unsubscribed_at));
        }
        None => counts.unhashable += 1,
    }
}

impl Policy {
    fn is_empty(&self) -> bool {
        self.anonymize.is_none() && self.retain.is_none()
    }

    fn cutoffs(&self, period: Month, zone: Tz) -> Cutoffs {
        let cutoff = |months: Option<i32>| months.map(|months| period.minus(months).begins(zone));
        Cutoffs {
            anonymize: cutoff(self.anonymize),
            purge: cutoff(self.retain),
        }
    }
}
