//! The demo: seeds a scratch database with invented people, lets the real engine do the run of
//! 2024-04, and compares what happened with what the specification says.
//!
//! What must happen is reckoned from the rows as they are made and from the cutoffs alone, never
//! from the engine's own counts: a demo that believed the engine would show nothing.

use std::path::Path;
use std::time::Instant;

use thiserror::Error;

use crate::domain::cutoff::until_inclusive;
use crate::domain::period::{Months, Period, due_instant};
use crate::domain::zone::ZoneError;
use crate::engine::due::{Scope, UnknownTenants};
use crate::engine::report::{Outcome, PassEntry};
use crate::engine::{Engine, EngineError, pass, reclaim, verify};
use crate::intake::IntakeError;
use crate::store::StoreError;

mod names;
mod observe;
mod people;
mod population;
mod recognise;
mod rows;
mod seed;
mod seeded;
mod story;

pub use observe::{Conversation, Message};
pub use seed::seed;
pub use seeded::Seeded;
pub use story::{
    PersonFacts, PolicyFacts, ScoreFacts, Story, TableFacts, TenantFacts, UploadedAgain,
};

use observe::{Seen, TeamScore};
use people::{NEWCOMER_EMAIL, PEOPLE, RETURNING, RETURNING_EMAIL, SHOWN};

/// Why the demo could not be played to its end.
#[derive(Debug, Error)]
pub enum DemoError {
    /// The engine's.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The database's.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The upload's.
    #[error(transparent)]
    Intake(#[from] IntakeError),
    /// A zone of its tenants cannot be had.
    #[error(transparent)]
    Zone(#[from] ZoneError),
    /// A tenant that was just made is not there.
    #[error(transparent)]
    Tenants(#[from] UnknownTenants),
}

/// The period of the specification's example.
fn period() -> Period {
    Period::new(2024, 4).expect("a month of the calendar")
}

/// Runs the period on what [`seed`] made, looks at it before and after, uploads an address again
/// (from a file that it writes into `directory`), and verifies everything.
///
/// # Errors
///
/// What keeps the demo from going on. What went on, but wrongly, is in [`Story::problems`].
pub async fn play(
    engine: &Engine,
    tenants: &[Seeded],
    directory: &Path,
) -> Result<Story, DemoError> {
    let [example, ..] = tenants else {
        return Err(UnknownTenants(vec![seed::EXAMPLE.to_owned()]).into());
    };
    let scope = Scope {
        tenants: Vec::new(),
        period: Some(period()),
    };
    let shown = example.people.get(SHOWN).copied().unwrap_or_default();

    let counts_before = observe::counts(engine).await?;
    let scores_before = observe::scores(engine, tenants).await?;
    let conversation_before = observe::conversation(engine, example.tenant, shown).await?;

    let started = Instant::now();
    let entries = pass::run(engine, &scope).await??;
    reclaim::clean_up(engine).await?;
    let run_seconds = started.elapsed().as_secs_f64();

    let counts_after = observe::counts(engine).await?;
    let scores_after = observe::scores(engine, tenants).await?;
    let conversation_after = observe::conversation(engine, example.tenant, shown).await?;
    let seen = observe::people(engine, example).await?;
    let again = pass::run(engine, &scope).await??;
    let uploaded_again = upload_again(engine, example, directory).await?;
    let verification = verify::verify(engine, &scope).await??;

    let mut story = Story {
        period: period(),
        policy: policy_facts(engine, example),
        tenants: tenant_facts(tenants, &entries),
        tables: counts_before
            .iter()
            .zip(&counts_after)
            .map(|((table, before), (_, after))| TableFacts {
                table,
                before: *before,
                after: *after,
            })
            .collect(),
        people: person_facts(example, &seen),
        conversation_before,
        conversation_after,
        scores: Vec::new(),
        returning_person: PEOPLE[RETURNING].name(),
        uploaded_again,
        verification,
        second_run_rows: again.iter().map(rows_changed).sum(),
        run_seconds,
        problems: Vec::new(),
    };
    for team in scores_before.keys() {
        let after = scores_after.get(team).copied().unwrap_or_default();
        let before = scores_before.get(team).copied().unwrap_or_default();
        story.add_score(team, before, after);
    }
    let total = |teams: std::collections::BTreeMap<String, TeamScore>| {
        teams
            .into_values()
            .reduce(TeamScore::and)
            .unwrap_or_default()
    };
    story.add_score("all", total(scores_before), total(scores_after));
    story.look_for_problems(tenants, &entries);
    Ok(story)
}

async fn upload_again(
    engine: &Engine,
    example: &Seeded,
    directory: &Path,
) -> Result<Vec<UploadedAgain>, DemoError> {
    let addresses = [(RETURNING_EMAIL, true), (NEWCOMER_EMAIL, false)];
    let texts = addresses.map(|(address, _)| address);
    let received = recognise::upload(engine, example, &texts, directory).await?;
    let mut received = received.into_iter();
    Ok(addresses
        .into_iter()
        .map(|(address, must_be_recognised)| {
            let received = received.next();
            UploadedAgain {
                address: address.escape_debug().to_string(),
                must_be_recognised,
                recognised: received.is_some_and(|row| row.unsubscribed),
                invited: received.is_some_and(|row| row.invited),
            }
        })
        .collect())
}

fn policy_facts(engine: &Engine, example: &Seeded) -> PolicyFacts {
    let until = |cutoff| until_inclusive(cutoff, &example.zone);
    PolicyFacts {
        tenant: example.slug.to_owned(),
        time_zone: example.zone.to_string(),
        effective_from: example.effective_from,
        anonymize_after: months(example.terms.anonymize_after),
        retain: months(example.terms.retain),
        due: due_instant(period(), &example.zone, engine.schedule_hour),
        anonymize_cutoff: example.cutoffs.anonymize,
        anonymize_until: example.cutoffs.anonymize.map(until),
        purge_cutoff: example.cutoffs.purge,
        purge_until: example.cutoffs.purge.map(until),
    }
}

/// In words.
fn months(months: Option<Months>) -> String {
    match months.map(Months::get) {
        None => "never".to_owned(),
        Some(1) => "1 month".to_owned(),
        Some(12) => "1 year".to_owned(),
        Some(count) if count % 12 == 0 => format!("{} years", count / 12),
        Some(count) => format!("{count} months"),
    }
}

fn entry_of<'a>(tenant: &Seeded, entries: &'a [PassEntry]) -> Option<&'a PassEntry> {
    entries
        .iter()
        .find(|entry| entry.report.tenant == tenant.slug)
}

fn tenant_facts(tenants: &[Seeded], entries: &[PassEntry]) -> Vec<TenantFacts> {
    let facts = tenants.iter().map(|tenant| {
        let report = entry_of(tenant, entries).map(|entry| &entry.report);
        TenantFacts {
            tenant: tenant.slug.to_owned(),
            time_zone: tenant.zone.to_string(),
            anonymize_after: months(tenant.terms.anonymize_after),
            retain: months(tenant.terms.retain),
            participants: tenant.participants,
            anonymized: report.map_or(0, |report| report.anonymized),
            deleted: report.map_or(0, |report| report.purged),
            suppressions: report.map_or(0, |report| report.suppressions),
            unhashable: report.map_or(0, |report| report.unhashable),
            state: report.map_or("", |report| report.state.name()),
        }
    });
    facts.collect()
}

fn person_facts(example: &Seeded, seen: &[Seen]) -> Vec<PersonFacts> {
    let people = PEOPLE.iter().zip(&example.people).zip(seen);
    people
        .map(|((person, id), seen)| {
            let expected = Seen::expected(person);
            let mut found = seen.in_words(person);
            if *seen != expected && found == expected.in_words(person) {
                found.push_str(", invitation changed");
            }
            PersonFacts {
                id: *id,
                name: person.name(),
                added_at: seed::instant(person.added_at),
                why: person.why,
                expected: expected.in_words(person),
                found,
            }
        })
        .collect()
}

fn rows_changed(entry: &PassEntry) -> u64 {
    let report = &entry.report;
    report.anonymized
        + report.suppressions
        + report.invitations_expired
        + report.rows_purged.values().sum::<u64>()
}

impl Story {
    /// Anonymization changes no score, and deletion only takes whole people out: what is left must
    /// be, to the point, what those who stay had before.
    fn add_score(&mut self, team: &str, before: TeamScore, after: TeamScore) {
        if after.all != before.staying {
            self.problems.push(format!(
                "the scores of {team} differ from those of the people who stay"
            ));
        }
        self.scores.push(ScoreFacts {
            team: team.to_owned(),
            before: before.all.average(),
            before_of_staying: before.staying.average(),
            after: after.all.average(),
            answers_after: after.all.answers,
        });
    }

    fn look_for_problems(&mut self, tenants: &[Seeded], entries: &[PassEntry]) {
        let mut problems = Vec::new();
        for tenant in tenants {
            let slug = tenant.slug;
            let Some(entry) = entry_of(tenant, entries) else {
                problems.push(format!("{slug}: there was no run"));
                continue;
            };
            match (&entry.outcome, tenant.terms.is_empty()) {
                (Outcome::Done, false) | (Outcome::NoPolicy, true) => {}
                (Outcome::Failed { message, .. } | Outcome::Refused { message }, _) => {
                    problems.push(format!("{slug}: {message}"));
                }
                _ => problems.push(format!("{slug}: the run is {}", entry.report.state.name())),
            }
            let report = &entry.report;
            for (what, expected, done) in [
                ("anonymized", tenant.to_anonymize, report.anonymized),
                ("deleted", tenant.to_delete, report.purged),
                ("hashes", tenant.to_hash, report.suppressions),
                ("unhashable", tenant.unhashable, report.unhashable),
            ] {
                if expected != done {
                    problems.push(format!("{slug}: {done} {what} instead of {expected}"));
                }
            }
        }
        for person in &self.people {
            if person.expected != person.found {
                problems.push(format!(
                    "{}: {} instead of {}",
                    person.name, person.found, person.expected
                ));
            }
        }
        let messages = |conversation: &Option<Conversation>| {
            conversation
                .as_ref()
                .map(|shown| (shown.messages.clone(), shown.team.clone(), shown.score))
        };
        if messages(&self.conversation_before) != messages(&self.conversation_after) {
            problems.push("the conversation changed".to_owned());
        }
        for again in &self.uploaded_again {
            let must = again.must_be_recognised;
            if (again.recognised, again.invited) != (must, !must) {
                problems.push(format!(
                    "{}: recognised: {}, invited: {}",
                    again.address, again.recognised, again.invited
                ));
            }
        }
        for tenant in self.verification.iter().filter(|tenant| !tenant.ok) {
            problems.push(format!("{}: {}", tenant.tenant, tenant.findings.join("; ")));
        }
        if self.second_run_rows > 0 {
            problems.push(format!(
                "a second run changed {} rows",
                self.second_run_rows
            ));
        }
        self.problems.extend(problems);
    }
}
