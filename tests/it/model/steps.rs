//! One transition at both, and the comparison after it.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use retentiond::engine::due::Scope;

use super::crash::{disturbed_pass, resolve};
use super::look::Look;
use super::reference::{Import, Reference, TENANTS_MAX};
use super::runs::End;
use super::service::{Checked, Service, require_equal};
use super::transitions::{NewTenant, Pick, Row, Start, Transition};
use crate::support::at;

/// What came about in a campaign; a suite in which nothing happens would pass, too.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub transitions: u64,
    pub runs: u64,
    pub anonymized: u64,
    pub purged: u64,
    pub hashes: u64,
    pub uploads_removed: u64,
    pub faults: u64,
    /// Runs that a fault left with a part of their people erased.
    pub half_done: u64,
    pub recognised: u64,
    /// Times that `verify` found late rows, overdue ones, and people without a date.
    pub late: u64,
    pub overdue: u64,
    pub undated: u64,
    /// Claims that were refused: after a gap (S13), or covered by a newer month.
    pub refused: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.transitions += other.transitions;
        self.runs += other.runs;
        self.anonymized += other.anonymized;
        self.purged += other.purged;
        self.hashes += other.hashes;
        self.uploads_removed += other.uploads_removed;
        self.faults += other.faults;
        self.half_done += other.half_done;
        self.recognised += other.recognised;
        self.late += other.late;
        self.overdue += other.overdue;
        self.undated += other.undated;
        self.refused += other.refused;
    }
}

impl Tally {
    /// What a bounded campaign has at least.
    pub fn assert_that_enough_happened(&self) {
        let counts = [
            self.runs,
            self.anonymized,
            self.purged,
            self.hashes,
            self.uploads_removed,
            self.half_done,
            self.recognised,
            self.late,
            self.undated,
        ];
        assert!(counts.iter().all(|count| *count > 0), "{self:?}");
    }
}

impl Service {
    /// Makes the tenants that a case begins with.
    pub async fn start(&mut self, reference: &mut Reference, start: &Start) -> Checked {
        self.set_clock(reference.now);
        for (place, tenant) in start.tenants.iter().enumerate() {
            self.make_tenant(reference, place, tenant).await;
        }
        self.compare(reference, &mut Tally::default()).await
    }

    /// Does the same at both, and compares them.
    pub async fn step(
        &mut self,
        reference: &mut Reference,
        transition: &Transition,
        tally: &mut Tally,
    ) -> Checked {
        tally.transitions += 1;
        match transition {
            Transition::Tick { is_confirmed } => {
                self.tick(reference, *is_confirmed, tally).await?;
            }
            Transition::SetClock(clock) => {
                reference.set_clock(*clock);
                self.set_clock(reference.now);
            }
            Transition::Insert {
                tenant,
                upload,
                rows,
            } => {
                let tenant = of(*tenant, reference);
                let uploads = &reference.tenants[tenant].uploads;
                let upload = upload.and_then(|upload| upload.of(uploads.len()));
                let upload = upload.and_then(|place| uploads.keys().nth(place).copied());
                self.insert_rows(reference, tenant, upload, rows).await;
            }
            Transition::Import {
                tenant,
                rows,
                accepted,
                again,
            } => {
                let tenant = of(*tenant, reference);
                let file = reference.file(tenant, rows);
                let zone = reference.tenants[tenant].reckoning();
                let accepted_at = accepted.map(|age| age.before(reference.now, zone));
                let import = (file, accepted_at, *again);
                self.import_file(reference, tenant, import, tally).await?;
            }
            Transition::ImportAgain {
                tenant,
                file,
                again,
            } => {
                if let Some(place) = file.of(reference.files.len()) {
                    let import = (reference.files[place].clone(), None, *again);
                    let tenant = of(*tenant, reference);
                    self.import_file(reference, tenant, import, tally).await?;
                }
            }
            Transition::Policy {
                tenant,
                change,
                from,
            } => {
                let now = reference.now;
                let tenant = of(*tenant, reference);
                let tenant = &mut reference.tenants[tenant];
                tenant.set_policy(*change, from.before(now, tenant.reckoning()));
                let slug = tenant.slug.clone();
                self.set_policy(reference, &slug).await;
            }
            Transition::Crash {
                fault,
                leases_expire,
            } => {
                disturbed_pass(self, reference.now, *fault).await;
                self.set_clock(reference.now);
                self.look = Look::take(&self.world.db).await;
                tally.faults += 1;
                tally.half_done += resolve(reference, *fault, &self.look)?;
                // Before the leases have run out, and after.
                self.compare(reference, tally).await?;
                if *leases_expire {
                    self.let_leases_expire(reference).await;
                }
            }
            Transition::LeasesExpire => self.let_leases_expire(reference).await,
            Transition::RunPeriod { tenant, back } => {
                let tenant = of(*tenant, reference);
                let newest = reference.tenants[tenant].period(reference.now, None);
                let period = newest.minus(i32::from(*back));
                let scope = Scope {
                    tenants: vec![reference.tenants[tenant].slug.clone()],
                    period: Some(period.to_string().parse().expect("a period")),
                };
                let found = self.pass(&scope).await;
                let end = reference.run(tenant, Some(period), false);
                let slug = reference.tenants[tenant].slug.clone();
                tally.add_run(&end);
                let expected = BTreeMap::from([(slug, end)]);
                require_equal("the named pass", &expected, &found)?;
            }
            Transition::Unsubscribe { tenant, address } => {
                let tenant = of(*tenant, reference);
                let address = address.text();
                let expected = reference.unsubscribe(tenant, &address);
                let tenant = &reference.tenants[tenant];
                let zone = tenant.reckoning();
                let found = self.unsubscribe(&tenant.slug, zone, &address).await;
                require_equal("marked and called off", &expected, &found)?;
            }
            Transition::Mark {
                tenant,
                person,
                since,
            } => {
                let now = reference.now;
                let tenant = of(*tenant, reference);
                let tenant = &mut reference.tenants[tenant];
                let since = since.before(now, tenant.reckoning());
                if let Some(place) = person.of(tenant.people.len()) {
                    let (key, person) = tenant.people.iter_mut().nth(place).expect("in range");
                    person.seen.unsubscribed_at.get_or_insert(since);
                    let id = self.look.people_ids[key];
                    self.mark(self.tenant(&tenant.slug), id, since).await;
                }
            }
            Transition::Date {
                tenant,
                person,
                added,
            } => {
                let now = reference.now;
                let tenant = of(*tenant, reference);
                let tenant = &mut reference.tenants[tenant];
                let added = match added {
                    Some(age) => age.before(now, tenant.reckoning()),
                    // What Go and .NET write for "no time".
                    None => at("0001-01-01T00:00:00Z"),
                };
                if let Some(place) = person.of(tenant.people.len()) {
                    let (key, person) = tenant.people.iter_mut().nth(place).expect("in range");
                    person.seen.added_at = added;
                    let id = self.look.people_ids[key];
                    let added = added.format("%Y-%m-%d %H:%M:%S%.f").to_string();
                    self.world
                        .move_to(self.tenant(&tenant.slug), id, &added)
                        .await;
                }
            }
            Transition::Answer { tenant, person } => {
                let (now, event) = (reference.now, reference.event());
                let tenant = of(*tenant, reference);
                let tenant = &mut reference.tenants[tenant];
                if let Some(place) = person.of(tenant.people.len()) {
                    let (key, person) = tenant.people.iter_mut().nth(place).expect("in range");
                    let body = format!("late {event}");
                    let line = format!("How was it? None Some({body:?}) {now}");
                    person.seen.answers.insert(line);
                    let id = self.look.people_ids[key];
                    let slug = &tenant.slug;
                    self.answer(self.tenant(slug), id, None, &body, now).await;
                }
            }
            Transition::AddTenant(tenant) => {
                if reference.tenants.len() < TENANTS_MAX {
                    reference.add_tenant(tenant);
                    let place = reference.tenants.len() - 1;
                    self.make_tenant(reference, place, tenant).await;
                }
            }
            Transition::Move { tenant, zone } => {
                let tenant = of(*tenant, reference);
                let tenant = &mut reference.tenants[tenant];
                tenant.zone = *zone;
                self.move_tenant(&tenant.slug, *zone).await;
            }
        }
        self.compare(reference, tally).await
    }

    /// Whatever was left undone is done by the next pass, and the pass after it changes nothing (S6).
    pub async fn finish(&mut self, reference: &mut Reference, tally: &mut Tally) -> Checked {
        self.let_leases_expire(reference).await;
        self.tick(reference, true, tally).await?;
        self.compare(reference, tally).await?;
        for tenant in &reference.tenants {
            // A tenant that moved west has its period again to come; the run goes on when it does.
            let unfinished = tenant.runs.iter().next_back().filter(|(period, run)| {
                tenant
                    .zone
                    .is_some_and(|zone| period.begins(zone) <= reference.now)
                    && matches!(run.seen.state, "pending" | "running")
            });
            require_equal("left undone", &None, &unfinished.map(|(period, _)| period))?;
        }
        let runs = |reference: &Reference| {
            let tenants = reference.tenants.iter();
            tenants
                .map(|tenant| tenant.people.len())
                .collect::<Vec<_>>()
        };
        let before = runs(reference);
        self.tick(reference, false, tally).await?;
        require_equal("S6: a second pass", &before, &runs(reference))?;
        self.compare(reference, tally).await
    }

    async fn tick(
        &mut self,
        reference: &mut Reference,
        is_confirmed: bool,
        tally: &mut Tally,
    ) -> Checked {
        self.world.engine.is_gap_confirmed = is_confirmed;
        let found = self.pass(&Scope::default()).await;
        self.world.engine.is_gap_confirmed = false;
        let mut expected = BTreeMap::new();
        for tenant in 0..reference.tenants.len() {
            let end = reference.run(tenant, None, is_confirmed);
            tally.refused += u64::from(end.0 == End::Refused);
            tally.add_run(&end);
            expected.insert(reference.tenants[tenant].slug.clone(), end);
        }
        require_equal("the pass", &expected, &found)
    }

    async fn let_leases_expire(&mut self, reference: &mut Reference) {
        self.expire_leases().await;
        let tenants = reference.tenants.iter_mut();
        for run in tenants.flat_map(|tenant| tenant.runs.values_mut()) {
            run.seen.held = false;
        }
    }

    async fn make_tenant(&mut self, reference: &mut Reference, place: usize, new: &NewTenant) {
        let tenant = &reference.tenants[place];
        let slug = tenant.slug.clone();
        let zone = tenant.reckoning().name();
        let id = self.world.tenant(&slug, zone).await;
        self.look.tenant_ids.insert(slug.clone(), id);
        if !tenant.policies.is_empty() {
            self.set_policy(reference, &slug).await;
        }
        for rows in new.people.chunks(2) {
            self.insert_rows(reference, place, None, rows).await;
        }
    }

    /// Inserts rows into one upload, a new one unless it is named.
    async fn insert_rows(
        &mut self,
        reference: &mut Reference,
        tenant: usize,
        mut upload: Option<u32>,
        rows: &[Row],
    ) {
        for row in rows {
            let key = reference.insert(tenant, upload, row);
            upload = Some(key.0);
            let tenant = &reference.tenants[tenant];
            let person = &tenant.people[&key].seen;
            self.insert(&tenant.slug, key, person, reference.now).await;
        }
    }

    /// Stores the newest version.
    async fn set_policy(&self, reference: &Reference, slug: &str) {
        let mut tenants = reference.tenants.iter();
        let tenant = tenants
            .find(|tenant| tenant.slug == slug)
            .expect("a tenant");
        let newest = tenant.policies.last().expect("a version");
        let (anonymize, retain) = (newest.anonymize, newest.retain);
        let from = newest.from.to_rfc3339();
        let id = self.tenant(slug);
        self.world.policy(id, anonymize, retain, &from).await;
    }

    async fn import_file(
        &self,
        reference: &mut Reference,
        tenant: usize,
        (file, accepted_at, again): (
            super::reference::File,
            Option<chrono::DateTime<chrono::Utc>>,
            bool,
        ),
        tally: &mut Tally,
    ) -> Checked {
        let Some(zone) = reference.tenants[tenant].zone else {
            // The command refuses before it comes to the file.
            return Ok(());
        };
        let accepted = accepted_at.unwrap_or(reference.now);
        let (number, expected) = reference.import(tenant, &file, accepted, again);
        let slug = &reference.tenants[tenant].slug;
        let found = self
            .import((slug, zone), number, &file, accepted_at, again)
            .await;
        if let Import::Done { recognised, .. } = expected {
            tally.recognised += recognised;
        }
        require_equal("the import", &expected, &found)
    }

    /// Everything that is stored, and what `verify` says of it.
    async fn compare(&mut self, reference: &Reference, tally: &mut Tally) -> Checked {
        self.look = Look::take(&self.world.db).await;
        let keyring = &self.world.engine.keyring;
        let differences = self.look.differences(reference, keyring);
        if !differences.is_empty() {
            return Err(format!("\n  {}", differences.join("\n  ")));
        }
        let found = self.verdicts().await?;
        let mut expected = BTreeMap::new();
        for tenant in &reference.tenants {
            let period = tenant.period(reference.now, None).to_string();
            let verdict = tenant.verdict(reference.now);
            tally.late += u64::from(verdict.late > 0);
            tally.undated += u64::from(verdict.people.undated > 0);
            tally.overdue += u64::from(verdict.overdue_anonymize + verdict.overdue_purge > 0);
            expected.insert(tenant.slug.clone(), (period, verdict));
        }
        require_equal("verify", &expected, &found)
    }
}

impl Tally {
    fn add_run(&mut self, (end, counts): &(End, retentiond::domain::counts::Counts)) {
        self.runs += u64::from(*end == End::Claimed);
        self.anonymized += counts.anonymized;
        self.purged += counts.purged;
        self.hashes += counts.suppressions;
        self.uploads_removed += counts.uploads_removed;
    }
}

/// The tenant meant; there is always one.
fn of(pick: Pick, reference: &Reference) -> usize {
    pick.of(reference.tenants.len()).unwrap_or_default()
}
