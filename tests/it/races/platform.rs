//! Writers of the platform: plain SQL, at whatever isolation level the application has chosen.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use entity::{answer, invitation, participant};
use rand::Rng;
use rand::rngs::StdRng;
use retentiond::clock::{Clock, SystemClock};
use retentiond::ids::TenantId;
use retentiond::store::{Disposition, StoreError};
use sea_orm::sea_query::SimpleExpr;
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, DatabaseConnection, DatabaseTransaction, DbErr, EntityTrait, QueryFilter,
    QuerySelect, TransactionTrait,
};
use uuid::Uuid;

use super::known::{Level, People, Person, Reach, Version};
use crate::support::at;

/// Transactions while the run works, and after it.
const TRANSACTIONS_DURING: usize = 14;
const TRANSACTIONS_AFTER: usize = 2;

/// A transaction that lost this often is given up; an application would tell its user.
const ATTEMPTS_MAX: usize = 12;

pub struct Writer {
    pub db: DatabaseConnection,
    pub tenant: TenantId,
    pub level: Level,
    pub random: StdRng,
    pub retries: Arc<AtomicUsize>,
    pub people: People,
}

/// One thing that a platform does; the number is the person's.
#[derive(Clone, Debug)]
enum Op {
    Unsubscribe(usize),
    ChangeAddress(usize, String),
    Move(usize, DateTime<Utc>),
    Answer(usize),
    /// As a careful platform does it: it locks whom it is about to write to.
    Invite(usize),
    Add(Uuid, DateTime<Utc>, String),
}

/// A transaction, decided beforehand, so that it can be tried again.
struct Plan {
    reads_first: Option<usize>,
    pause: Duration,
    ops: Vec<Op>,
    open_for: Duration,
    rolls_back: bool,
}

/// What a statement did, if its transaction is committed.
enum Effect {
    Wrote(usize, participant::Model),
    NoRow(usize),
    Answered(usize, Uuid),
    Invited(usize, Uuid),
    Added(participant::Model),
}

/// How a transaction failed: the statement's number, or none for BEGIN and COMMIT.
struct Failed(Option<usize>, DbErr);

impl Writer {
    pub async fn work(mut self, is_over: Arc<AtomicBool>) -> People {
        for _ in 0..TRANSACTIONS_DURING {
            self.transact().await;
            let nap = self.random.random_range(0..60);
            tokio::time::sleep(Duration::from_millis(nap)).await;
        }
        while !is_over.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        for _ in 0..TRANSACTIONS_AFTER {
            self.transact().await;
        }
        self.db.close().await.expect("closed");
        self.people
    }

    async fn transact(&mut self) {
        let plan = self.plan();
        for _ in 0..ATTEMPTS_MAX {
            let Err(Failed(statement, error)) = self.attempt(&plan).await else {
                return;
            };
            let error = StoreError::from_db(&error, "a writer's transaction");
            match error.class().disposition() {
                Disposition::Retry => {
                    self.retries.fetch_add(1, Ordering::Relaxed);
                    let pause = self.random.random_range(1..30);
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                }
                // A constraint refused the statement.
                Disposition::SkipTenant if error.class().name() == "constraint" => {
                    let statement = statement.expect("constraints are checked at once");
                    self.refused(&plan.ops[statement]);
                    return;
                }
                _ => panic!("{:?}: {error}", plan.ops),
            }
        }
    }

    fn plan(&mut self) -> Plan {
        let count = self.people.persons.len();
        let random = &mut self.random;
        let ops = (0..random.random_range(1..4)).map(|_| {
            let person = random.random_range(0..count);
            let reach = match random.random_range(0..3) {
                0 => Reach::Purge,
                1 => Reach::Anonymize,
                _ => Reach::Nothing,
            };
            let address = format!("{}@New.example", Uuid::now_v7());
            match random.random_range(0..20) {
                0..7 => Op::Unsubscribe(person),
                7..10 => Op::ChangeAddress(person, address),
                10..13 => Op::Move(person, reach.time(random)),
                13..16 => Op::Answer(person),
                16..18 => Op::Invite(person),
                _ => {
                    let uploads = &self.people.uploads;
                    let upload = uploads[random.random_range(0..uploads.len())];
                    Op::Add(upload, reach.time(random), address)
                }
            }
        });
        let ops = ops.collect();
        // Nobody but us can write to SQLite while we keep it, the run neither.
        let open_max = if self.level == Level::Immediate {
            60
        } else {
            300
        };
        let open_for = if random.random_bool(0.3) {
            random.random_range(20..open_max)
        } else {
            0
        };
        Plan {
            reads_first: random
                .random_bool(0.5)
                .then(|| random.random_range(0..count)),
            pause: Duration::from_millis(random.random_range(0..60)),
            ops,
            open_for: Duration::from_millis(open_for),
            rolls_back: random.random_bool(0.15),
        }
    }

    async fn attempt(&mut self, plan: &Plan) -> Result<(), Failed> {
        let outside = |error| Failed(None, error);
        let begin = self.db.begin_with_options(self.level.options());
        let transaction = begin.await.map_err(outside)?;
        match self.fill(&transaction, plan).await {
            Ok(effects) if !plan.rolls_back => {
                let asked = SystemClock.now();
                transaction.commit().await.map_err(outside)?;
                self.keep(effects, asked, SystemClock.now());
                Ok(())
            }
            other => {
                // Explicitly: MariaDB's lock timeout takes back only the statement.
                transaction.rollback().await.map_err(outside)?;
                other.map(|_| ())
            }
        }
    }

    async fn fill(&self, tx: &DatabaseTransaction, plan: &Plan) -> Result<Vec<Effect>, Failed> {
        if let Some(person) = plan.reads_first {
            // From here on the higher levels see an old state.
            let seen = self.find(tx, person).await;
            seen.map_err(|error| Failed(None, error))?;
            tokio::time::sleep(plan.pause).await;
        }
        let mut effects = Vec::new();
        for (number, op) in plan.ops.iter().enumerate() {
            let effect = self.carry_out(tx, op).await;
            effects.extend(effect.map_err(|error| Failed(Some(number), error))?);
        }
        tokio::time::sleep(plan.open_for).await;
        Ok(effects)
    }

    async fn carry_out(&self, tx: &DatabaseTransaction, op: &Op) -> Result<Option<Effect>, DbErr> {
        use participant::Column;
        let of = |person: usize| self.people.persons[person].id();
        Ok(Some(match op {
            Op::Unsubscribe(person) => {
                let at = SimpleExpr::from(at("2024-04-01T12:00:00Z"));
                self.write(tx, *person, &[(Column::UnsubscribedAt, at)])
                    .await?
            }
            Op::ChangeAddress(person, address) => {
                let new = [
                    (Column::Email, address.as_str().into()),
                    (Column::Phone, "+32 2 555 99 99".into()),
                ];
                self.write(tx, *person, &new).await?
            }
            Op::Move(person, added_at) => {
                let added_at = SimpleExpr::from(*added_at);
                self.write(tx, *person, &[(Column::AddedAt, added_at)])
                    .await?
            }
            Op::Answer(person) => {
                let id = Uuid::now_v7();
                let row = answer::ActiveModel {
                    tenant_id: Set(self.tenant.0),
                    participant_id: Set(of(*person)),
                    id: Set(id),
                    question: Set("How was it?".to_owned()),
                    score: Set(Some(3)),
                    body: Set(None),
                    answered_at: Set(at("2024-04-01T12:00:00Z")),
                };
                answer::Entity::insert(row)
                    .exec_without_returning(tx)
                    .await?;
                Effect::Answered(*person, id)
            }
            Op::Invite(person) => {
                let row = participant::Entity::find_by_id((self.tenant.0, of(*person)))
                    .lock_exclusive()
                    .one(tx)
                    .await?;
                match row {
                    None => Effect::NoRow(*person),
                    Some(row) if row.anonymized_at.is_some() => return Ok(None),
                    Some(_) => {
                        let id = Uuid::now_v7();
                        let row = invitation::ActiveModel {
                            tenant_id: Set(self.tenant.0),
                            participant_id: Set(of(*person)),
                            id: Set(id),
                            state: Set("queued".to_owned()),
                            send_at: Set(at("2024-05-01T12:00:00Z")),
                            ..Default::default()
                        };
                        invitation::Entity::insert(row)
                            .exec_without_returning(tx)
                            .await?;
                        Effect::Invited(*person, id)
                    }
                }
            }
            Op::Add(upload, added_at, address) => {
                let id = Uuid::now_v7();
                let row = participant::ActiveModel {
                    tenant_id: Set(self.tenant.0),
                    id: Set(id),
                    upload_id: Set(*upload),
                    added_at: Set(*added_at),
                    first_name: Set(Some("Bob".to_owned())),
                    email: Set(Some(address.clone())),
                    // By the database's clock.
                    stored_at: NotSet,
                    ..Default::default()
                };
                participant::Entity::insert(row)
                    .exec_without_returning(tx)
                    .await?;
                let row = participant::Entity::find_by_id((self.tenant.0, id))
                    .one(tx)
                    .await?;
                Effect::Added(row.expect("just added"))
            }
        }))
    }

    /// `UPDATE participant SET …` of one row by its key, and the row as it is then.
    async fn write(
        &self,
        tx: &DatabaseTransaction,
        person: usize,
        values: &[(participant::Column, SimpleExpr)],
    ) -> Result<Effect, DbErr> {
        let mut update = participant::Entity::update_many()
            .filter(participant::Column::TenantId.eq(self.tenant.0))
            .filter(participant::Column::Id.eq(self.people.persons[person].id()));
        for (column, value) in values {
            update = update.col_expr(*column, value.clone());
        }
        let matched = update.exec(tx).await?.rows_affected;
        if matched == 0 {
            return Ok(Effect::NoRow(person));
        }
        let row = self.find(tx, person).await?;
        Ok(Effect::Wrote(person, row.expect("just written")))
    }

    async fn find(
        &self,
        tx: &DatabaseTransaction,
        person: usize,
    ) -> Result<Option<participant::Model>, DbErr> {
        let id = self.people.persons[person].id();
        participant::Entity::find_by_id((self.tenant.0, id))
            .one(tx)
            .await
    }

    fn keep(&mut self, effects: Vec<Effect>, asked: DateTime<Utc>, committed: DateTime<Utc>) {
        let version = |row| Version {
            row,
            asked,
            committed,
        };
        let persons = &mut self.people.persons;
        for effect in effects {
            match effect {
                Effect::Wrote(person, row) => persons[person].versions.push(version(row)),
                Effect::NoRow(person) => persons[person].was_gone = true,
                Effect::Answered(person, id) => persons[person].answers.push(id),
                Effect::Invited(person, id) => persons[person].invitations.push(id),
                Effect::Added(row) => persons.push(Person::new(version(row), [0; 4])),
            }
        }
    }

    fn refused(&mut self, op: &Op) {
        match op {
            Op::ChangeAddress(person, _) => self.people.persons[*person].was_anonymous = true,
            Op::Answer(person) => self.people.persons[*person].was_gone = true,
            Op::Add(upload, ..) => self.people.uploads_gone.push(*upload),
            Op::Unsubscribe(_) | Op::Move(..) | Op::Invite(_) => {
                panic!("{op:?} was refused by a constraint")
            }
        }
    }
}
