//! The optional guard of PostgreSQL: statements without their predicate, and records that lie.
//!
//! Each attack is a statement of the run-time role itself, with the grants that the service has. It
//! is made in a transaction that is rolled back, so all of them meet the same six people: of each of
//! two tenants, one to delete, one to anonymize and one to leave alone.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, FromQueryResult, Statement,
    TransactionTrait,
};

use super::people::seed_as;
use super::roles::{Roles, execute};
use crate::support::{Backend, scratch};

const ERASE: &str = "first_name = NULL, last_name = NULL, email = NULL, phone = NULL, \
                     customer_id = NULL, anonymized_at = CURRENT_TIMESTAMP";

const OLD: &str = "2023-01-15";
const MIDDLE: &str = "2024-01-15";
const YOUNG: &str = "2024-03-15";

/// Whom a statement touched: tenant, and the day they were added.
#[derive(Debug, PartialEq)]
enum Outcome {
    Denied,
    Touched(BTreeSet<(String, String)>),
}

use Outcome::Denied;

fn touched(people: &[(&str, &str)]) -> Outcome {
    let own = |(tenant, day): &(&str, &str)| ((*tenant).to_owned(), (*day).to_owned());
    Outcome::Touched(people.iter().map(own).collect())
}

#[derive(FromQueryResult)]
struct Stored {
    slug: String,
    day: String,
    content: String,
}

type People = BTreeMap<(String, String), String>;

async fn people(connection: &DatabaseTransaction) -> People {
    let sql = "SELECT tenant.slug, to_char(added_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, \
               participant.*::text AS content \
               FROM public.participant JOIN public.tenant ON tenant.id = participant.tenant_id";
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    Stored::find_by_statement(statement)
        .all(connection)
        .await
        .expect("the people can be read")
        .into_iter()
        .map(|row| ((row.slug, row.day), row.content))
        .collect()
}

/// What `statements`, of which the last one attacks, would have done.
async fn attack(as_service: &DatabaseConnection, statements: &[String]) -> Outcome {
    let (attack, preparations) = statements.split_last().expect("an attack");
    let transaction = as_service.begin().await.expect("begin");
    for statement in preparations {
        let done = transaction.execute_unprepared(statement).await;
        done.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
    let before = people(&transaction).await;
    assert_eq!(before.len(), 6);
    let outcome = match transaction.execute_unprepared(attack).await {
        Ok(_) => {
            let after = people(&transaction).await;
            let changed = |key: &&(String, String)| before.get(*key) != after.get(*key);
            Outcome::Touched(before.keys().filter(changed).cloned().collect())
        }
        Err(error) => {
            let error = error.to_string();
            assert!(error.contains("permission denied"), "{attack}: {error}");
            assert!(!error.contains("example.org"), "{attack}: {error}");
            Denied
        }
    };
    transaction.rollback().await.expect("rollback");
    outcome
}

/// A run as `claim` records it, or as somebody would who wants it to look so.
fn run(tenant: &str, period: &str, state: &str, anonymize: &str, purge: &str) -> String {
    let of_tenant = format!("tenant_id = (SELECT id FROM public.tenant WHERE slug = '{tenant}')");
    format!(
        "INSERT INTO public.tenant_run (tenant_id, id, period, state, due_at) \
         SELECT id, gen_random_uuid(), '{period}', 'pending', '2024-03-31T22:00:00Z' \
         FROM public.tenant WHERE slug = '{tenant}'; \
         UPDATE public.tenant_run SET state = '{state}', policy_version = 1, \
         anonymize_cutoff = {anonymize}, purge_cutoff = {purge} \
         WHERE period = '{period}' AND {of_tenant}"
    )
}

/// The run of 2024-04, with its true cutoffs.
fn true_run(tenant: &str, state: &str) -> String {
    let (anonymize, purge) = ("'2024-02-29T23:00:00Z'", "'2023-03-31T22:00:00Z'");
    run(tenant, "2024-04", state, anonymize, purge)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_without_its_predicate_reaches_nobody_too_early_under_the_guard() {
    let database = scratch(Backend::Postgres).await;
    let roles = Roles::make(&database).await;
    let as_owner = roles.owner.connect(&database).await;
    roles.grant(&database, &as_owner).await;
    let acme = seed_as(&as_owner, "acme").await;
    seed_as(&as_owner, "other").await;
    let as_service = roles.service.connect(&database).await;

    let delete = "DELETE FROM public.participant".to_owned();
    let empty = "UPDATE public.participant SET email = NULL".to_owned();
    let erase = format!("UPDATE public.participant SET {ERASE}");
    let everybody = touched(&[
        ("acme", OLD),
        ("acme", MIDDLE),
        ("acme", YOUNG),
        ("other", OLD),
        ("other", MIDDLE),
        ("other", YOUNG),
    ]);

    // Without the guard the grants alone stop none of these: the attacks are real.
    for statement in [&delete, &empty, &erase] {
        let outcome = attack(&as_service, std::slice::from_ref(statement)).await;
        assert_eq!(outcome, everybody, "{statement}");
    }
    roles.guard(&as_owner).await;

    let nobody = || touched(&[]);
    let due = || touched(&[("acme", OLD)]);
    let running = true_run("acme", "running");
    let shown = "'2090-01-01T00:00:00Z'";
    let of = |tenant: &str| {
        format!("tenant_id = (SELECT id FROM public.tenant WHERE slug = '{tenant}')")
    };
    let lie =
        format!("UPDATE public.tenant_run SET anonymize_cutoff = {shown}, purge_cutoff = {shown}");
    let attacks = [
        // No run is under way.
        (vec![], &delete, nobody()),
        (vec![], &empty, Denied),
        (vec![], &erase, Denied),
        (vec![true_run("acme", "pending")], &delete, nobody()),
        (vec![true_run("acme", "completed")], &delete, nobody()),
        (vec![true_run("acme", "completed")], &erase, Denied),
        // One is, and the predicate is missing, or wrong.
        (vec![running.clone()], &delete, due()),
        (vec![running.clone()], &empty, Denied),
        (vec![running.clone()], &erase, Denied),
        (
            vec![running.clone()],
            &format!("{delete} WHERE {}", of("other")),
            nobody(),
        ),
        (
            vec![running.clone()],
            &format!("{erase} WHERE {}", of("other")),
            Denied,
        ),
        (
            vec![running.clone()],
            &format!("{delete} WHERE {} AND added_at < {shown}", of("acme")),
            due(),
        ),
        (
            vec![running.clone()],
            &format!("{erase} WHERE {} AND added_at < {shown}", of("acme")),
            Denied,
        ),
        // Not the fields, but the mark alone.
        (
            vec![running.clone()],
            &"UPDATE public.participant SET first_name = 'x', anonymized_at = NULL".to_owned(),
            Denied,
        ),
        // One is, and the predicate is right: nothing stands in the way.
        (
            vec![running.clone()],
            &format!(
                "{erase} WHERE {} AND added_at < '2024-02-29T23:00:00Z'",
                of("acme")
            ),
            touched(&[("acme", OLD), ("acme", MIDDLE)]),
        ),
        // One is, and its record lies about the cutoffs, or about its month.
        (vec![running.clone(), lie.clone()], &delete, due()),
        (
            vec![running.clone(), lie.clone()],
            &format!("{erase} WHERE {}", of("acme")),
            Denied,
        ),
        (
            vec![run("acme", "2090-01", "running", shown, shown)],
            &delete,
            nobody(),
        ),
        (
            vec![run("acme", "2090-01", "running", shown, shown)],
            &erase,
            Denied,
        ),
        // A table of the attacker's own does not stand in for the real one.
        (
            vec![format!(
                "CREATE TEMPORARY TABLE tenant_run AS SELECT id AS tenant_id, \
                 '2024-04'::text AS period, 'running'::text AS state, 1 AS policy_version, \
                 {shown}::timestamptz AS anonymize_cutoff, {shown}::timestamptz AS purge_cutoff \
                 FROM public.tenant"
            )],
            &format!(
                "{erase} WHERE {} AND added_at < '2024-02-29T23:00:00Z'",
                of("acme")
            ),
            Denied,
        ),
        // Who unsubscribes is marked, however young.
        (
            vec![],
            &"UPDATE public.participant SET unsubscribed_at = CURRENT_TIMESTAMP".to_owned(),
            everybody,
        ),
    ];
    for (mut statements, attacker, expected) in attacks {
        statements.push(attacker.clone());
        let outcome = attack(&as_service, &statements).await;
        assert_eq!(outcome, expected, "{statements:#?}");
    }

    // Whoever may create in a schema of the search path has operators of their own.
    execute(
        &as_owner,
        &["GRANT CREATE ON SCHEMA public TO PUBLIC".to_owned()],
    )
    .await;
    let own_operator = [
        true_run("acme", "running"),
        "CREATE FUNCTION public.always(timestamptz, timestamptz) RETURNS boolean \
         LANGUAGE sql IMMUTABLE AS 'SELECT true'"
            .to_owned(),
        "CREATE OPERATOR public.< (LEFTARG = timestamptz, RIGHTARG = timestamptz, \
         FUNCTION = public.always)"
            .to_owned(),
        "SET LOCAL search_path = public, pg_catalog".to_owned(),
    ];
    let empty_acme = format!("{empty} WHERE {}", of("acme"));
    let erase_acme = format!("{erase} WHERE {}", of("acme"));
    for (attacker, expected) in [
        (&empty_acme, Denied),
        (&erase_acme, Denied),
        (&delete, due()),
    ] {
        let statements = [own_operator.as_slice(), std::slice::from_ref(attacker)].concat();
        let outcome = attack(&as_service, &statements).await;
        assert_eq!(outcome, expected, "with an operator of its own: {attacker}");
    }
    // Nor is it a way out to log in under another name that has the role's rights.
    let as_member = roles.member_of_service().await.connect(&database).await;
    for (attacker, expected) in [(&delete, nobody()), (&empty, Denied), (&erase, Denied)] {
        let outcome = attack(&as_member, std::slice::from_ref(attacker)).await;
        assert_eq!(outcome, expected, "by a member: {attacker}");
    }
    as_member.close().await.expect("a connection closes");

    // The guard concerns one role: the platform, here the owner, works as before.
    execute(
        &as_owner,
        &[
            "UPDATE participant SET email = 'new@example.org'".to_owned(),
            format!("DELETE FROM participant WHERE tenant_id = {acme}"),
        ],
    )
    .await;
    assert_eq!(super::count(&as_owner, "participant").await, 3);

    // Nor does it keep anybody from their work where its role is not there.
    roles.rename_service(true).await;
    let corrected = ["UPDATE participant SET email = 'newer@example.org'".to_owned()];
    execute(&as_owner, &corrected).await;
    roles.rename_service(false).await;

    as_service.close().await.expect("a connection closes");
    as_owner.close().await.expect("a connection closes");
    roles.remove(&database).await;
}
