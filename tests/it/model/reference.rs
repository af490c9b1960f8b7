//! The reference: the platform in memory, and what must become of it, by `docs/semantics.md`.
//!
//! It shares no rule with the service. Months, cutoffs, addresses and policies are reckoned here, in
//! the simplest way that can be right. People who come in and who unsubscribe are in this file; what
//! a run does to them is in [`super::runs`].

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::calendar::{Month, Tz, month_text};
use super::seen::{EMAIL, Key, Person, Run, Upload};
use super::transitions::{Age, Change, Clock, NewTenant, Row, Start};

/// More would only make each pass longer.
pub const TENANTS_MAX: usize = 3;

/// The platform.
#[derive(Clone, Debug)]
pub struct Reference {
    /// The host's clock; the database's is always later.
    pub now: DateTime<Utc>,
    pub tenants: Vec<Tenant>,
    /// Files that were imported, or refused.
    pub files: Vec<File>,
    /// Numbers events, so that it is known what was stored before what.
    pub events: u64,
    /// Numbers uploads.
    pub uploads: u32,
}

#[derive(Clone, Debug)]
pub struct Tenant {
    pub slug: String,
    /// None = one that nobody knows.
    pub zone: Option<Tz>,
    pub policies: Vec<Policy>,
    pub uploads: BTreeMap<u32, Stored<Upload>>,
    pub people: BTreeMap<Key, Stored<Person>>,
    /// By address, in its normal form; and the months that may stand beside the hash. Of several
    /// rows that a run erases, the batch that comes first decides which.
    pub hashes: BTreeMap<String, BTreeSet<String>>,
    /// With the event of the first claim.
    pub runs: BTreeMap<Month, Stored<Run>>,
    /// The contents of uploads that are stored.
    pub contents: BTreeMap<u32, File>,
}

/// Something that is stored, since which event.
#[derive(Clone, Debug)]
pub struct Stored<T> {
    pub seen: T,
    pub since: u64,
}

#[derive(Clone, Copy, Debug)]
pub struct Policy {
    pub anonymize: Option<i32>,
    pub retain: Option<i32>,
    pub from: DateTime<Utc>,
}

/// A file to import: rows, each with its `added_at`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    pub rows: Vec<FileRow>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRow {
    pub added_at: DateTime<Utc>,
    pub fields: [Option<String>; 5],
    pub metadata: BTreeMap<String, String>,
}

/// What an import must report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Import {
    /// The same content is stored already (E9).
    Refused,
    /// The time of acceptance is in the future.
    Unusable,
    Done {
        accepted: u64,
        rejected: u64,
        recognised: u64,
    },
}

/// An address in its normal form, if it has one. Good enough for the addresses used here.
pub fn normal(address: &str) -> Option<String> {
    let is_padding = |c: char| c.is_whitespace() || c == '\u{200b}' || c == '\u{feff}';
    let (local, domain) = address.trim_matches(is_padding).rsplit_once('@')?;
    let domain = domain.trim_end_matches('.');
    Some(format!("{local}@{domain}").to_lowercase())
}

impl Reference {
    pub fn new(start: &Start) -> Self {
        let mut reference = Self {
            now: start.now,
            tenants: Vec::new(),
            files: Vec::new(),
            events: 0,
            uploads: 0,
        };
        for tenant in &start.tenants {
            reference.add_tenant(tenant);
        }
        reference
    }

    pub fn add_tenant(&mut self, new: &NewTenant) {
        let mut tenant = Tenant {
            slug: format!("tenant-{}", self.tenants.len()),
            zone: Some(new.zone),
            policies: Vec::new(),
            uploads: BTreeMap::new(),
            people: BTreeMap::new(),
            hashes: BTreeMap::new(),
            runs: BTreeMap::new(),
            contents: BTreeMap::new(),
        };
        if let Some((anonymize, retain, since)) = new.policy {
            let change = Change::Set { anonymize, retain };
            tenant.set_policy(change, since.before(self.now, new.zone));
        }
        self.tenants.push(tenant);
    }

    pub fn event(&mut self) -> u64 {
        self.events += 1;
        self.events
    }

    pub fn set_clock(&mut self, clock: Clock) {
        let time = match clock {
            Clock::Days(days) => self.now + TimeDelta::days(i64::from(days)),
            Clock::Month {
                tenant,
                ahead,
                edge,
            } => {
                let zone = tenant
                    .of(self.tenants.len())
                    .map_or(Tz::UTC, |tenant| self.tenants[tenant].reckoning());
                Age::Month { back: -ahead, edge }.before(self.now, zone)
            }
        };
        let limit = |text: &str| text.parse().expect("a time");
        // Later, and it would not be the earlier of the two clocks any more (S10).
        self.now = time.clamp(limit("2020-01-02T00:00:00Z"), limit("2025-12-15T00:00:00Z"));
    }

    /// A row of the platform's own. Returns its place.
    pub fn insert(&mut self, tenant: usize, upload: Option<u32>, row: &Row) -> Key {
        let event = self.event();
        let (now, zone) = (self.now, self.tenants[tenant].reckoning());
        let number = upload.unwrap_or_else(|| {
            self.uploads += 1;
            self.uploads
        });
        let tenant = &mut self.tenants[tenant];
        tenant.uploads.entry(number).or_insert(Stored {
            seen: Upload {
                rows: 1,
                accepted_at: now,
                first_purged_at: None,
            },
            since: event,
        });
        // Never a line that somebody had before, gone or not.
        let line = u32::try_from(event).expect("few events") + 1_000;
        let FileRow {
            added_at,
            fields,
            metadata,
        } = file_row(row, line, now, zone);
        let answer = format!("How was it? Some(7) Some(\"Good\") {added_at}");
        let message = format!("in Thank you {added_at}");
        let person = Person {
            added_at,
            fields,
            metadata,
            unsubscribed_at: row.marked.map(|since| since.before(now, zone)),
            anonymized_at: None,
            answers: BTreeSet::from([answer]),
            messages: BTreeSet::from([message]),
            invitations: vec![invitation("queued", added_at), invitation("sent", added_at)],
        };
        let since = event;
        let seen = person;
        tenant.people.insert((number, line), Stored { seen, since });
        (number, line)
    }

    /// A file of these rows.
    pub fn file(&mut self, tenant: usize, rows: &[Row]) -> File {
        let (now, zone) = (self.now, self.tenants[tenant].reckoning());
        let rows = rows.iter().zip(1_u32..);
        let file = File {
            rows: rows
                .map(|(row, line)| file_row(row, line, now, zone))
                .collect(),
        };
        self.files.push(file.clone());
        file
    }

    /// An import; the number of its upload, which it gets if a row of it is accepted.
    pub fn import(
        &mut self,
        tenant: usize,
        file: &File,
        accepted_at: DateTime<Utc>,
        again: bool,
    ) -> (u32, Import) {
        let event = self.event();
        let now = self.now;
        self.uploads += 1;
        let number = self.uploads;
        let tenant = &mut self.tenants[tenant];
        if accepted_at > now {
            return (number, Import::Unusable);
        }
        if !again && tenant.contents.values().any(|known| known == file) {
            return (number, Import::Refused);
        }
        // U6, and U5: what stood there before this upload counts.
        let mut known: BTreeSet<String> = tenant.hashes.keys().cloned().collect();
        let people = tenant.people.values();
        let marked = people.filter(|person| person.seen.unsubscribed_at.is_some());
        known.extend(marked.filter_map(|person| person.seen.address()));
        let (mut accepted, mut recognised) = (0, 0);
        for (row, line) in file.rows.iter().zip(1..) {
            if row.added_at > now || row.fields.iter().all(Option::is_none) {
                continue;
            }
            accepted += 1;
            let mut person = Person {
                added_at: row.added_at,
                fields: row.fields.clone(),
                metadata: row.metadata.clone(),
                ..Person::default()
            };
            if person
                .address()
                .is_some_and(|address| known.contains(&address))
            {
                recognised += 1;
                person.unsubscribed_at = Some(accepted_at);
            } else {
                person.invitations = vec![invitation("queued", accepted_at)];
            }
            let since = event;
            let stored = Stored {
                seen: person,
                since,
            };
            tenant.people.insert((number, line), stored);
        }
        if accepted > 0 {
            let upload = Upload {
                rows: i64::try_from(accepted).expect("few"),
                accepted_at,
                first_purged_at: None,
            };
            let stored = Stored {
                seen: upload,
                since: event,
            };
            tenant.uploads.insert(number, stored);
            tenant.contents.insert(number, file.clone());
        }
        let rejected = file.rows.len() as u64 - accepted;
        let done = Import::Done {
            accepted,
            rejected,
            recognised,
        };
        (number, done)
    }

    /// Returns how many rows were marked, and how many invitations called off.
    pub fn unsubscribe(&mut self, tenant: usize, address: &str) -> (u64, u64) {
        let now = self.now;
        let tenant = &mut self.tenants[tenant];
        let address = normal(address).expect("an address");
        let months = BTreeSet::from([month_text(now)]);
        tenant.hashes.entry(address.clone()).or_insert(months);
        let (mut marked, mut expired) = (0, 0);
        for person in tenant.people.values_mut() {
            if person.seen.address().as_ref() == Some(&address) {
                if person.seen.unsubscribed_at.is_none() {
                    person.seen.unsubscribed_at = Some(now);
                    marked += 1;
                }
                expired += person.seen.expire();
            }
        }
        (marked, expired)
    }
}

impl Tenant {
    /// Of a tenant in a zone that nobody knows nothing is erased; its failures are dated in UTC.
    pub fn reckoning(&self) -> Tz {
        self.zone.unwrap_or(Tz::UTC)
    }

    /// Adds a version.
    pub fn set_policy(&mut self, change: Change, from: DateTime<Utc>) {
        let newest = self.policies.last();
        let (a, r) = newest.map_or((None, None), |newest| (newest.anonymize, newest.retain));
        let (anonymize, retain) = match change {
            Change::Set { anonymize, retain } => {
                let anonymize = anonymize.map(i32::from);
                (anonymize, retain.map(i32::from))
            }
            Change::Lengthen(by) => (
                a.map(|months| months + i32::from(by)),
                r.map(|months| months + i32::from(by)),
            ),
            Change::Shorten(by) => (
                a.map(|months| (months - i32::from(by)).max(1)),
                r.map(|months| (months - i32::from(by)).max(12)),
            ),
            Change::Clear => (None, None),
        };
        // P5.
        let anonymize = match (anonymize, retain) {
            (Some(a), Some(r)) => Some(a.min(r - 1)),
            (a, _) => a,
        };
        self.policies.push(Policy {
            anonymize,
            retain,
            from,
        });
    }

    /// The number of the version that counts at a moment: the highest of those that are effective.
    pub fn version_at(&self, moment: DateTime<Utc>) -> Option<usize> {
        self.policies
            .iter()
            .rposition(|policy| policy.from <= moment)
    }
}

impl Person {
    /// The address, if it has one that can be normalised.
    pub fn address(&self) -> Option<String> {
        self.fields[EMAIL].as_deref().and_then(normal)
    }

    /// Calls off what is queued; returns how many.
    pub fn expire(&mut self) -> u64 {
        let mut count = 0;
        for invitation in &mut self.invitations {
            if let Some(rest) = invitation.strip_prefix("queued") {
                // ` 2024-02-29 22:59:59 UTC`: the month stays.
                *invitation = format!("expired{}-01 00:00:00 UTC", &rest[..8]);
                count += 1;
            }
        }
        self.invitations.sort();
        count
    }
}

/// An invitation as it is compared.
pub fn invitation(state: &str, send_at: DateTime<Utc>) -> String {
    format!("{state} {send_at}")
}

/// A row at this time, and with its line, by which it is known, among its metadata.
fn file_row(row: &Row, line: u32, now: DateTime<Utc>, zone: Tz) -> FileRow {
    let mut metadata = BTreeMap::from([("line".to_owned(), line.to_string())]);
    if row.team {
        metadata.insert("team".to_owned(), "Blue".to_owned());
    }
    FileRow {
        added_at: row.added.before(now, zone),
        fields: [
            row.name.then(|| "Ann".to_owned()),
            row.name.then(|| "Peeters".to_owned()),
            row.address.map(|address| address.text()),
            row.phone.then(|| "+32 2 555 01 23".to_owned()),
            row.customer_id.then(|| format!("C-{line}")),
        ],
        metadata,
    }
}
