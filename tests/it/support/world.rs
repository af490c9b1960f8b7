//! A platform in a scratch database, and the real engine on it, at a time of the test's choosing.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use entity::{
    answer, conversation_message, invitation, participant, participant_metadata, policy, tenant,
    upload,
};
use retentiond::clock::FixedClock;
use retentiond::config::{Config, DatabaseConfig};
use retentiond::domain::period::{Months, ScheduleHour};
use retentiond::domain::suppression::{Keyring, MasterKey};
use retentiond::domain::zone::Zone;
use retentiond::engine::Engine;
use retentiond::engine::pace::Pace;
use retentiond::engine::permits::Permits;
use retentiond::engine::throttle::Throttle;
use retentiond::ids::{RandomIds, TenantId};
use retentiond::store::{self, RetryPolicy, keys, schema};
use retentiond::tzdata::Tzdata;
use sea_orm::ActiveValue::Set;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait,
    PaginatorTrait, QueryFilter, Statement,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Backend, Binary, Scratch};

/// A time that nothing in the tests differs from by more.
const ANY_SKEW: Duration = Duration::from_secs(200 * 365 * 24 * 3600);

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("an RFC 3339 time")
}

/// The first instant of an instant's month, in UTC.
pub fn month_start(time: DateTime<Utc>) -> DateTime<Utc> {
    at(&time.format("%Y-%m-01T00:00:00Z").to_string())
}

/// The zone of that name, as this machine's time-zone database has it.
pub fn zone(name: &str) -> Zone {
    Tzdata::of_system()
        .newest()
        .zone(name)
        .expect("a zone of this machine's")
}

/// The platform and its engine.
pub struct World {
    pub engine: Engine,
    pub db: DatabaseConnection,
    // Dropped last: the database goes with it.
    pub scratch: Scratch,
}

/// How many children each participant gets, in the order of `CHILD_TABLES`.
pub const CHILDREN: [u64; 4] = [2, 2, 1, 2];

/// A participant to be made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Person<'a> {
    pub added_at: &'a str,
    pub email: Option<&'a str>,
    pub unsubscribed_at: Option<&'a str>,
}

impl World {
    /// An empty platform whose host's clock stands at `now`. Batches are tiny, so that every test
    /// pages; the database's clock is the real one.
    pub async fn new(scratch: Scratch, now: &str) -> Self {
        let database = store::connect(&database_config(&scratch), Duration::from_secs(60))
            .await
            .expect("the scratch database opens");
        schema::migrate_up(&database).await.expect("the schema");
        let keyring = keyring("k1", 7);
        keys::check_and_register(&database, &keyring, at(now))
            .await
            .expect("the keyring is new here");
        let engine = Engine {
            database,
            clock: Arc::new(FixedClock(at(now))),
            ids: Arc::new(RandomIds),
            tzdata: Tzdata::of_system(),
            keyring,
            stop: CancellationToken::new(),
            progress: Arc::default(),
            holder: "test".to_owned(),
            schedule_hour: ScheduleHour::default(),
            clock_skew_max: ANY_SKEW,
            gap_max: Months::try_from(3).ok(),
            is_gap_confirmed: false,
            tenants_at_a_time: 4,
            permits: Permits::new(2),
            batch_rows: 3,
            batch_duration_target: None,
            lease_duration: Duration::from_secs(60),
            pace: Arc::new(Pace::new(None)),
            throttle: Arc::new(Throttle::off()),
            working_hours: None,
            retry: RetryPolicy {
                attempts_max: 5,
                backoff_initial: Duration::from_millis(10),
                backoff_max: Duration::from_millis(200),
            },
        };
        let db = scratch.connect().await;
        Self {
            engine,
            db,
            scratch,
        }
    }

    /// The real binary on this database, with this world's keyring.
    pub fn binary(&self) -> Binary {
        // Batches of the same size in every run, however busy the machine is.
        let binary =
            Binary::on(&self.scratch).env("RETENTIOND__ENGINE__BATCH_DURATION_TARGET", "0s");
        let file = binary.directory().join("retentiond.keyring");
        let text = format!(
            "version = 1\nactive = \"k1\"\n\n[[key]]\nid = \"k1\"\ncreated_at = \
             \"2024-01-01T00:00:00Z\"\nsecret = \"{}\"\n",
            hex::encode(master_key(7))
        );
        std::fs::write(&file, text).expect("a keyring file");
        std::fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("its mode");
        binary
    }

    /// Moves the host's clock.
    pub fn set_clock(&mut self, now: &str) {
        self.engine.clock = Arc::new(FixedClock(at(now)));
    }

    pub async fn tenant(&self, slug: &str, time_zone: &str) -> TenantId {
        let row = tenant::ActiveModel {
            slug: Set(slug.to_owned()),
            name: Set(slug.to_owned()),
            time_zone: Set(time_zone.to_owned()),
            created_at: Set(at("2020-01-01T00:00:00Z")),
            unsubscribe_count: Set(0),
            ..Default::default()
        };
        TenantId(row.insert(&self.db).await.expect("a tenant").id)
    }

    /// Adds the next policy version.
    pub async fn policy(
        &self,
        tenant: TenantId,
        anonymize_after_months: Option<i32>,
        retain_months: Option<i32>,
        effective_from: &str,
    ) {
        let versions = policy::Entity::find()
            .filter(policy::Column::TenantId.eq(tenant.0))
            .count(&self.db)
            .await
            .expect("a count");
        let row = policy::ActiveModel {
            tenant_id: Set(tenant.0),
            version: Set(i32::try_from(versions).expect("few versions") + 1),
            anonymize_after_months: Set(anonymize_after_months),
            retain_months: Set(retain_months),
            quarantine_days: Set(None),
            long_quarantine_accepted: Set(false),
            effective_from: Set(at(effective_from)),
            created_at: Set(at(effective_from)),
            created_by: Set("test".to_owned()),
            reason: Set(String::new()),
        };
        policy::Entity::insert(row)
            .exec_without_returning(&self.db)
            .await
            .expect("a policy");
    }

    pub async fn upload(&self, tenant: TenantId) -> Uuid {
        let id = Uuid::now_v7();
        let row = upload::ActiveModel {
            tenant_id: Set(tenant.0),
            id: Set(id),
            file_name: Set("people.csv".to_owned()),
            content_hmac: Set(vec![1; 32]),
            row_count: Set(1),
            accepted_at: Set(at("2020-01-01T00:00:00Z")),
            stored_at: Set(at("2020-01-01T00:00:00Z")),
            first_purged_at: Set(None),
        };
        upload::Entity::insert(row)
            .exec_without_returning(&self.db)
            .await
            .expect("an upload");
        id
    }

    /// A participant with children in every table, in an upload of its own.
    pub async fn person(&self, tenant: TenantId, person: Person<'_>) -> Uuid {
        let upload = self.upload(tenant).await;
        self.person_of(tenant, upload, person).await
    }

    /// A participant with children in every table. It was stored long ago, by the database's
    /// clock too; see [`World::late_person`].
    pub async fn person_of(&self, tenant: TenantId, upload: Uuid, person: Person<'_>) -> Uuid {
        let id = Uuid::now_v7();
        let added_at = at(person.added_at);
        let row = participant::ActiveModel {
            tenant_id: Set(tenant.0),
            id: Set(id),
            upload_id: Set(upload),
            added_at: Set(added_at),
            first_name: Set(Some("Ann".to_owned())),
            last_name: Set(Some("Peeters".to_owned())),
            email: Set(person.email.map(str::to_owned)),
            phone: Set(Some("+32 2 555 01 23".to_owned())),
            customer_id: Set(Some("C-1001".to_owned())),
            unsubscribed_at: Set(person.unsubscribed_at.map(at)),
            anonymized_at: Set(None),
            stored_at: Set(at("2020-01-01T00:00:00Z")),
        };
        participant::Entity::insert(row)
            .exec_without_returning(&self.db)
            .await
            .expect("a participant");
        self.children(tenant, id, added_at).await;
        if person.unsubscribed_at.is_some() {
            self.call_off(tenant, id).await;
        }
        id
    }

    async fn children(&self, tenant: TenantId, participant: Uuid, time: DateTime<Utc>) {
        let metadata = ["team", "country"].map(|key| participant_metadata::ActiveModel {
            tenant_id: Set(tenant.0),
            participant_id: Set(participant),
            key: Set(key.to_owned()),
            value: Set("Blue".to_owned()),
        });
        let answers = [7, 9].map(|score| answer::ActiveModel {
            tenant_id: Set(tenant.0),
            participant_id: Set(participant),
            id: Set(Uuid::now_v7()),
            question: Set("How was it?".to_owned()),
            score: Set(Some(score)),
            body: Set(Some("Good".to_owned())),
            answered_at: Set(time),
        });
        let message = conversation_message::ActiveModel {
            tenant_id: Set(tenant.0),
            participant_id: Set(participant),
            id: Set(Uuid::now_v7()),
            direction: Set("in".to_owned()),
            body: Set("Thank you".to_owned()),
            sent_at: Set(time),
        };
        let invitations = ["sent", "queued"].map(|state| invitation::ActiveModel {
            tenant_id: Set(tenant.0),
            participant_id: Set(participant),
            id: Set(Uuid::now_v7()),
            state: Set(state.to_owned()),
            send_at: Set(time),
            sent_at: Set((state == "sent").then_some(time)),
            opened_at: Set(None),
            clicked_at: Set(None),
            bounced_at: Set(None),
        });
        participant_metadata::Entity::insert_many(metadata)
            .exec_without_returning(&self.db)
            .await
            .expect("metadata");
        answer::Entity::insert_many(answers)
            .exec_without_returning(&self.db)
            .await
            .expect("answers");
        conversation_message::Entity::insert(message)
            .exec_without_returning(&self.db)
            .await
            .expect("a message");
        invitation::Entity::insert_many(invitations)
            .exec_without_returning(&self.db)
            .await
            .expect("invitations");
    }

    /// U5: nobody who unsubscribed is still to be invited.
    async fn call_off(&self, tenant: TenantId, participant: Uuid) {
        let id = self.literal(participant);
        self.sql(&format!(
            "UPDATE invitation SET state = 'expired' WHERE tenant_id = {} AND participant_id = {id} \
             AND state = 'queued'",
            tenant.0
        ))
        .await;
    }

    /// Gives a participant another `added_at`, as no platform should. (`2024-04-01 00:00:00`; the
    /// driver cannot bind an instant before 1970 for MariaDB.)
    pub async fn move_to(&self, tenant: TenantId, id: Uuid, added_at: &str) {
        self.set_time(tenant, id, "added_at", added_at).await;
    }

    /// Says when a participant was stored, by the database's clock.
    pub async fn restamp(&self, tenant: TenantId, id: Uuid, stored_at: &str) {
        self.set_time(tenant, id, "stored_at", stored_at).await;
    }

    async fn set_time(&self, tenant: TenantId, id: Uuid, column: &str, time: &str) {
        let id = self.literal(id);
        let time = match self.scratch.backend() {
            Backend::Postgres => format!("{time}+00"),
            Backend::MariaDb => time.to_owned(),
            Backend::Sqlite => format!("{}+00:00", time.replace(' ', "T")),
        };
        self.sql(&format!(
            "UPDATE participant SET {column} = '{time}' WHERE tenant_id = {} AND id = {id}",
            tenant.0
        ))
        .await;
    }

    /// Runs a statement of the test's own.
    pub async fn sql(&self, sql: &str) {
        self.db
            .execute_unprepared(sql)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// Rewrites records of runs as nobody should; PostgreSQL keeps those that are completed (S15).
    pub async fn rewrite(&self, sql: &str) {
        if self.scratch.backend() == Backend::Postgres {
            self.sql("ALTER TABLE tenant_run DISABLE TRIGGER retentiond_completed_stays")
                .await;
        }
        self.sql(sql).await;
        if self.scratch.backend() == Backend::Postgres {
            self.sql("ALTER TABLE tenant_run ENABLE TRIGGER retentiond_completed_stays")
                .await;
        }
    }

    /// The number that a query of the test's own finds.
    pub async fn number(&self, sql: &str) -> i64 {
        let statement = Statement::from_string(self.db.get_database_backend(), sql);
        let row = self.db.query_one_raw(statement).await;
        let row = row.unwrap_or_else(|error| panic!("{sql}: {error}"));
        row.and_then(|row| row.try_get_by_index(0).ok())
            .unwrap_or_else(|| panic!("{sql}: no number"))
    }

    /// An id as a literal of this database.
    pub fn literal(&self, id: Uuid) -> String {
        match self.scratch.backend() {
            Backend::Postgres => format!("'{id}'"),
            Backend::MariaDb | Backend::Sqlite => format!("X'{}'", id.simple()),
        }
    }

    /// Whether the participant's row is there and fulfils a condition. Reads no column: some tests store
    /// what no driver can read.
    pub async fn is_so(&self, id: Uuid, condition: &str) -> bool {
        let id = self.literal(id);
        let sql = format!("SELECT COUNT(*) FROM participant WHERE id = {id} AND {condition}");
        self.number(&sql).await == 1
    }
}

/// The default configuration, on a scratch database.
pub fn database_config(scratch: &Scratch) -> DatabaseConfig {
    database_config_at(scratch.url())
}

/// The default configuration, on whatever the URL names.
pub fn database_config_at(url: &str) -> DatabaseConfig {
    let url = ("RETENTIOND__DATABASE__URL".to_owned(), url.to_owned());
    Config::load(None, [url].into_iter())
        .expect("the defaults and a URL")
        .database
}

/// A master key that passes for a random one; the same number makes the same key.
pub fn master_key(number: u8) -> [u8; 32] {
    std::array::from_fn(|place| {
        let place = u8::try_from(place).expect("32 places");
        (place ^ number).wrapping_mul(place.wrapping_mul(58) | 1)
    })
}

/// A keyring in memory; the same number makes the same key.
pub fn keyring(id: &str, number: u8) -> Keyring {
    let key =
        MasterKey::new(master_key(number).to_vec().into()).expect("a key that is long enough");
    Keyring::new((id.parse().expect("a key id"), key), Vec::new()).expect("a keyring")
}
