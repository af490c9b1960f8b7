//! E1–E7 and U7, U10, U11: what goes and what stays.

use std::time::Duration;

use entity::{answer, conversation_message, invitation, participant, participant_metadata};
use retentiond::engine::report::Outcome;
use retentiond::ids::TenantId;
use sea_orm::ActiveValue::Set;
use sea_orm::{EntityTrait, FromQueryResult, Statement};
use uuid::Uuid;

use crate::support::{Backend, CHILDREN, Person, Scratch, World, at, scratch};

const OLD: &str = "2022-06-15T12:00:00Z";
const MIDDLE: &str = "2023-10-15T12:00:00Z";
const YOUNG: &str = "2024-03-20T12:00:00Z";

fn person(added_at: &str) -> Person<'_> {
    Person {
        added_at,
        email: Some("ann@example.org"),
        unsubscribed_at: None,
    }
}

fn unsubscribed<'a>(added_at: &'a str, email: Option<&'a str>) -> Person<'a> {
    Person {
        added_at,
        email,
        unsubscribed_at: Some("2024-01-31T10:00:00Z"),
    }
}

async fn example(scratch: Scratch) -> (World, TenantId) {
    let world = World::new(scratch, "2024-04-02T00:00:00Z").await;
    let tenant = world.tenant("example", "Europe/Brussels").await;
    world
        .policy(tenant, Some(1), Some(12), "2023-01-01T00:00:00Z")
        .await;
    (world, tenant)
}

#[tokio::test]
async fn e07_e13_a_time_that_only_sorts_before_the_cutoff_is_not_before_it() {
    // The cutoff is 2024-02-29T23:00:00+00:00. Both are later, and come before it as text.
    for added_at in ["2024-02-29T18:30:00-05:00", "2024-02-29 23:30:00+00:00"] {
        let (world, tenant) = example(scratch(Backend::Sqlite).await).await;
        let young = world.person(tenant, person(YOUNG)).await;
        world
            .sql(&format!("UPDATE participant SET added_at = '{added_at}'"))
            .await;
        let entries = world.run().await;
        let kept = world.find(tenant, young).await.expect("kept");
        assert!(kept.email.is_some(), "{added_at} was erased too early");
        assert!(matches!(entries[0].outcome, Outcome::Done), "{entries:?}");
        assert_eq!(
            entries[0].report.undated, 1,
            "{added_at} is not in our form"
        );
        assert!(!world.verify(None).await[0].ok, "{added_at}");
    }
}

#[tokio::test]
async fn u10_an_address_that_is_no_text_is_erased_all_the_same() {
    for value in ["X'FF00'", "CAST(X'FF40FF' AS TEXT)"] {
        let (world, tenant) = example(scratch(Backend::Sqlite).await).await;
        let ann = unsubscribed(MIDDLE, Some("ann@example.org"));
        let middle = world.person(tenant, ann).await;
        world
            .sql(&format!("UPDATE participant SET email = {value}"))
            .await;
        let entries = world.run_and_prove().await;
        assert!(matches!(entries[0].outcome, Outcome::Done), "{entries:?}");
        assert_eq!(entries[0].report.unhashable, 1);
        let row = world.find(tenant, middle).await.expect("kept");
        assert!(row.email.is_none() && row.anonymized_at.is_some());
    }
}

on_every_database! {
    async fn e01_e02_anonymization_takes_five_fields_and_calls_off_invitations(scratch: Scratch) {
        let (world, tenant) = example(scratch).await;
        let middle = world.person(tenant, person(MIDDLE)).await;
        let young = world.person(tenant, person(YOUNG)).await;
        let aggregates = aggregates(&world, tenant).await;
        let entries = world.run_and_prove().await;
        assert_eq!(entries[0].report.invitations_expired, 1);
        let row = world.find(tenant, middle).await.expect("kept");
        assert!(row.anonymized_at.is_some());
        let fields = [&row.first_name, &row.last_name, &row.email, &row.phone, &row.customer_id];
        assert!(fields.iter().all(|field| field.is_none()));
        assert_eq!(row.added_at, at(MIDDLE));
        assert_eq!(world.children_of(tenant, middle).await, CHILDREN);
        assert_eq!(world.invitations(tenant, middle).await, ["expired", "sent"]);
        let row = world.find(tenant, young).await.expect("kept");
        assert_eq!(row.first_name.as_deref(), Some("Ann"));
        assert_eq!(world.invitations(tenant, young).await, ["queued", "sent"]);
        assert_eq!(aggregates, self::aggregates(&world, tenant).await);
    }

    async fn e03_a_late_answer_is_stored_and_the_person_stays_anonymous(scratch: Scratch) {
        let (world, tenant) = example(scratch).await;
        let middle = world.person(tenant, person(MIDDLE)).await;
        world.run_and_prove().await;
        add_answer(&world, tenant, middle, "2024-04-02T09:00:00Z").await;
        assert_eq!(world.children_of(tenant, middle).await[1], CHILDREN[1] + 1);
        assert!(world.find(tenant, middle).await.expect("kept").email.is_none());
        assert!(world.verify(None).await[0].ok);
    }

    async fn e04_a_twin_that_never_held_the_rows_gives_the_same_answers(scratch: Scratch) {
        let backend = scratch.backend();
        let (world, tenant) = example(scratch).await;
        let (twin, twin_tenant) = example(crate::support::scratch(backend).await).await;
        for number in 0..12 {
            let added_at = [OLD, MIDDLE, YOUNG][number % 3];
            world.person(tenant, person(added_at)).await;
            if added_at != OLD {
                twin.person(twin_tenant, person(added_at)).await;
            }
        }
        let other = world.tenant("other", "UTC").await;
        world.person(other, person(OLD)).await;
        let other_twin = twin.tenant("other", "UTC").await;
        twin.person(other_twin, person(OLD)).await;
        assert_ne!(aggregates(&world, tenant).await, aggregates(&twin, twin_tenant).await);
        world.run_and_prove().await;
        twin.run_and_prove().await;
        assert_eq!(aggregates(&world, tenant).await, aggregates(&twin, twin_tenant).await);
        assert_eq!(aggregates(&world, other).await, aggregates(&twin, other_twin).await);
        assert!(world.verify(None).await.iter().all(|tenant| tenant.orphans == 0));
    }

    async fn e05_a_younger_answer_goes_with_its_participant(scratch: Scratch) {
        let (world, tenant) = example(scratch).await;
        let gone = world.person(tenant, person("2023-03-30T12:00:00Z")).await;
        add_answer(&world, tenant, gone, "2023-04-02T12:00:00Z").await;
        let entries = world.run_and_prove().await;
        assert_eq!(entries[0].report.rows_purged["answer"], CHILDREN[1] + 1);
        assert_eq!(world.children_of(tenant, gone).await, [0; 4]);
    }

    async fn e06_an_upload_goes_with_its_last_participant(scratch: Scratch) {
        let (world, tenant) = example(scratch).await;
        let emptied = world.upload(tenant).await;
        let kept = world.upload(tenant).await;
        let never_filled = world.upload(tenant).await;
        for _ in 0..5 {
            world.person_of(tenant, emptied, person(OLD)).await;
            world.person_of(tenant, kept, person(OLD)).await;
        }
        world.person_of(tenant, kept, person(YOUNG)).await;
        let entries = world.run_and_prove().await;
        assert_eq!(entries[0].report.uploads_removed, 1);
        let mut uploads = world.uploads(tenant).await;
        uploads.sort();
        let mut expected = vec![kept, never_filled];
        expected.sort();
        assert_eq!(uploads, expected);
    }

    async fn e07_younger_rows_survive_writers_that_run_at_the_same_time(scratch: Scratch) {
        let (world, tenant) = example(scratch).await;
        for _ in 0..60 {
            world.person(tenant, person(MIDDLE)).await;
            world.person(tenant, person(OLD)).await;
        }
        let engine = world.engine.clone();
        let run = tokio::spawn(async move {
            retentiond::engine::pass::run(&engine, &Default::default()).await
        });
        let mut young = Vec::new();
        for _ in 0..10 {
            young.push(world.person(tenant, person(YOUNG)).await);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let entries = run.await.expect("no panic").expect("a pass").expect("known tenants");
        assert_eq!((entries[0].report.anonymized, entries[0].report.purged), (60, 60), "{entries:?}");
        for id in young {
            let row = world.find(tenant, id).await.expect("younger than the cutoff");
            assert!(row.email.is_some() && row.anonymized_at.is_none());
            assert_eq!(world.children_of(tenant, id).await, CHILDREN);
        }
        assert!(world.verify(None).await[0].ok);
    }

    async fn e07_another_tenants_rows_are_never_touched(scratch: Scratch) {
        let (world, tenant) = example(scratch).await;
        let other = world.tenant("other", "Europe/Brussels").await;
        let stays = world.person(other, unsubscribed(OLD, Some("ann@example.org"))).await;
        let goes = world.person(tenant, person(OLD)).await;
        world.run_and_prove().await;
        assert!(world.find(tenant, goes).await.is_none());
        assert!(world.find(other, stays).await.expect("untouched").email.is_some());
        assert_eq!(world.children_of(other, stays).await, CHILDREN);
        assert_eq!(world.invitations(other, stays).await, ["expired", "sent"]);
    }

    async fn u01_one_person_in_many_spellings_leaves_one_hash(scratch: Scratch) {
        let (world, tenant) = example(scratch).await;
        for email in [
            "andr\u{e9}@b\u{fc}cher.example",
            "ANDR\u{c9}@B\u{dc}CHER.example.",
            "\u{a0}andre\u{301}@xn--bcher-kva.example\u{200b}",
        ] {
            world.person(tenant, unsubscribed(MIDDLE, Some(email))).await;
        }
        for other in ["andr\u{e9}+x@b\u{fc}cher.example", "andre@b\u{fc}cher.example"] {
            world.person(tenant, unsubscribed(MIDDLE, Some(other))).await;
        }
        for invalid in ["@b\u{fc}cher.example", "andr\u{e9}@", "andr\u{e9}"] {
            world.person(tenant, unsubscribed(MIDDLE, Some(invalid))).await;
        }
        let entries = world.run_and_prove().await;
        assert_eq!((entries[0].report.suppressions, entries[0].report.unhashable), (3, 3));
        let hashes = world.suppressions(tenant).await;
        let expected = world.hash(tenant, "andr\u{e9}@xn--bcher-kva.example");
        assert_eq!(hashes.iter().filter(|row| row.email_hmac == expected).count(), 1);
    }

    async fn u03_all_that_stays_is_a_hash_its_key_its_rules_and_a_month(scratch: Scratch) {
        let (world, tenant) = example(scratch).await;
        let erased = world.person(tenant, unsubscribed(OLD, Some("ann@example.org"))).await;
        world.run_and_prove().await;
        let row = world.suppressions(tenant).await.remove(0);
        assert_eq!(row.email_hmac.len(), 32);
        assert_eq!((row.key_id.as_str(), row.norm_version), ("k1", 2));
        assert_eq!(row.suppressed_month, "2024-01");
        assert_eq!(row.tenant_id, tenant.0);
        // The hash is keyed: a plain digest of the address is not it.
        use sha2::Digest;
        assert_ne!(row.email_hmac, sha2::Sha256::digest(b"ann@example.org").to_vec());
        assert!(world.find(tenant, erased).await.is_none());
    }

    async fn u04_u07_u11_a_run_hashes_the_unsubscribed_rows_it_erases_and_no_others(scratch: Scratch) {
        let (world, tenant) = example(scratch).await;
        let other = world.tenant("other", "Europe/Brussels").await;
        world.policy(other, Some(1), None, "2023-01-01T00:00:00Z").await;
        // Erased: twice the same address, once in another form, by both stages.
        world.person(tenant, unsubscribed(MIDDLE, Some("Ann.Peeters@Example.BE"))).await;
        world.person(tenant, unsubscribed(OLD, Some(" ann.peeters@example.be "))).await;
        // Erased, not unsubscribed; unsubscribed, not erased.
        world.person(tenant, person(MIDDLE)).await;
        world.person(tenant, unsubscribed(YOUNG, Some("young@example.org"))).await;
        // The same address at another tenant: another hash.
        world.person(other, unsubscribed(MIDDLE, Some("ann.peeters@example.be"))).await;
        let entries = world.run_and_prove().await;
        assert_eq!(entries[0].report.suppressions, 1);
        let (ours, theirs) = (world.suppressions(tenant).await, world.suppressions(other).await);
        assert_eq!((ours.len(), theirs.len()), (1, 1));
        assert_eq!(ours[0].email_hmac, world.hash(tenant, "ann.peeters@example.be"));
        assert_eq!(theirs[0].email_hmac, world.hash(other, "ann.peeters@example.be"));
        assert_ne!(ours[0].email_hmac, theirs[0].email_hmac);
        assert_eq!((ours[0].norm_version, ours[0].suppressed_month.as_str()), (2, "2024-01"));
    }

    async fn u10_an_address_that_cannot_be_hashed_goes_all_the_same(scratch: Scratch) {
        let (world, tenant) = example(scratch).await;
        let mut erased = Vec::new();
        for email in [Some("no at sign"), Some(""), None] {
            erased.push(world.person(tenant, unsubscribed(MIDDLE, email)).await);
        }
        let entries = world.run_and_prove().await;
        assert_eq!((entries[0].report.unhashable, entries[0].report.suppressions), (2, 0));
        for id in erased {
            assert!(world.find(tenant, id).await.expect("kept").anonymized_at.is_some());
        }
        let run = world.run_record(tenant, "2024-04").await.expect("a record");
        assert_eq!(run.unhashable, 2);
    }

    async fn e01_verify_finds_what_somebody_put_back(scratch: Scratch) {
        let (world, tenant) = example(scratch).await;
        world.person(tenant, person(MIDDLE)).await;
        world.run_and_prove().await;
        world.sql("UPDATE participant SET anonymized_at = NULL, email = 'ann@example.org'").await;
        let found = world.verify(None).await.remove(0);
        assert_eq!((found.overdue_anonymize, found.late, found.ok), (1, 0, false), "{found:?}");
        world.sql("UPDATE participant SET email = NULL, first_name = NULL, last_name = NULL, phone = NULL, customer_id = NULL, anonymized_at = '2024-04-02 00:00:00.000001'").await;
        let found = world.verify(None).await.remove(0);
        assert_eq!((found.unrecorded, found.ok), (1, false), "{found:?}");
        world.rewrite("UPDATE tenant_run SET anonymized = 5").await;
        assert_eq!(world.verify(None).await[0].record_mismatches, 1);
    }

    async fn e01_the_database_refuses_a_half_anonymized_row(scratch: Scratch) {
        let (world, tenant) = example(scratch).await;
        let id = world.person(tenant, person(YOUNG)).await;
        use sea_orm::ConnectionTrait;
        let outcome = world
            .db
            .execute_unprepared("UPDATE participant SET anonymized_at = '2024-04-02 00:00:00', email = NULL")
            .await;
        assert!(outcome.is_err());
        assert!(world.find(tenant, id).await.expect("kept").email.is_some());
    }
}

async fn add_answer(world: &World, tenant: TenantId, participant: Uuid, answered_at: &str) {
    let row = answer::ActiveModel {
        tenant_id: Set(tenant.0),
        participant_id: Set(participant),
        id: Set(Uuid::now_v7()),
        question: Set("Would you come back?".to_owned()),
        score: Set(Some(10)),
        body: Set(None),
        answered_at: Set(at(answered_at)),
    };
    answer::Entity::insert(row)
        .exec_without_returning(&world.db)
        .await
        .expect("an answer");
}

#[derive(Debug, FromQueryResult, PartialEq)]
struct Line {
    label: String,
    n: i64,
    score: Option<i64>,
}

/// The read models of the platform: counts, score averages, ranking by team, e-mail statistics,
/// conversations.
async fn aggregates(world: &World, tenant: TenantId) -> Vec<Line> {
    let t = tenant.0;
    let sum = match world.scratch.backend() {
        Backend::MariaDb => "CAST(SUM(answer.score) AS SIGNED)",
        _ => "CAST(SUM(answer.score) AS BIGINT)",
    };
    let none = match world.scratch.backend() {
        Backend::MariaDb => "CAST(NULL AS SIGNED)",
        _ => "CAST(NULL AS BIGINT)",
    };
    let queries = [
        format!(
            "SELECT 'participants' AS label, COUNT(*) AS n, {none} AS score FROM participant WHERE tenant_id = {t}"
        ),
        format!(
            "SELECT 'uploads' AS label, COUNT(*) AS n, {none} AS score FROM upload WHERE tenant_id = {t}"
        ),
        format!(
            "SELECT question AS label, COUNT(*) AS n, {sum} AS score FROM answer WHERE tenant_id = {t} GROUP BY question ORDER BY question"
        ),
        format!(
            "SELECT participant_metadata.value AS label, COUNT(*) AS n, {sum} AS score FROM answer \
             JOIN participant_metadata ON participant_metadata.tenant_id = answer.tenant_id \
             AND participant_metadata.participant_id = answer.participant_id \
             WHERE answer.tenant_id = {t} AND participant_metadata.{} = 'team' \
             GROUP BY participant_metadata.value ORDER BY participant_metadata.value",
            if world.scratch.backend() == Backend::MariaDb {
                "`key`"
            } else {
                "\"key\""
            }
        ),
        format!(
            "SELECT 'sent' AS label, COUNT(sent_at) AS n, {none} AS score FROM invitation WHERE tenant_id = {t}"
        ),
        format!(
            "SELECT direction AS label, COUNT(*) AS n, {none} AS score FROM conversation_message WHERE tenant_id = {t} GROUP BY direction"
        ),
    ];
    let mut lines = Vec::new();
    for sql in queries {
        let statement = Statement::from_string(world.db.get_database_backend(), sql);
        lines.extend(
            Line::find_by_statement(statement)
                .all(&world.db)
                .await
                .expect("a read model"),
        );
    }
    lines
}

/// The child tables of the schema are the ones that the engine knows, each with its foreign key.
#[test]
fn e04_every_child_table_is_known() {
    use sea_orm::EntityName;
    let tables = [
        participant_metadata::Entity.table_name(),
        answer::Entity.table_name(),
        conversation_message::Entity.table_name(),
        invitation::Entity.table_name(),
    ];
    assert_eq!(tables, retentiond::domain::subject::CHILD_TABLES);
    assert_eq!(participant::Entity.table_name(), "participant");
}
