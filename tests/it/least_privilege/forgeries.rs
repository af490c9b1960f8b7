//! S14: what somebody writes who has the run-time role's own password, and who notices.
//!
//! Each forgery has a tenant of its own, in which somebody is due and somebody is young. The table of
//! docs/operating.md says the same as [`forgeries`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use entity::{participant, tenant_run};
use retentiond::clock::{Clock, SystemClock};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait, PaginatorTrait, QueryFilter,
};
use serde_json::Value;
use uuid::Uuid;

use super::people::{addressed, tenant_of};
use super::roles::Roles;
use crate::support::{Backend, Binary, Scratch, holds_within, scratch};

const LONG: Duration = Duration::from_secs(60);

/// Whose records are true.
const HONEST: &str = "honest";

/// What comes of a forged record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// Its month is done all the same.
    Done,
    /// Its run fails, and erases nobody.
    Fails,
    /// `verify` tells; the month is not done.
    Told,
}

/// A record that the role inserts: columns that differ from those of a true one.
struct Forgery {
    slug: &'static str,
    columns: &'static [(&'static str, &'static str)],
    class: &'static str,
    then: Then,
}

const NEVER: &str = "'1900-01-01 00:00:00'";
const LONG_AGO: &str = "'1970-01-01 00:00:01'";
const FAR: &str = "'2037-01-01 00:00:00'";

fn forgeries() -> Vec<Forgery> {
    let forgery = |slug, class, then, columns| Forgery {
        slug,
        columns,
        class,
        then,
    };
    vec![
        forgery(
            "future",
            "future_month",
            Then::Done,
            &[("period", "'2099-12'")],
        ),
        forgery(
            "future-lie",
            "future_month",
            Then::Done,
            &[("period", "'2099-12'"), ("due_at", LONG_AGO)],
        ),
        forgery(
            "bare",
            "policy_version",
            Then::Done,
            &[
                ("policy_version", "NULL"),
                ("anonymize_cutoff", "NULL"),
                ("purge_cutoff", "NULL"),
            ],
        ),
        forgery(
            "unknown-version",
            "policy_version",
            Then::Done,
            &[("policy_version", "999")],
        ),
        forgery(
            "no-cutoffs",
            "cutoffs",
            Then::Done,
            &[("anonymize_cutoff", "NULL"), ("purge_cutoff", "NULL")],
        ),
        forgery(
            "one-cutoff",
            "cutoffs",
            Then::Done,
            &[("purge_cutoff", "NULL")],
        ),
        forgery(
            "of-1900",
            "cutoffs",
            Then::Done,
            &[("anonymize_cutoff", NEVER)],
        ),
        forgery(
            "superseded",
            "superseded",
            Then::Done,
            &[("state", "'superseded'")],
        ),
        forgery(
            "pinned-1900",
            "cutoffs",
            Then::Fails,
            &[("state", "'pending'"), ("purge_cutoff", NEVER)],
        ),
        forgery(
            "pinned-late",
            "cutoffs",
            Then::Fails,
            &[
                ("state", "'failed'"),
                ("anonymize_cutoff", FAR),
                ("purge_cutoff", FAR),
            ],
        ),
        forgery(
            "pinned-running",
            "cutoffs",
            Then::Fails,
            &[("state", "'running'"), ("purge_cutoff", "NULL")],
        ),
        forgery(
            "pinned-unknown",
            "policy_version",
            Then::Fails,
            &[("state", "'pending'"), ("policy_version", "999")],
        ),
        forgery("of-1970", "times", Then::Told, &[("started_at", LONG_AGO)]),
        forgery(
            "of-2037",
            "times",
            Then::Told,
            &[("started_at", FAR), ("finished_at", FAR)],
        ),
        forgery(
            "backwards",
            "times",
            Then::Told,
            &[("finished_at", LONG_AGO)],
        ),
        forgery("never-begun", "times", Then::Told, &[("attempts", "0")]),
        forgery("due-never", "due_at", Then::Told, &[("due_at", FAR)]),
        forgery("counts", "batches", Then::Told, &[("purged", "7")]),
    ]
}

struct Attacked {
    database: Scratch,
    roles: Roles,
    as_owner: DatabaseConnection,
    as_service: DatabaseConnection,
    binary: Binary,
    old: DateTime<Utc>,
    young: DateTime<Utc>,
    honest: tenant_run::Model,
}

impl Attacked {
    /// A service whose one tenant's newest month is done.
    async fn new(backend: Backend) -> Self {
        let database = scratch(backend).await;
        let roles = Roles::make(&database).await;
        let as_owner = roles.owner.connect(&database).await;
        roles.grant(&database, &as_owner).await;
        if backend == Backend::MariaDb {
            roles.keep_completed(&database).await;
        }
        let now = SystemClock.now();
        let (old, young) = (now - TimeDelta::days(800), now - TimeDelta::days(1));
        let honest = tenant_of(&as_owner, HONEST).await;
        for (number, added_at) in [old, now - TimeDelta::days(200), young]
            .into_iter()
            .enumerate()
        {
            addressed(
                &as_owner,
                honest,
                added_at,
                &format!("{number}@example.org"),
            )
            .await;
        }
        let binary = super::binary_of(&roles.service.url(&database));
        let as_service = roles.service.connect(&database).await;
        let binary = tokio::task::spawn_blocking(move || {
            binary.run(&["run"]).expect_code(0);
            binary.run(&["verify"]).expect_code(0);
            binary
        });
        let binary = binary.await.expect("a run");
        let honest = tenant_run::Entity::find().one(&as_owner).await;
        let honest = honest.expect("a query").expect("a record");
        assert_eq!(honest.suppressions, 2, "{honest:?}");
        Self {
            database,
            roles,
            as_owner,
            as_service,
            binary,
            old,
            young,
            honest,
        }
    }

    /// As the role.
    async fn write(&self, sql: &str) {
        let done = self.as_service.execute_unprepared(sql).await;
        done.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// As the role, and refused.
    async fn refused(&self, sql: &str) {
        let Err(error) = self.as_service.execute_unprepared(sql).await else {
            panic!("the role may, but must not: {sql}");
        };
        let error = error.to_string();
        assert!(
            error.contains("does not change") || error.contains("denied"),
            "{sql}: {error}"
        );
    }

    async fn forge(&self, forgery: &Forgery) {
        let tenant = tenant_of(&self.as_owner, forgery.slug).await;
        for added_at in [self.old, self.young] {
            addressed(&self.as_owner, tenant, added_at, "ann@example.org").await;
        }
        let columns = [
            "period",
            "state",
            "due_at",
            "policy_version",
            "anonymize_cutoff",
            "purge_cutoff",
            "attempts",
            "started_at",
            "finished_at",
            "purged",
        ];
        let values = columns.map(|column| {
            let forged = forgery.columns.iter().find(|(name, _)| *name == column);
            let is_time = column.ends_with("_at") || column.ends_with("_cutoff");
            match forged {
                Some((_, value)) if is_time && self.is_postgres() => {
                    format!("CAST({value} AS timestamptz)")
                }
                Some((_, "NULL")) if self.is_postgres() => "CAST(NULL AS integer)".to_owned(),
                Some((_, value)) => (*value).to_owned(),
                None if column == "purged" => "0".to_owned(),
                None => column.to_owned(),
            }
        });
        let id = self.literal(Uuid::now_v7());
        let value = |column: &str| {
            let mut named = columns.iter().zip(&values);
            let (_, value) = named.find(|(name, _)| **name == column).expect("a column");
            value.replace(column, &format!("honest.{column}"))
        };
        let honest = format!(
            "tenant_run AS honest WHERE honest.tenant_id = {}",
            self.honest.tenant_id
        );
        self.write(&format!(
            "INSERT INTO tenant_run (tenant_id, id, period, state, due_at) \
             SELECT {tenant}, {id}, {}, 'pending', {} FROM {honest}",
            value("period"),
            value("due_at")
        ))
        .await;
        let set = columns
            .into_iter()
            .filter(|column| !["period", "due_at"].contains(column));
        let set: Vec<String> = if self.is_postgres() {
            set.map(|column| format!("{column} = (SELECT {} FROM {honest})", value(column)))
                .collect()
        } else {
            // MariaDB does not read the table that it writes, but for one of its own.
            set.map(|column| {
                let value = value(column);
                format!("{column} = (SELECT v FROM (SELECT {value} AS v FROM {honest}) AS t)")
            })
            .collect()
        };
        self.write(&format!(
            "UPDATE tenant_run SET {} WHERE id = {id}",
            set.join(", ")
        ))
        .await;
    }

    fn is_postgres(&self) -> bool {
        self.database.backend() == Backend::Postgres
    }

    fn literal(&self, id: Uuid) -> String {
        match self.database.backend() {
            Backend::Postgres => format!("'{id}'"),
            _ => format!("X'{}'", id.simple()),
        }
    }

    async fn command(&self, arguments: &'static [&'static str]) -> String {
        let binary = self.binary.beside();
        let done = tokio::task::spawn_blocking(move || binary.run(arguments).stdout);
        done.await.expect("a command")
    }

    /// What `verify` says, by tenant.
    async fn verified(&self) -> BTreeMap<String, Value> {
        let text = self.command(&["verify", "--output", "json"]).await;
        let document: Value = serde_json::from_str(&text).expect("JSON");
        let tenants = document["tenants"].as_array().expect("a list").iter();
        tenants
            .map(|tenant| {
                let slug = tenant["tenant"].as_str().expect("a slug").to_owned();
                (slug, tenant.clone())
            })
            .collect()
    }

    async fn run_of(&self, slug: &str) -> tenant_run::Model {
        let tenant = super::people::id_of(&self.as_owner, slug).await;
        tenant_run::Entity::find()
            .filter(tenant_run::Column::TenantId.eq(tenant))
            .filter(tenant_run::Column::Period.eq(&self.honest.period))
            .one(&self.as_owner)
            .await
            .expect("a query")
            .unwrap_or_else(|| panic!("{slug} has no record"))
    }

    /// When those were added who are still there.
    async fn left(&self, slug: &str) -> u64 {
        let tenant = super::people::id_of(&self.as_owner, slug).await;
        participant::Entity::find()
            .filter(participant::Column::TenantId.eq(tenant))
            .count(&self.as_owner)
            .await
            .expect("a count")
    }

    async fn remove(self) {
        self.as_service.close().await.expect("a connection closes");
        self.as_owner.close().await.expect("a connection closes");
        self.roles.remove(&self.database).await;
    }
}

fn classes(found: &Value) -> BTreeSet<&str> {
    let faults = found["record_faults"].as_array().expect("a list").iter();
    faults
        .map(|fault| fault["class"].as_str().expect("a class"))
        .collect()
}

/// Whether the younger one is there, and the older one is not.
async fn assert_after(attacked: &Attacked, forgery: &Forgery) {
    let run = attacked.run_of(forgery.slug).await;
    let left = attacked.left(forgery.slug).await;
    match forgery.then {
        Then::Done => {
            assert_eq!((run.state.as_str(), left), ("completed", 1), "{run:?}");
            let cutoffs = |run: &tenant_run::Model| (run.anonymize_cutoff, run.purge_cutoff);
            assert_eq!(cutoffs(&run), cutoffs(&attacked.honest), "{}", forgery.slug);
            assert_eq!(run.policy_version, Some(1), "{}", forgery.slug);
        }
        Then::Fails => {
            assert_eq!((run.state.as_str(), left), ("failed", 2), "{run:?}");
            assert_eq!(
                run.failure_class.as_deref(),
                Some("pinned_cutoffs"),
                "{run:?}"
            );
        }
        Then::Told => {
            assert_eq!((run.state.as_str(), left), ("completed", 2), "{run:?}");
        }
    }
}

async fn forged_records_are_noticed(backend: Backend) {
    let attacked = Attacked::new(backend).await;
    let forgeries = forgeries();
    for forgery in &forgeries {
        attacked.forge(forgery).await;
    }
    // `verify` tells.
    let found = attacked.verified().await;
    for forgery in &forgeries {
        let found = &found[forgery.slug];
        assert_eq!(found["ok"], false, "{found}");
        assert_eq!(classes(found), BTreeSet::from([forgery.class]), "{found}");
        if forgery.then == Then::Told {
            assert_eq!(found["overdue_purge"], 1, "nobody is late: {found}");
            assert_eq!(found["late"], 0, "{found}");
        }
    }
    assert_eq!(found[HONEST]["ok"], true, "{}", found[HONEST]);

    // The daemon counts what it sees, and does what is owed.
    let serving = attacked.binary.serve();
    let settled = holds_within(LONG, async || {
        let count = |state| serving.metric(&format!("retention_tenant_runs{{state=\"{state}\"}}"));
        let failed = forgeries
            .iter()
            .filter(|forgery| forgery.then == Then::Fails);
        let failed = failed.count();
        count("failed") == Some(failed as f64)
            && count("completed") == Some((forgeries.len() + 1 - failed) as f64)
    });
    assert!(settled.await, "{}", serving.log());
    for forgery in &forgeries {
        assert_after(&attacked, forgery).await;
    }
    let faults = |fault: &str| {
        let series = format!("retention_record_faults{{fault=\"{fault}\"}}");
        serving.metric(&series).expect("a series")
    };
    // What was done anew, or set aside by the tenant's next run, is a fault no more.
    assert_eq!((faults("times"), faults("due_at")), (4.0, 1.0));
    assert_eq!((faults("cutoffs"), faults("policy_version")), (3.0, 1.0));
    assert_eq!(faults("future_month"), 0.0);
    assert!(
        serving.events("record_faults_found") > 0,
        "{}",
        serving.log()
    );
    let anew = forgeries.iter().filter(|forgery| {
        forgery.then == Then::Done && ["policy_version", "cutoffs"].contains(&forgery.class)
    });
    assert_eq!(
        serving.events("record_not_believed"),
        anew.count(),
        "{}",
        serving.log()
    );
    let refused = serving.metric("retention_errors_total{class=\"pinned_cutoffs\"}");
    assert!(refused >= Some(9.0), "{refused:?}");
    serving.terminate(LONG).await;

    // What was done, `run` leaves alone.
    let again = attacked.command(&["run"]).await;
    assert!(!again.is_empty());
    for forgery in &forgeries {
        assert_after(&attacked, forgery).await;
    }
    attacked.remove().await;
}

async fn forged_people_are_noticed(backend: Backend) {
    let attacked = Attacked::new(backend).await;
    let honest = attacked.honest.tenant_id;
    let sentences = async || {
        let found = attacked.verified().await;
        found[HONEST]["findings"].to_string()
    };
    let person = "SELECT id FROM participant WHERE anonymized_at IS NULL";
    attacked
        .write(&format!(
            "UPDATE invitation SET state = 'queued' WHERE participant_id IN ({person})"
        ))
        .await;
    let found = attacked.verified().await;
    assert_eq!(found[HONEST]["queued_for_unsubscribed"], 1, "{found:?}");
    let serving = attacked.binary.serve();
    let shown = holds_within(LONG, async || {
        serving.metric("retention_queued_for_unsubscribed_invitations") == Some(1.0)
    });
    assert!(shown.await, "{}", serving.log());
    serving.terminate(LONG).await;
    attacked
        .write("UPDATE invitation SET state = 'expired'")
        .await;
    assert_eq!(sentences().await, "[]");

    // A batch that was none.
    let run = attacked.literal(attacked.honest.id);
    for (purged, said) in [("5", true), ("-5", false)] {
        attacked
            .write(&format!(
                "INSERT INTO run_batch (tenant_id, run_id, id, stage, written_at, purged) VALUES \
                 ({honest}, {run}, {}, 'purge', CURRENT_TIMESTAMP, {purged})",
                attacked.literal(Uuid::now_v7())
            ))
            .await;
        let found = attacked.verified().await;
        assert_eq!(
            classes(&found[HONEST]).contains("batches"),
            said,
            "{found:?}"
        );
        assert_eq!(
            found[HONEST]["record_mismatches"],
            u64::from(said),
            "{found:?}"
        );
    }

    // Hashes that nobody can find again, and then none.
    attacked
        .write(
            "INSERT INTO suppression (tenant_id, key_id, norm_version, email_hmac, suppressed_month) \
             SELECT tenant_id, key_id, 9, email_hmac, suppressed_month FROM suppression",
        )
        .await;
    attacked
        .write("DELETE FROM suppression WHERE norm_version <> 9")
        .await;
    let found = attacked.verified().await;
    assert_eq!(found[HONEST]["unusable_suppressions"], 2, "{found:?}");
    attacked.write("DELETE FROM suppression").await;
    let said = sentences().await;
    assert!(
        said.contains("2 new hashes") && said.contains("none is stored"),
        "{said}"
    );
    attacked.remove().await;
}

/// S15: no way out of `completed`, and no way to rewrite it.
async fn completed_stays(backend: Backend) {
    let attacked = Attacked::new(backend).await;
    for change in [
        "state = 'pending'",
        "state = 'running'",
        "state = 'failed'",
        "state = 'superseded'",
        "state = 'no_policy'",
        "policy_version = NULL",
        "policy_version = 999, state = 'pending'",
        "anonymize_cutoff = NULL",
        "purge_cutoff = NULL, state = 'pending'",
        "due_at = '2037-01-01 00:00:00'",
        "started_at = '1970-01-01 00:00:01'",
        "finished_at = '1970-01-01 00:00:01'",
        "purged = purged + 1",
        "suppressions = 0",
        "attempts = 0",
        "period = '2099-12'",
        "tzdata_release = 'none'",
    ] {
        attacked
            .refused(&format!("UPDATE tenant_run SET {change}"))
            .await;
    }
    // What the service itself changes.
    attacked
        .write("UPDATE tenant_run SET orphans = 0, reclaimed_at = CURRENT_TIMESTAMP")
        .await;
    let after = tenant_run::Entity::find().one(&attacked.as_owner).await;
    let after = after.expect("a query").expect("a record");
    let expected = tenant_run::Model {
        orphans: Some(0),
        reclaimed_at: after.reclaimed_at,
        ..attacked.honest.clone()
    };
    assert_eq!(after, expected);
    // A guess that is planted now is answered by no second run of the month.
    addressed(
        &attacked.as_owner,
        after.tenant_id,
        attacked.old,
        "0@example.org",
    )
    .await;
    attacked.command(&["run"]).await;
    assert_eq!(attacked.left(HONEST).await, 3, "neither erased nor hashed");
    // Batches do not tell in which of them a new hash came.
    let telling = "run_batch WHERE suppressions <> 0";
    assert_eq!(super::count(&attacked.as_owner, telling).await, 0);
    attacked.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s14_forged_records_are_noticed_on_postgres() {
    forged_records_are_noticed(Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s14_forged_records_are_noticed_on_mariadb() {
    forged_records_are_noticed(Backend::MariaDb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s14_forged_people_are_noticed_on_postgres() {
    forged_people_are_noticed(Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s14_forged_people_are_noticed_on_mariadb() {
    forged_people_are_noticed(Backend::MariaDb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s15_completed_stays_on_postgres() {
    completed_stays(Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s15_completed_stays_on_mariadb() {
    completed_stays(Backend::MariaDb).await;
}
