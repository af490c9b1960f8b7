//! E18: of anonymized people, neither ids nor instants nor the order in which the rows lie say whose each
//! one was, to somebody who has the uploaded file.
//!
//! Every test of chance has a bound that a fair draw exceeds less than once in a million runs.

use std::collections::HashMap;
use std::fmt::Write;

use retentiond::domain::email::NormalizedEmail;
use retentiond::ids::TenantId;
use sea_orm::{ConnectionTrait, Statement};

use super::canary::write;
use crate::support::world::keyring;
use crate::support::{Backend, Person, Scratch, World, at, month_start};

/// More than two windows of the import.
const PEOPLE: usize = 22_000;

/// The window, as `docs/semantics.md` promises it.
const WINDOW: usize = 10_000;

/// Who unsubscribed: every one whose line is a multiple of it.
const UNSUBSCRIBED_EVERY: usize = 250;

on_every_database! {
    async fn e18_an_anonymized_upload_beside_its_file_is_matched_no_better_than_by_chance(scratch: Scratch) {
        let world = World::new(scratch, "2024-04-02T00:00:00Z").await;
        let backend = world.scratch.backend();
        let (tenant, lines) = uploaded(&world).await;
        // The platform marks them one after the other, in the order of the file.
        for line in unsubscribed() {
            let time = at("2024-01-10T10:00:00Z") + chrono::TimeDelta::microseconds(line as i64 * 1_234_567);
            let time = match backend {
                Backend::MariaDb => time.format("%Y-%m-%d %H:%M:%S%.6f").to_string(),
                _ => time.format("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string(),
            };
            let sql = format!("UPDATE participant SET unsubscribed_at = '{time}' WHERE email = '{}'", email(line));
            world.sql(&sql).await;
        }
        if backend == Backend::Postgres {
            // Right after an import nothing is known of the table, and the run takes minutes.
            world.sql("ANALYZE").await;
        }
        world.binary().run(&["run"]).expect_code(0);
        assert_eq!(world.number("SELECT COUNT(*) FROM participant WHERE anonymized_at IS NULL").await, 0);

        let id = text_of_id(backend, "participant.id");
        let mut columns = vec![id.clone(), text_of_id(backend, "invitation.id")];
        for time in [
            "participant.added_at",
            "participant.stored_at",
            "participant.anonymized_at",
            "participant.unsubscribed_at",
            "invitation.send_at",
        ] {
            columns.push(text(backend, time));
        }
        if backend == Backend::Postgres {
            // Transaction and statement that wrote the row last.
            for system in ["xmin", "cmin"] {
                columns.push(format!("lpad(participant.{system}::text, 12, '0')"));
                columns.push(format!("lpad(invitation.{system}::text, 12, '0')"));
            }
        }
        for column in &columns {
            let sql = format!(
                "SELECT {id}, {column} FROM participant LEFT JOIN invitation \
                 ON invitation.tenant_id = participant.tenant_id \
                 AND invitation.participant_id = participant.id"
            );
            let mut values = rows(&world, &sql).await;
            values.retain(|row| row[1].is_some());
            let values: Vec<(Option<String>, usize)> = values
                .into_iter()
                .map(|row| {
                    let [id, value] = row.try_into().expect("two columns");
                    (value, lines[&id.expect("an id")])
                })
                .collect();
            assert!(!values.is_empty(), "{column}");
            assert_by_chance(column, &values);
        }

        // As the rows lie in the table: nothing but which window.
        for table in ["participant", "invitation"] {
            let Some(place) = place(backend) else {
                continue;
            };
            let key = text_of_id(backend, if table == "participant" { "id" } else { "participant_id" });
            let lying = rows(&world, &format!("SELECT {key} FROM {table} ORDER BY {place}")).await;
            let lying: Vec<usize> = lying.into_iter().map(|row| lines[row[0].as_ref().expect("an id")]).collect();
            for window in [0..WINDOW, WINDOW..PEOPLE] {
                let of_window = lying.iter().filter(|line| window.contains(line));
                let values: Vec<_> = of_window.enumerate().map(|(place, line)| (place, *line)).collect();
                assert_by_chance(&format!("{table} by place, {window:?}"), &values);
            }
        }

        // The hashes of a batch by their own order: not by that of the people.
        let hashes = hashes_as_they_lie(&world).await;
        assert_eq!(hashes.len(), unsubscribed().count());
        let hasher = keyring("k1", 7).for_tenant(tenant);
        let of_line: HashMap<String, usize> = unsubscribed()
            .map(|line| {
                let address = NormalizedEmail::normalize(&email(line)).expect("an address");
                let hash = hasher.hash(&address).hmac;
                (hash.iter().map(|byte| format!("{byte:02x}")).collect(), line)
            })
            .collect();
        let values: Vec<_> = hashes.iter().enumerate().map(|(place, hash)| (place, of_line[hash])).collect();
        assert_by_chance("suppression by place", &values);
    }
}

on_every_database! {
    /// The run's hashes, and those that an import replaces after a rotation.
    async fn e18_hashes_that_are_stored_together_lie_in_their_own_order(scratch: Scratch) {
        let world = World::new(scratch, "2024-04-02T00:00:00Z").await;
        let binary = world.binary();
        world.tenant("acme", "Europe/Brussels").await;
        let mut file = "email\n".to_owned();
        for line in 0..40 {
            let address = email(line);
            writeln!(file, "{address}").expect("text");
            binary
                .run_with_stdin(&["unsubscribe", "--tenant", "acme"], address.as_bytes())
                .expect_code(0);
        }
        // By the key under which all are stored, nobody is found any more; by the old one everybody is.
        binary.run(&["keys", "rotate"]).expect_code(0);
        write(&binary, "people.csv", file);
        binary.run(&["import", "people.csv", "--tenant", "acme"]).expect_code(0);
        assert_eq!(world.number("SELECT COUNT(*) FROM suppression WHERE key_id = 'k1'").await, 0);
        let hashes = hashes_as_they_lie(&world).await;
        assert_eq!(hashes.len(), 40);
        assert!(hashes.is_sorted(), "{hashes:?}");
    }
}

on_every_database! {
    async fn e18_of_when_somebody_unsubscribed_the_month_stays(scratch: Scratch) {
        let world = World::new(scratch, "2024-04-02T00:00:00Z").await;
        let tenant = world.tenant("example", "Pacific/Kiritimati").await;
        world.policy(tenant, Some(1), Some(24), "2023-01-01T00:00:00Z").await;
        let times = [
            "2024-01-31T23:59:59.999999Z",
            "2024-02-01T00:00:00Z",
            "2024-02-29T23:59:59.999999Z",
            // Later than the run: by a clock of the platform's that is wrong.
            "2031-12-31T12:00:00.5Z",
        ];
        let mut people = Vec::new();
        for (number, time) in times.iter().enumerate() {
            let email = email(number);
            let person = Person { added_at: "2024-01-05T08:15:30.123456Z", email: Some(&email), unsubscribed_at: Some(time) };
            people.push((world.person(tenant, person).await, month_start(at(time))));
        }
        let email_of_odd = email(90);
        let odd = Person { added_at: "2024-01-05T08:15:30.123456Z", email: Some(&email_of_odd), unsubscribed_at: Some("2024-02-02T00:00:00Z") };
        let mut odd_people = Vec::new();
        for literal in no_instants(world.scratch.backend()) {
            let id = world.person(tenant, odd).await;
            let lax = match world.scratch.backend() {
                Backend::MariaDb => "SET STATEMENT sql_mode = 'ALLOW_INVALID_DATES' FOR ",
                _ => "",
            };
            let id_literal = world.literal(id);
            world.sql(&format!(
                "{lax}UPDATE participant SET unsubscribed_at = {literal} WHERE id = {id_literal}"
            )).await;
            if world.scratch.backend() == Backend::MariaDb {
                // Nor is it known when the invitation was to be sent. (A strict session may not write that back.)
                world.sql(&format!(
                    "{lax}UPDATE invitation SET send_at = {literal} WHERE state <> 'sent' \
                     AND participant_id = {id_literal}"
                )).await;
            }
            odd_people.push(id);
        }
        let plain = Person { unsubscribed_at: None, ..odd };
        let plain = world.person(tenant, plain).await;
        let young_at = "2024-03-20T12:34:56.789012Z";
        let young = Person { added_at: young_at, unsubscribed_at: Some(young_at), ..odd };
        let young = world.person(tenant, young).await;

        // As where the platform marks people by itself and calls nothing off.
        world.sql("UPDATE invitation SET state = 'queued' WHERE state = 'expired'").await;
        world.run().await;
        let start = |time: chrono::DateTime<chrono::Utc>| match world.scratch.backend() {
            Backend::MariaDb => format!("'{}'", time.format("%Y-%m-%d %H:%M:%S")),
            _ => format!("'{}'", time.format("%Y-%m-%dT%H:%M:%S+00:00")),
        };
        for (id, month) in people {
            let expected = format!("anonymized_at IS NOT NULL AND unsubscribed_at = {}", start(month));
            assert!(world.is_so(id, &expected).await, "{month}");
        }
        let odd_ones = match world.scratch.backend() {
            Backend::MariaDb => i64::try_from(odd_people.len()).expect("a few"),
            _ => 0,
        };
        for id in odd_people {
            // A mark without a real date stays one; of the run is the month that we know.
            let expected = format!("anonymized_at IS NOT NULL AND unsubscribed_at = {}", start(at("2024-04-01T00:00:00Z")));
            assert!(world.is_so(id, &expected).await, "no instant");
        }
        assert!(world.is_so(plain, "anonymized_at IS NOT NULL AND unsubscribed_at IS NULL").await);
        // Whoever is younger keeps everything to the microsecond.
        let kept = "anonymized_at IS NULL AND email IS NOT NULL AND unsubscribed_at = added_at";
        assert!(world.is_so(young, kept).await);
        // What was queued keeps the month; what was sent belongs to the statistics, and stays.
        let invitations = |more: &str| format!(
            "SELECT COUNT(*) FROM invitation JOIN participant ON participant.id = invitation.participant_id \
             WHERE anonymized_at IS NOT NULL AND {more}"
        );
        let anonymized = world.number("SELECT COUNT(*) FROM participant WHERE anonymized_at IS NOT NULL").await;
        assert_eq!(world.number(&invitations("state = 'expired'")).await, anonymized);
        let cut = format!("state = 'expired' AND send_at = {}", start(at("2024-01-01T00:00:00Z")));
        assert_eq!(world.number(&invitations(&cut)).await, anonymized - odd_ones);
        let sent = "state = 'sent' AND send_at = added_at AND sent_at = added_at";
        assert_eq!(world.number(&invitations(sent)).await, anonymized);
        let queued = "SELECT COUNT(*) FROM invitation JOIN participant ON participant.id = invitation.participant_id \
                      WHERE anonymized_at IS NULL AND state = 'queued' AND send_at = added_at";
        assert_eq!(world.number(queued).await, 1);
        // The months of the hashes are those of the marks.
        for (month, hashes) in [("2024-01", 1), ("2024-02", 2), ("2031-12", 1), ("2024-04", 1)] {
            let sql = format!("SELECT COUNT(*) FROM suppression WHERE suppressed_month = '{month}'");
            assert_eq!(world.number(&sql).await, hashes, "{month}");
        }
        // Nobody is due again.
        let before = world.fingerprint().await;
        world.run().await;
        assert_eq!(world.fingerprint().await, before);
    }
}

on_every_database! {
    async fn e18_plan_counts_whom_nobody_is_left_beside(scratch: Scratch) {
        const OLD: &str = "2022-06-15T12:00:00Z";
        const MIDDLE: &str = "2023-10-15T12:00:00Z";
        const YOUNG: &str = "2024-03-20T12:00:00Z";
        let world = World::new(scratch, "2024-04-02T00:00:00Z").await;
        let binary = world.binary();
        // By the retention period: with one, whoever is old goes.
        for (slug, retain, anonymized, alone) in [("both", Some(12), 5, 2), ("never", None, 7, 2)] {
            let tenant = world.tenant(slug, "Europe/Brussels").await;
            world.policy(tenant, Some(1), retain, "2023-01-01T00:00:00Z").await;
            for people in [&[MIDDLE][..], &[MIDDLE, MIDDLE], &[MIDDLE, OLD], &[MIDDLE, YOUNG], &[YOUNG], &[OLD]] {
                let upload = world.upload(tenant).await;
                for added_at in people {
                    let person = Person { added_at, email: Some("ann@example.org"), unsubscribed_at: None };
                    world.person_of(tenant, upload, person).await;
                }
            }
            let plan = ["plan", "--period", "2024-04", "--tenant", slug, "--output", "json"];
            let planned = || {
                let text = binary.run(&plan).expect_code(0).stdout;
                let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
                (document["tenants"][0]["anonymized"].clone(), document["anonymized_alone"][slug].clone())
            };
            assert_eq!(planned(), (anonymized.into(), alone.into()), "{slug}");
            let run = ["run", "--period", "2024-04", "--tenant", slug, "--output", "json"];
            binary.run(&run).expect_code(0);
            // As many uploads have one person left, who is anonymous.
            let left = format!(
                "SELECT COUNT(*) FROM (SELECT upload_id FROM participant WHERE tenant_id = {} GROUP BY upload_id \
                 HAVING COUNT(*) = 1 AND COUNT(anonymized_at) = 1) AS lone", tenant.0
            );
            assert_eq!(world.number(&left).await, alone, "{slug}");
            assert_eq!(planned(), (0.into(), 0.into()), "{slug}");
        }
    }
}

/// What each database lets somebody store as a mark that is no instant.
fn no_instants(backend: Backend) -> &'static [&'static str] {
    match backend {
        Backend::Postgres => &["'infinity'", "'-infinity'"],
        Backend::MariaDb => &["'0000-00-00'", "'2024-00-00'", "'2024-02-00 12:13:14'"],
        Backend::Sqlite => &["'soon'", "1706781234", "X'00'", "''"],
    }
}

fn unsubscribed() -> impl Iterator<Item = usize> {
    (0..PEOPLE).step_by(UNSUBSCRIBED_EVERY)
}

fn email(line: usize) -> String {
    format!("person{line}@example.org")
}

/// A tenant with one upload, and of each id its line.
async fn uploaded(world: &World) -> (TenantId, HashMap<String, usize>) {
    let tenant = world.tenant("acme", "Europe/Brussels").await;
    world
        .policy(tenant, Some(1), None, "2023-01-01T00:00:00Z")
        .await;
    let mut file = "email,Team\n".to_owned();
    for line in 0..PEOPLE {
        writeln!(file, "{},Blue", email(line)).expect("text");
    }
    let binary = world.binary();
    write(&binary, "people.csv", file);
    let accepted_at = ["--accepted-at", "2024-01-05T08:15:30.123456Z"];
    let import = ["import", "people.csv", "--tenant", "acme"];
    binary
        .run(&[&import[..], &accepted_at].concat())
        .expect_code(0);
    let id = text_of_id(world.scratch.backend(), "id");
    let found = rows(world, &format!("SELECT {id}, email FROM participant")).await;
    let lines: HashMap<String, usize> = found
        .into_iter()
        .map(|mut row| {
            let email = row.remove(1).expect("an address");
            let line = email["person".len()..].split('@').next().expect("a line");
            (
                row.remove(0).expect("an id"),
                line.parse().expect("a number"),
            )
        })
        .collect();
    assert_eq!(lines.len(), PEOPLE);
    (tenant, lines)
}

/// All hashes in hexadecimal: as they lie in the table, or in the order of the key where that is the same.
async fn hashes_as_they_lie(world: &World) -> Vec<String> {
    let backend = world.scratch.backend();
    let hash = match backend {
        Backend::Postgres => "encode(email_hmac, 'hex')",
        _ => "LOWER(HEX(email_hmac))",
    };
    let order = place(backend).unwrap_or("tenant_id, key_id, norm_version, email_hmac");
    let sql = format!("SELECT {hash} FROM suppression ORDER BY {order}");
    let found = rows(world, &sql).await;
    found.into_iter().flatten().flatten().collect()
}

/// By what rows lie in a table; MariaDB's lie by their key.
fn place(backend: Backend) -> Option<&'static str> {
    match backend {
        Backend::Postgres => Some("ctid"),
        Backend::Sqlite => Some("rowid"),
        Backend::MariaDb => None,
    }
}

fn text(backend: Backend, column: &str) -> String {
    match backend {
        Backend::MariaDb => format!("CAST({column} AS CHAR)"),
        _ => format!("CAST({column} AS text)"),
    }
}

fn text_of_id(backend: Backend, column: &str) -> String {
    match backend {
        Backend::Postgres => format!("CAST({column} AS text)"),
        _ => format!("HEX({column})"),
    }
}

/// Rows of texts.
async fn rows(world: &World, sql: &str) -> Vec<Vec<Option<String>>> {
    let statement = Statement::from_string(world.db.get_database_backend(), sql);
    let found = world.db.query_all_raw(statement).await;
    let found = found.unwrap_or_else(|error| panic!("{sql}: {error}"));
    found
        .into_iter()
        .map(|row| {
            let columns = row.column_names().len();
            (0..columns)
                .map(|column| row.try_get_by_index(column).expect("a text"))
                .collect()
        })
        .collect()
}

/// That the lines, in the order of their values, are in no order of their own. Equal values say nothing.
#[track_caller]
fn assert_by_chance<T: Ord>(what: &str, values: &[(T, usize)]) {
    let count = values.len();
    let by_value = mean_ranks(values.iter().map(|(value, _)| value));
    let by_line = mean_ranks(values.iter().map(|(_, line)| line));
    let middle = (count as f64 - 1.0) / 2.0;
    let (mut covariance, mut of_value, mut of_line) = (0.0, 0.0, 0.0);
    for (value, line) in by_value.iter().zip(&by_line) {
        covariance += (value - middle) * (line - middle);
        of_value += (value - middle).powi(2);
        of_line += (line - middle).powi(2);
    }
    if of_value == 0.0 {
        return;
    }
    // Spearman's rank correlation: normal by chance, with a deviation of 1 / √(n - 1).
    let correlation = covariance / (of_value * of_line).sqrt();
    let deviations = correlation.abs() * (count as f64 - 1.0).sqrt();
    assert!(
        deviations < 5.0,
        "{what}: rank correlation {correlation}, {deviations} deviations from none"
    );
    // Lines that stand in their own place, and lines that follow the one before them: one of each by chance.
    let mut sorted: Vec<_> = values.iter().collect();
    sorted.sort();
    let mut lines: Vec<usize> = values.iter().map(|(_, line)| *line).collect();
    lines.sort_unstable();
    let distinct = by_value.iter().map(|rank| rank.to_bits());
    if distinct.collect::<std::collections::HashSet<_>>().len() < count {
        return;
    }
    let in_place = sorted.iter().zip(&lines);
    let in_place = in_place.filter(|((_, line), own)| line == *own).count();
    let next: HashMap<usize, usize> = lines.windows(2).map(|pair| (pair[0], pair[1])).collect();
    let follow = sorted.windows(2);
    let follow = follow
        .filter(|pair| next.get(&pair[0].1) == Some(&pair[1].1))
        .count();
    assert!(
        in_place < 12 && follow < 12,
        "{what}: {in_place} in their place, {follow} after their neighbour"
    );
}

/// The rank of each value; equal ones share the mean of theirs.
fn mean_ranks<T: Ord>(values: impl Iterator<Item = T>) -> Vec<f64> {
    let mut sorted: Vec<(T, usize)> = values
        .enumerate()
        .map(|(place, value)| (value, place))
        .collect();
    sorted.sort();
    let mut ranks = vec![0.0; sorted.len()];
    let mut first = 0;
    while first < sorted.len() {
        let equal = sorted[first..].iter();
        let equal = equal.take_while(|(value, _)| *value == sorted[first].0);
        let end = first + equal.count();
        for (_, place) in &sorted[first..end] {
            ranks[*place] = (first + end - 1) as f64 / 2.0;
        }
        first = end;
    }
    ranks
}
