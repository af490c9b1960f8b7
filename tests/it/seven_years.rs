//! Seven years of months, under a clock that the test sets, with whatever happens to machines in seven
//! years: every tenant's period exactly once, never before its due instant, and within one sweep
//! interval after it when the daemon was up.
//!
//! The daemon is the real one, on a PostgreSQL whose clock is faked too. Which months are completed and
//! which are superseded is reckoned here, from the outages; what each run took, from the people.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Months, TimeDelta, Utc};
use entity::{participant, tenant_run};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use retentiond::domain::period::{Period, ScheduleHour, Zone, due_instant, newest_due_period};
use retentiond::ids::TenantId;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use crate::support::campaign::seed_or;
use crate::support::database::scratch_on;
use crate::support::faked_time::FakedMachines;
use crate::support::{Backend, Binary, Serving, World, at, holds_within};

/// DST in both hemispheres, and both sides of the date line.
const ZONES: [&str; 7] = [
    "Etc/GMT-12",
    "Pacific/Auckland",
    "Europe/Brussels",
    "UTC",
    "America/Santiago",
    "America/New_York",
    "Etc/GMT+12",
];

/// Months that the test lives through.
const MONTHS: u32 = 84;

const SWEEP: TimeDelta = TimeDelta::seconds(5);

/// Longer than anything takes on a machine that is busy with other tests.
const LONG: Duration = Duration::from_secs(60);

/// How a period came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RowOutcome {
    Completed,
    Superseded,
    /// S12: superseded, and done after all when both clocks went back to before the month that
    /// superseded it. There was nobody left to take.
    Reopened,
}

struct Tenant {
    id: TenantId,
    zone: Zone,
    /// What must be on record.
    fates: BTreeMap<Period, RowOutcome>,
}

impl Tenant {
    fn due(&self, period: Period) -> DateTime<Utc> {
        due_instant(period, &self.zone, ScheduleHour::default())
    }

    /// S2: the newest period that is due at `now` gets done, and the months since the last one do not.
    fn settle(&mut self, now: DateTime<Utc>) -> Period {
        let newest = newest_due_period(now, &self.zone, ScheduleHour::default());
        let last = self.fates.last_key_value().map(|(period, _)| *period);
        if last.is_none_or(|last| last < newest) {
            let mut missed = last.map_or(newest, Period::next);
            while missed < newest {
                self.fates.insert(missed, RowOutcome::Superseded);
                missed = missed.next();
            }
            self.fates.insert(newest, RowOutcome::Completed);
        }
        newest
    }
}

/// Dropped in this order: the daemon, then the database that it is connected to, then the server.
struct Drive {
    serving: Option<Serving>,
    world: World,
    machines: FakedMachines,
    binary: Binary,
    tenants: Vec<Tenant>,
    seed: u64,
    /// Due instants that the clock ran over while the daemon was up.
    crossed: u32,
}

impl Drive {
    async fn start(seed: u64) -> Self {
        let machines = FakedMachines::start(at("2020-01-15T12:00:00Z")).await;
        let scratch = scratch_on(Backend::Postgres, machines.url()).await;
        let world = World::new(scratch, "2020-01-15T12:00:00Z").await;
        let mut tenants = Vec::new();
        for (number, zone) in ZONES.into_iter().enumerate() {
            let id = world.tenant(&format!("tenant-{number}"), zone).await;
            world
                .policy(id, Some(1), Some(12), "2019-01-01T00:00:00Z")
                .await;
            let upload = world.upload(id).await;
            // Somebody in the middle of each month, up to the one before the last; most are from the future,
            // and undated until their month is there (E13).
            world
                .sql(&format!(
                    "INSERT INTO participant (tenant_id, id, upload_id, added_at, first_name, email, \
                     stored_at) SELECT {id}, gen_random_uuid(), '{upload}', month + INTERVAL '14 days', \
                     'Ann', 'ann@example.org', '2018-01-01' FROM generate_series(\
                     '2018-07-01 00:00+00'::timestamptz, '2027-01-01 00:00+00', '1 month') AS month"
                ))
                .await;
            tenants.push(Tenant {
                id,
                zone: crate::support::world::zone(zone),
                fates: BTreeMap::new(),
            });
        }
        let mut binary = world
            .binary()
            .env("RETENTIOND__SCHEDULE__SWEEP_INTERVAL", "5s")
            .env("RETENTIOND__ENGINE__LEASE_DURATION", "2s")
            .env("RETENTIOND__DATABASE__CONNECT_TIMEOUT", "2s");
        for (name, value) in machines.host.environment() {
            binary = binary.env(&name, &value);
        }
        Self {
            machines,
            world,
            binary,
            tenants,
            serving: None,
            seed,
            crossed: 0,
        }
    }

    fn up(&mut self) {
        if self.serving.is_none() {
            self.serving = Some(self.binary.serve());
        }
    }

    fn log(&self) -> String {
        self.serving.as_ref().map(Serving::log).unwrap_or_default()
    }

    async fn runs(&self) -> Vec<tenant_run::Model> {
        tenant_run::Entity::find()
            .order_by_asc(tenant_run::Column::TenantId)
            .order_by_asc(tenant_run::Column::Period)
            .all(&self.world.db)
            .await
            .expect("the runs")
    }

    async fn run_of(&self, tenant: usize, period: Period) -> Option<tenant_run::Model> {
        tenant_run::Entity::find()
            .filter(tenant_run::Column::TenantId.eq(self.tenants[tenant].id.0))
            .filter(tenant_run::Column::Period.eq(period.to_string()))
            .one(&self.world.db)
            .await
            .expect("a look-up")
    }

    /// Waits until everything that is due is done.
    async fn settle(&mut self) {
        let now = self.machines.now();
        for tenant in 0..self.tenants.len() {
            let period = self.tenants[tenant].settle(now);
            self.wait_completed(tenant, period).await;
        }
    }

    async fn wait_completed(&self, tenant: usize, period: Period) {
        let done = holds_within(LONG, async || {
            self.run_of(tenant, period)
                .await
                .is_some_and(|run| run.state == "completed")
        });
        assert!(
            done.await,
            "seed {}: {period} of {} was not done: {}",
            self.seed,
            ZONES[tenant],
            self.log()
        );
    }

    /// Lets the clock run over a due instant.
    async fn cross(&mut self, tenant: usize, period: Period) {
        // A daemon that has only just been started is not up yet.
        self.wait_ready().await;
        let due = self.tenants[tenant].due(period);
        self.machines.set(due - TimeDelta::milliseconds(1_200));
        self.settle_others_before(due).await;
        let early = self.run_of(tenant, period).await;
        if self.machines.now() < due {
            assert!(early.is_none(), "seed {}: early: {early:?}", self.seed);
        }
        self.wait_completed(tenant, period).await;
        // In the southern winter Auckland's clocks show what those of Etc/GMT-12 show.
        self.settle().await;
        let run = self.run_of(tenant, period).await.expect("completed");
        let started = run.started_at.expect("it was started");
        assert_eq!(run.due_at, due);
        assert!(
            due <= started && started <= due + SWEEP,
            "seed {}: {period} of {} was due at {due} and begun at {started}: {}",
            self.seed,
            ZONES[tenant],
            self.log()
        );
        self.crossed += 1;
    }

    /// Whose due instant lies before `due` is done by the jump; nobody else may be.
    async fn settle_others_before(&mut self, due: DateTime<Utc>) {
        let before = due - TimeDelta::milliseconds(1_200);
        for tenant in 0..self.tenants.len() {
            let period = self.tenants[tenant].settle(before);
            if self.tenants[tenant].due(period) <= before - TimeDelta::seconds(60) {
                self.wait_completed(tenant, period).await;
            }
        }
    }

    /// Waits for a look that a jump of the clock causes, and says how many there were.
    async fn wait_looked(&self, before: usize) {
        let looked = holds_within(LONG, async || self.looks() > before);
        assert!(
            looked.await,
            "seed {}: nobody looked: {}",
            self.seed,
            self.log()
        );
    }

    async fn wait_ready(&self) {
        let serving = self.serving.as_ref().expect("it is up");
        serving.wait_ready(LONG).await;
    }

    fn looks(&self) -> usize {
        self.log().matches("\"source\":\"clock\"").count()
    }

    /// The clock of both machines goes back; nothing is erased, early or twice.
    ///
    /// By both clocks the newest month has then not come yet, and forbids nothing (S12). Where the one
    /// before was superseded by it, that one is owed, and gets done; and the newest is done once more when
    /// its time has come, and finds nobody.
    async fn back_and_forth(&mut self, by: TimeDelta) {
        self.wait_ready().await;
        let now = self.machines.now();
        if now - by < at("2020-02-01T00:00:00Z") {
            return;
        }
        // The loop compares the clocks every second. What came before must be behind it, or its look
        // would pass for ours.
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        let before = self.runs().await;
        let looks = self.looks();
        let now = self.machines.now();
        let reopened = self.superseded_at(now - by);
        self.machines.set(now - by);
        self.wait_looked(looks).await;
        for (tenant, period) in &reopened {
            self.wait_completed(*tenant, *period).await;
            let fates = &mut self.tenants[*tenant].fates;
            fates.insert(*period, RowOutcome::Reopened);
        }
        let looks = self.looks();
        self.machines.set(now);
        self.wait_looked(looks).await;
        self.settle().await;
        let is_reopened = |run: &tenant_run::Model| {
            let mut reopened = reopened.iter();
            reopened.any(|(tenant, _)| self.tenants[*tenant].id.0 == run.tenant_id)
        };
        let after = self.runs().await;
        assert_eq!(
            before.len(),
            after.len(),
            "seed {}: back by {by}",
            self.seed
        );
        for (before, after) in before.iter().zip(&after) {
            let context = format!("seed {}: back by {by}: {before:?}, {after:?}", self.seed);
            if is_reopened(before) {
                let counts = |run: &tenant_run::Model| (run.anonymized, run.purged);
                assert_eq!(counts(before), counts(after), "{context}");
            } else {
                assert_eq!(before, after, "{context}");
            }
        }
    }

    /// Tenants whose newest due period at `now` was superseded, with that period.
    fn superseded_at(&self, now: DateTime<Utc>) -> Vec<(usize, Period)> {
        let newest =
            |tenant: &Tenant| newest_due_period(now, &tenant.zone, ScheduleHour::default());
        let tenants = self.tenants.iter().enumerate();
        tenants
            .map(|(number, tenant)| (number, newest(tenant)))
            .filter(|(number, period)| {
                self.tenants[*number].fates.get(period) == Some(&RowOutcome::Superseded)
            })
            .collect()
    }

    /// Only the host's clock is wrong: S7.
    async fn host_alone(&mut self, ahead: TimeDelta) {
        self.wait_ready().await;
        let before = self.runs().await;
        let serving = self.serving.as_ref().expect("it is up");
        let skews = serving.events("clock_skew");
        self.machines.host.set_beside(&self.machines.server, ahead);
        let noticed = holds_within(LONG, async || serving.events("clock_skew") > skews);
        assert!(
            noticed.await,
            "seed {}: not noticed: {}",
            self.seed,
            self.log()
        );
        assert!(!serving.is_ready());
        self.machines
            .host
            .set_beside(&self.machines.server, TimeDelta::zero());
        serving.wait_ready(LONG).await;
        assert_eq!(
            before,
            self.runs().await,
            "seed {}: by a wrong clock",
            self.seed
        );
    }
}

#[tokio::test]
async fn seven_years_of_months_every_period_exactly_once() {
    let seed = seed_or(20_240_401);
    let mut random = StdRng::seed_from_u64(seed);
    let mut drive = Drive::start(seed).await;
    drive.up();
    drive.settle().await;
    let first: Period = "2020-02".parse().expect("a period");
    let mut period = first;
    let mut month = 0;
    let mut incidents = BTreeMap::<&str, u32>::new();
    while month < MONTHS {
        drive.up();
        let tenant = usize::try_from(month).expect("small") % ZONES.len();
        drive.cross(tenant, period).await;
        let everywhere_due = drive.tenants.iter().map(|tenant| tenant.due(period)).max();
        let everywhere_due = everywhere_due.expect("there are tenants");
        let incident = random.random_range(0..12);
        let name = match incident {
            0 | 1 => {
                // Killed just when everybody else becomes due.
                drive.machines.set(everywhere_due + TimeDelta::seconds(1));
                tokio::time::sleep(Duration::from_millis(random.random_range(0..1_200))).await;
                drive.serving.take().expect("it is up").kill();
                drive.up();
                "killed"
            }
            2 => {
                // S1, S2: down over one to three due instants.
                let (status, log) = drive.serving.take().expect("up").terminate(LONG).await;
                assert_eq!(status.code(), Some(0), "{log}");
                let months = random.random_range(1..=3);
                for _ in 0..months {
                    period = period.next();
                    month += 1;
                }
                drive
                    .machines
                    .set(everywhere_due + Months::new(months) + TimeDelta::days(2));
                drive.up();
                "down"
            }
            3 => {
                drive.machines.stop_server().await;
                drive.machines.set(everywhere_due + TimeDelta::hours(3));
                tokio::time::sleep(Duration::from_millis(1_500)).await;
                drive.machines.start_server().await;
                "no server"
            }
            4 => {
                // Up, and the clock leaps over two due instants, as after a suspended month.
                period = period.next().next();
                month += 2;
                drive
                    .machines
                    .set(everywhere_due + Months::new(2) + TimeDelta::days(3));
                "leap"
            }
            _ => {
                drive.machines.set(everywhere_due + TimeDelta::minutes(5));
                "none"
            }
        };
        drive.settle().await;
        *incidents.entry(name).or_default() += 1;
        match random.random_range(0..12) {
            0 => drive.back_and_forth(TimeDelta::hours(1)).await,
            1 => drive.back_and_forth(TimeDelta::days(40)).await,
            2 => drive.host_alone(TimeDelta::days(31)).await,
            _ => {}
        }
        period = period.next();
        month += 1;
    }
    assert!(
        incidents.len() == 5,
        "seed {seed}: choose one with every kind: {incidents:?}"
    );
    assert!(
        drive.crossed >= MONTHS / 2,
        "seed {seed}: {} crossed",
        drive.crossed
    );
    check(&drive).await;
}

/// What is on record is what had to happen, and each run took whom it had to take.
async fn check(drive: &Drive) {
    let verified = drive.binary.run(&["verify"]);
    assert_eq!(
        verified.code, 0,
        "seed {}: {}{}",
        drive.seed, verified.stdout, verified.stderr
    );
    let mut recorded = BTreeMap::new();
    for run in drive.runs().await {
        let before = recorded.insert((run.tenant_id, run.period.clone()), run);
        assert!(before.is_none(), "one run a period");
    }
    let mut expected = 0;
    for tenant in &drive.tenants {
        let (mut anonymized_before, mut purged_before) =
            (DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MIN_UTC);
        for (period, fate) in &tenant.fates {
            expected += 1;
            let run = &recorded[&(tenant.id.0, period.to_string())];
            let context = format!("seed {}, {} {period}: {run:?}", drive.seed, tenant.zone);
            match fate {
                RowOutcome::Superseded => assert_eq!(run.state, "superseded", "{context}"),
                RowOutcome::Reopened => {
                    assert_eq!(run.state, "completed", "{context}");
                    assert_eq!((run.anonymized, run.purged), (0, 0), "{context}");
                }
                RowOutcome::Completed => {
                    assert_eq!(run.state, "completed", "{context}");
                    assert!(
                        run.started_at >= Some(tenant.due(*period)),
                        "early: {context}"
                    );
                    let anonymize = tenant
                        .zone
                        .first_instant_of(period.previous().nominal_date());
                    let purge = tenant.zone.first_instant_of(
                        period.minus(12.try_into().expect("a year")).nominal_date(),
                    );
                    assert_eq!(run.anonymize_cutoff, Some(anonymize), "{context}");
                    assert_eq!(run.purge_cutoff, Some(purge), "{context}");
                    let purged = people_between(purged_before, purge);
                    let anonymized = people_between(anonymized_before.max(purge), anonymize);
                    assert_eq!(run.purged, purged, "{context}");
                    assert_eq!(run.anonymized, anonymized, "{context}");
                    (anonymized_before, purged_before) = (anonymize, purge);
                }
            }
        }
        let left = participant::Entity::find()
            .filter(participant::Column::TenantId.eq(tenant.id.0))
            .all(&drive.world.db)
            .await
            .expect("who is left");
        assert_eq!(
            i64::try_from(left.len()).expect("few"),
            people_between(purged_before, DateTime::<Utc>::MAX_UTC)
        );
        for person in left {
            assert!(person.added_at >= purged_before);
            let is_due = person.added_at < anonymized_before;
            assert_eq!(person.anonymized_at.is_some(), is_due, "{person:?}");
            assert_eq!(person.email.is_none(), is_due, "{person:?}");
        }
    }
    assert_eq!(
        recorded.len(),
        expected,
        "seed {}: and no other run",
        drive.seed
    );
}

/// How many of a tenant's people were added from `from` on and before `to`; see [`Drive::start`].
fn people_between(from: DateTime<Utc>, to: DateTime<Utc>) -> i64 {
    let first = at("2018-07-01T00:00:00Z");
    let added = (0..)
        .map(|month| first + Months::new(month) + TimeDelta::days(14))
        .take_while(|added| *added < at("2027-01-20T00:00:00Z"));
    let count = added.filter(|added| from <= *added && *added < to).count();
    i64::try_from(count).expect("few")
}
