//! The data set: 20 tenants whose rows lie interleaved, as they come in life, with 12 child rows a
//! participant. The database makes it from the seed, which is much faster than sending it.

use anyhow::Result;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use retentiond::store::Dialect;
use sea_orm::{ConnectionTrait, DatabaseConnection, FromQueryResult, Statement};
use serde::Serialize;
use uuid::Uuid;

/// Tenants that the participants are divided among.
pub const TENANTS: u64 = 20;

/// Uploads that each tenant's participants came with.
const UPLOADS: u64 = 50;

/// People whom the foreground looks at.
const SAMPLE: usize = 20_000;

/// Milliseconds of a month of 30 days.
const MONTH: u64 = 30 * 86_400_000;

/// What is loaded.
#[derive(Clone, Debug, Serialize)]
pub struct Data {
    pub participants: u64,
    pub seed: u32,
}

/// Somebody in it.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Person {
    pub tenant_id: i64,
    pub id: Uuid,
}

impl Data {
    /// Fills an empty database.
    pub async fn load(&self, connection: &DatabaseConnection, dialect: Dialect) -> Result<()> {
        let made = Expressions { dialect };
        let run = async |sql: String| connection.execute_unprepared(&sql).await;
        // The rows are right by construction, and checking 13 of them each takes most of the time.
        run(made.checks(false).to_owned()).await?;
        let since = "'2020-01-01T00:00:00+00:00'";
        let since = if dialect == Dialect::MariaDb {
            "'2020-01-01'"
        } else {
            since
        };
        run(format!(
            "INSERT INTO tenant (id, slug, name, time_zone, created_at) \
             SELECT i, {}, 'A tenant', 'UTC', {since} FROM {}",
            made.text(&["'tenant-'", "i"]),
            made.series("i", 1, TENANTS),
        ))
        .await?;
        run(format!(
            "INSERT INTO upload (tenant_id, id, file_name, content_hmac, row_count, accepted_at) \
             SELECT i % {TENANTS} + 1, {}, 'people.csv', {}, 0, {since} FROM {}",
            made.upload_id("i"),
            made.bytes(&format!("'{}'", "ab".repeat(32))),
            made.series("i", 0, TENANTS * UPLOADS - 1),
        ))
        .await?;
        self.load_participants(connection, made).await?;
        self.load_children(connection, made).await?;
        run(made.checks(true).to_owned()).await?;
        for statement in made.settle() {
            run((*statement).to_owned()).await?;
        }
        Ok(())
    }

    async fn load_participants(
        &self,
        connection: &DatabaseConnection,
        made: Expressions,
    ) -> Result<()> {
        let unsubscribed = format!(
            "CASE WHEN {} % 20 = 0 THEN {} END",
            // Not the last digits, which go with the tenant.
            made.whole(&format!("{} / 1000", made.noise(self.seed, 3))),
            self.added_at(made)
        );
        let upload = format!(
            "(i * {UPLOADS} / {}) * {TENANTS} + i % {TENANTS}",
            self.participants
        );
        let sql = format!(
            "INSERT INTO participant (tenant_id, id, upload_id, added_at, first_name, last_name, \
             email, phone, customer_id, unsubscribed_at) \
             SELECT {}, {}, {}, {}, {}, {}, {}, {}, {}, {unsubscribed} FROM {}",
            made.tenant(),
            self.id(made),
            made.upload_id(&made.whole(&upload)),
            self.added_at(made),
            made.text(&["'First'", &format!("{} % 1000", made.noise(self.seed, 1))]),
            made.text(&["'Last'", &format!("{} % 100000", made.noise(self.seed, 2))]),
            made.text(&["'person'", "i", "'@mail-'", "(i % 977)", "'.example'"]),
            made.text(&["'+32 470 '", "i"]),
            made.text(&["'customer-'", "i"]),
            made.series("i", 0, self.participants - 1),
        );
        connection.execute_unprepared(&sql).await?;
        Ok(())
    }

    /// Three rows of metadata, four answers, three messages and two invitations for each.
    async fn load_children(
        &self,
        connection: &DatabaseConnection,
        made: Expressions,
    ) -> Result<()> {
        let at = self.added_at(made);
        let text = made.text(&[
            "'It was as I had expected, number '",
            "i",
            "', and no better.'",
        ]);
        let with_id = "tenant_id, participant_id, id";
        let key = made.text(&["'key-'", "k"]);
        let id = self.child_id(made);
        let tables = [
            (
                "participant_metadata",
                3,
                "tenant_id, participant_id, key, value",
                format!("{key}, {text}"),
            ),
            (
                "answer",
                4,
                &format!("{with_id}, question, score, body, answered_at"),
                format!("{id}, 'How likely are you to recommend us?', i % 11, {text}, {at}"),
            ),
            (
                "conversation_message",
                3,
                &format!("{with_id}, direction, body, sent_at"),
                format!("{id}, 'inbound', {text}, {at}"),
            ),
            (
                "invitation",
                2,
                &format!("{with_id}, state, send_at, sent_at"),
                format!("{id}, 'sent', {at}, {at}"),
            ),
        ];
        for (table, each, columns, values) in tables {
            let columns = if made.dialect == Dialect::MariaDb {
                columns.replace(" key,", " `key`,")
            } else {
                columns.to_owned()
            };
            let rows = self.participants * each;
            let of_row = format!(
                "(SELECT {} AS i, n % {each} AS k FROM {}) AS child",
                made.whole(&format!("n / {each}")),
                made.series("n", 0, rows - 1),
            );
            let sql = format!(
                "INSERT INTO {table} ({columns}) SELECT {}, {}, {values} FROM {of_row}",
                made.tenant(),
                self.id(made),
            );
            connection.execute_unprepared(&sql).await?;
        }
        Ok(())
    }

    /// Some of the people, young and old.
    pub async fn sample(&self, connection: &DatabaseConnection) -> Result<Vec<Person>> {
        let step = (self.participants / SAMPLE as u64).max(1);
        let sql = format!(
            "SELECT tenant_id, id FROM participant WHERE customer_id IN ({})",
            (0..self.participants)
                .step_by(usize::try_from(step)?)
                .map(|number| format!("'customer-{number}'"))
                .collect::<Vec<_>>()
                .join(",")
        );
        let statement = Statement::from_string(connection.get_database_backend(), sql);
        let mut people = Person::find_by_statement(statement).all(connection).await?;
        people.shuffle(&mut StdRng::seed_from_u64(self.seed.into()));
        Ok(people)
    }

    /// Milliseconds since 1970. A quarter is older than 38 months, a quarter between 34 and 14, and
    /// half younger than 10, in the order of `i`.
    fn added_ms(&self, made: Expressions) -> String {
        let quarter = self.participants / 4;
        let now = made.now_ms();
        let age = |from: u64, over: u64, first: u64, rows: u64| {
            made.whole(&format!(
                "{now} - {} + (i - {first}) * {} / {rows}",
                from * MONTH,
                over * MONTH
            ))
        };
        format!(
            "CASE WHEN i < {quarter} THEN {} WHEN i < {} THEN {} ELSE {} END",
            age(60, 21, 0, quarter),
            2 * quarter,
            age(34, 19, quarter, quarter),
            age(10, 9, 2 * quarter, 2 * quarter),
        )
    }

    fn added_at(&self, made: Expressions) -> String {
        made.time(&self.added_ms(made))
    }

    /// A UUIDv7 (RFC 9562) of that moment, in which the number makes the difference.
    fn id(&self, made: Expressions) -> String {
        made.uuid(&[
            made.hex(&self.added_ms(made), 12),
            format!("'7{:03x}8'", self.seed % 0x1000),
            made.hex(&format!("{} % 268435456", made.noise(self.seed, 4)), 7),
            made.hex("i", 8),
        ])
    }

    fn child_id(&self, made: Expressions) -> String {
        made.uuid(&[
            made.hex(&self.added_ms(made), 12),
            format!("'7{:03x}8'", self.seed % 0x1000),
            made.hex("k", 7),
            made.hex("i", 8),
        ])
    }
}

/// SQL expressions of `i`, the number of a participant.
#[derive(Clone, Copy)]
struct Expressions {
    dialect: Dialect,
}

impl Expressions {
    /// A row for each number, in the column `name`.
    fn series(self, name: &str, from: u64, to: u64) -> String {
        match self.dialect {
            Dialect::Postgres => format!("generate_series({from}::bigint, {to}) AS s({name})"),
            Dialect::MariaDb => format!("(SELECT seq AS {name} FROM seq_{from}_to_{to}) AS s"),
            Dialect::Sqlite => format!(
                "(WITH RECURSIVE s({name}) AS (SELECT {from} UNION ALL SELECT {name} + 1 FROM s \
                 WHERE {name} < {to}) SELECT {name} FROM s) AS s"
            ),
        }
    }

    fn tenant(self) -> String {
        format!("i % {TENANTS} + 1")
    }

    /// A number that looks random (Lehmer's generator, one step).
    fn noise(self, seed: u32, stream: u32) -> String {
        format!("((i + {seed} + {stream} * 7919) * 48271 % 2147483647)")
    }

    /// Division of whole numbers.
    fn whole(self, expression: &str) -> String {
        match self.dialect {
            Dialect::MariaDb => format!("CAST(FLOOR({expression}) AS SIGNED)"),
            _ => format!("({expression})"),
        }
    }

    fn text(self, parts: &[&str]) -> String {
        match self.dialect {
            Dialect::Sqlite => parts
                .iter()
                .map(|part| format!("({part})"))
                .collect::<Vec<_>>()
                .join(" || "),
            _ => format!("CONCAT({})", parts.join(", ")),
        }
    }

    fn hex(self, number: &str, width: usize) -> String {
        match self.dialect {
            Dialect::Postgres => format!("LPAD(TO_HEX(({number})::bigint), {width}, '0')"),
            Dialect::MariaDb => format!("LPAD(HEX({number}), {width}, '0')"),
            Dialect::Sqlite => format!("printf('%0{width}x', {number})"),
        }
    }

    fn bytes(self, hex: &str) -> String {
        match self.dialect {
            Dialect::Postgres => format!("decode({hex}, 'hex')"),
            _ => format!("UNHEX({hex})"),
        }
    }

    fn uuid(self, parts: &[String]) -> String {
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let hex = self.text(&parts);
        match self.dialect {
            Dialect::Postgres => format!("({hex})::uuid"),
            _ => format!("UNHEX({hex})"),
        }
    }

    fn upload_id(self, number: &str) -> String {
        self.uuid(&["'018000000000700080000000'".to_owned(), self.hex(number, 8)])
    }

    /// The day on which it was loaded: all times of the data hang off it.
    fn now_ms(self) -> &'static str {
        match self.dialect {
            Dialect::Postgres => "(EXTRACT(EPOCH FROM CURRENT_DATE)::bigint * 1000)",
            Dialect::MariaDb => "(TO_SECONDS(UTC_DATE()) - TO_SECONDS('1970-01-01')) * 1000",
            Dialect::Sqlite => "(CAST(strftime('%s', 'now', 'start of day') AS INTEGER) * 1000)",
        }
    }

    fn time(self, milliseconds: &str) -> String {
        match self.dialect {
            Dialect::Postgres => format!("to_timestamp(({milliseconds}) / 1000.0)"),
            Dialect::MariaDb => {
                format!("TIMESTAMPADD(MICROSECOND, ({milliseconds}) * 1000, '1970-01-01')")
            }
            Dialect::Sqlite => format!(
                "strftime('%Y-%m-%dT%H:%M:%f+00:00', ({milliseconds}) / 1000.0, 'unixepoch')"
            ),
        }
    }

    /// Foreign keys on or off, in this session.
    fn checks(self, on: bool) -> &'static str {
        match (self.dialect, on) {
            (Dialect::Postgres, true) => "SET session_replication_role = origin",
            (Dialect::Postgres, false) => "SET session_replication_role = replica",
            (Dialect::MariaDb, true) => "SET foreign_key_checks = 1, unique_checks = 1",
            (Dialect::MariaDb, false) => "SET foreign_key_checks = 0, unique_checks = 0",
            (Dialect::Sqlite, true) => "PRAGMA foreign_keys = ON",
            (Dialect::Sqlite, false) => "PRAGMA foreign_keys = OFF",
        }
    }

    /// What a database that has run for some time has done long ago.
    fn settle(self) -> &'static [&'static str] {
        match self.dialect {
            Dialect::Postgres => &["VACUUM (FREEZE, ANALYZE)", "CHECKPOINT"],
            Dialect::MariaDb => &[
                "ANALYZE TABLE tenant, upload, participant, participant_metadata, answer, \
                 conversation_message, invitation",
            ],
            Dialect::Sqlite => &["ANALYZE", "PRAGMA wal_checkpoint(TRUNCATE)"],
        }
    }
}
