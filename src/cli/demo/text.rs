//! The demo's story on one screen.

use crate::cli::output::{Table, instant, table, table_text};
use crate::demo::Story;

use super::Scene;

/// How long things took.
#[derive(Clone, Copy)]
pub(super) struct Seconds {
    pub(super) seeding: f64,
    pub(super) whole: f64,
}

/// The whole text, at most 70 lines.
pub(super) fn render(story: &Story, scene: &Scene, seconds: Seconds, color: bool) -> String {
    let mut page = Page {
        text: String::new(),
        color,
    };
    let participants: u64 = story.tenants.iter().map(|tenant| tenant.participants).sum();
    page.heading(&format!(
        "retentiond demo: {participants} invented participants of {} tenants, run of {}",
        story.tenants.len(),
        story.period
    ));
    policy(&mut page, story);
    tenants(&mut page, story);
    tables(&mut page, story);
    people(&mut page, story);
    conversation(&mut page, story);
    scores(&mut page, story);
    proof(&mut page, story);
    page.line(&format!(
        "Took {:.1} s: {:.1} s to invent and store the people, {:.1} s for the run.",
        seconds.whole, seconds.seeding, story.run_seconds
    ));
    next(&mut page, story, scene);
    page.text
}

struct Page {
    text: String,
    color: bool,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// Bold on a terminal, with a line of air above it.
    fn heading(&mut self, heading: &str) {
        match (self.color, self.text.is_empty()) {
            (true, true) => self.line(&format!("\x1b[1m{heading}\x1b[0m")),
            (true, false) => self.line(&format!("\n\x1b[1m{heading}\x1b[0m")),
            (false, _) => self.line(heading),
        }
    }

    fn table(&mut self, table: &Table) {
        for line in table_text(table).lines() {
            self.line(&format!("  {line}"));
        }
    }
}

fn policy(page: &mut Page, story: &Story) {
    let policy = &story.policy;
    page.line(&format!(
        "Policy of `{}` ({}), from {}: anonymize after {}, delete after {}.",
        policy.tenant,
        policy.time_zone,
        instant(policy.effective_from),
        policy.anonymize_after,
        policy.retain
    ));
    page.line(&format!(
        "The run of {} was due at {}.",
        story.period,
        instant(policy.due)
    ));
    for (what, until, cutoff) in [
        (
            "Anonymized: everyone",
            policy.anonymize_until,
            policy.anonymize_cutoff,
        ),
        ("Deleted: everyone", policy.purge_until, policy.purge_cutoff),
    ] {
        if let (Some(until), Some(cutoff)) = (until, cutoff) {
            page.line(&format!(
                "  {what} added on or before {until} (before {}).",
                instant(cutoff)
            ));
        }
    }
}

fn tenants(page: &mut Page, story: &Story) {
    page.heading("What the run did");
    let mut rows = table(&[
        "tenant",
        "time zone",
        "anonymize",
        "delete",
        "people",
        "anonymized",
        "deleted",
        "hashes",
        "run",
    ]);
    for tenant in &story.tenants {
        rows.add_row([
            tenant.tenant.clone(),
            tenant.time_zone.clone(),
            tenant.anonymize_after.clone(),
            tenant.retain.clone(),
            tenant.participants.to_string(),
            tenant.anonymized.to_string(),
            tenant.deleted.to_string(),
            tenant.suppressions.to_string(),
            tenant.state.to_owned(),
        ]);
    }
    page.table(&rows);
}

fn tables(page: &mut Page, story: &Story) {
    page.heading("Rows of all tenants");
    let mut rows = table(&["table", "before", "after"]);
    for counted in &story.tables {
        rows.add_row([
            counted.table.to_owned(),
            counted.before.to_string(),
            counted.after.to_string(),
        ]);
    }
    page.table(&rows);
}

fn people(page: &mut Page, story: &Story) {
    page.heading(&format!(
        "People placed around the cutoffs of `{}`",
        story.policy.tenant
    ));
    let mut rows = table(&["who", "added", "expected", "happened", "because"]);
    for person in &story.people {
        rows.add_row([
            person.name.clone(),
            instant(person.added_at),
            person.expected.clone(),
            person.found.clone(),
            person.why.to_owned(),
        ]);
    }
    page.table(&rows);
}

fn conversation(page: &mut Page, story: &Story) {
    page.heading("A conversation with an anonymized participant");
    let (Some(before), Some(after)) = (&story.conversation_before, &story.conversation_after)
    else {
        page.line("  It is deleted.");
        return;
    };
    for (when, shown) in [("before", before), ("after", after)] {
        page.line(&format!(
            "  {when}: {}, {} of 5 personal fields stored; team {}, score {}, {} messages",
            shown.name,
            shown.personal_fields,
            shown.team,
            shown.score,
            shown.messages.len()
        ));
    }
    for message in &after.messages {
        let from = match message.direction.as_str() {
            "in" => after.name.as_str(),
            _ => story.policy.tenant.as_str(),
        };
        page.line(&format!(
            "  {} {from}: {}",
            instant(message.sent_at),
            message.body
        ));
    }
}

fn scores(page: &mut Page, story: &Story) {
    page.heading("Average score: anonymizing changes nothing, deleting removes whole people");
    let mut rows = table(&[
        "team",
        "before",
        "before, of people who stay",
        "after",
        "answers after",
    ]);
    let shown =
        |score: Option<f64>| score.map_or_else(|| "-".to_owned(), |score| format!("{score:.3}"));
    for score in &story.scores {
        rows.add_row([
            score.team.clone(),
            shown(score.before),
            shown(score.before_of_staying),
            shown(score.after),
            score.answers_after.to_string(),
        ]);
    }
    page.table(&rows);
}

fn proof(page: &mut Page, story: &Story) {
    page.heading(&format!(
        "Uploaded again to `{}`: {} unsubscribed, and is deleted",
        story.policy.tenant, story.returning_person
    ));
    for again in &story.uploaded_again {
        let verdict = match (again.recognised, again.invited) {
            (true, false) => "recognised: stored as unsubscribed, not invited",
            (false, true) => "not known: another person, invited",
            _ => "NOT AS IT SHOULD BE",
        };
        page.line(&format!("  \"{}\"  {verdict}", again.address));
    }
    page.heading("Verification");
    let example = story
        .verification
        .iter()
        .find(|tenant| tenant.tenant == story.policy.tenant);
    if let Some(example) = example {
        page.line(&format!(
            "  {}: {}: {} overdue, {} late, {} orphans, {} mismatches with the run's record",
            example.tenant,
            if example.ok { "ok" } else { "NOT OK" },
            example.overdue_anonymize + example.overdue_purge,
            example.late,
            example.orphans,
            example.record_mismatches
        ));
    }
    let ok = story.verification.iter().filter(|tenant| tenant.ok).count();
    page.line(&format!(
        "  all tenants: {ok} of {} ok. A second run of {} changed {} rows.",
        story.verification.len(),
        story.period,
        story.second_run_rows
    ));
    if !story.problems.is_empty() {
        // Each is a line on stderr; here they could fill more than the screen.
        let count = story.problems.len();
        page.line(&format!(
            "  {count} THINGS ARE NOT AS THEY SHOULD BE; see the errors."
        ));
    }
}

fn next(page: &mut Page, story: &Story, scene: &Scene) {
    let id = story
        .people
        .first()
        .map(|person| person.id)
        .unwrap_or_default();
    page.heading(&format!(
        "The database is yours to explore, in {}:",
        scene.directory.display()
    ));
    let command = format!(
        "{} --config {}",
        shell_word(&program()),
        shell_word(&scene.config_file.display().to_string())
    );
    for arguments in [
        "runs list".to_owned(),
        format!("policy history {}", story.policy.tenant),
        format!("participant show {id}"),
        format!("verify --period {}", story.period),
        "plan".to_owned(),
    ] {
        page.line(&format!("  {command} {arguments}"));
    }
}

/// This program as it was called, so that the commands can be pasted.
fn program() -> String {
    let called = std::env::args().next().unwrap_or_default();
    if called.contains('/') {
        called
    } else {
        "retentiond".to_owned()
    }
}

/// One word for a POSIX shell.
fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.,:+@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
