//! Fills the scratch database: the example tenant with its hand-placed people, and tenants in five
//! time zones, with as many policies, whose participants were uploaded over three years.
//!
//! The same seed gives the same people. Nothing is written in a loop of single rows: whoever waits
//! for a demo does not wait for long.

use chrono::{DateTime, Days, TimeDelta, Utc};
use rand::seq::IndexedRandom;
use rand::{Rng, RngCore};
use uuid::Uuid;

use crate::domain::cutoff::Cutoffs;
use crate::domain::period::{Months, Period, ScheduleHour, Zone, due_instant};
use crate::domain::policy::{Terms, Version};
use crate::domain::suppression::TenantHasher;
use crate::engine::Engine;
use crate::ids::TenantId;
use crate::store::{Transaction, policies, tenants};

use super::names::{COMMENTS, COUNTRIES, REPLIES, TEAMS};
use super::people::{PEOPLE, Person};
use super::rows::{Fared, NewParticipant, Parent, Rows, UploadOf, id_at};
use super::{DemoError, period};

/// Slug of the specification's example.
pub(super) const EXAMPLE: &str = "example";

/// A tenant to be made.
struct TenantPlan {
    slug: &'static str,
    name: &'static str,
    zone: &'static str,
    /// Months to anonymization and to deletion; `None` for both = no policy at all.
    anonymize: Option<u16>,
    retain: Option<u16>,
}

const fn tenant(
    slug: &'static str,
    name: &'static str,
    zone: &'static str,
    anonymize: Option<u16>,
    retain: Option<u16>,
) -> TenantPlan {
    TenantPlan {
        slug,
        name,
        zone,
        anonymize,
        retain,
    }
}

const FURTHER_TENANTS: [TenantPlan; 5] = [
    tenant(
        "aroha-power",
        "Aroha Power",
        "Pacific/Auckland",
        Some(2),
        Some(24),
    ),
    tenant("bookshop", "Lotus Books", "Asia/Kolkata", None, None),
    tenant(
        "city-bikes",
        "City Bikes",
        "America/Sao_Paulo",
        Some(1),
        None,
    ),
    tenant(
        "daily-rail",
        "Daily Rail",
        "America/New_York",
        Some(3),
        Some(18),
    ),
    tenant("east-clinic", "East Clinic", "Asia/Tokyo", None, Some(12)),
];

/// Months over which the participants are spread, and uploads in each.
const MONTHS: usize = 36;
const UPLOADS_A_MONTH: usize = 2;

/// Participants that are held back until they are written together.
const WRITE_PARTICIPANTS: usize = 2_000;

/// A tenant as it was made, with what the specification says must become of its participants.
pub struct Seeded {
    pub(super) tenant: TenantId,
    pub(super) slug: &'static str,
    pub(super) zone: Zone,
    pub(super) terms: Terms,
    pub(super) effective_from: DateTime<Utc>,
    pub(super) cutoffs: Cutoffs,
    pub(super) participants: u64,
    /// Counted from what was made, not from the database: the check on the engine.
    pub(super) to_anonymize: u64,
    pub(super) to_delete: u64,
    /// Of the hand-placed people, in their order.
    pub(super) people: Vec<Uuid>,
}

impl Seeded {
    fn count(&mut self, added_at: DateTime<Utc>) {
        let before = |cutoff: Option<DateTime<Utc>>| cutoff.is_some_and(|cutoff| added_at < cutoff);
        self.participants += 1;
        if before(self.cutoffs.purge) {
            self.to_delete += 1;
        } else if before(self.cutoffs.anonymize) {
            self.to_anonymize += 1;
        }
    }
}

/// Makes the example tenant, and further ones with `participants` between them.
///
/// # Errors
///
/// The database's.
pub async fn seed(
    engine: &Engine,
    participants: u32,
    now: DateTime<Utc>,
    random: &mut impl RngCore,
) -> Result<Vec<Seeded>, DemoError> {
    let brussels = tenant(EXAMPLE, "The example", "Europe/Brussels", Some(1), Some(12));
    let transaction = engine.database.begin("seeding the demo").await?;
    let mut example = add_tenant(&transaction, &brussels, now).await?;
    let hasher = engine.keyring.for_tenant(example.tenant);
    let mut rows = Rows::default();
    for person in &PEOPLE {
        let id = place(&mut rows, &mut example, &hasher, person, random);
        example.people.push(id);
    }
    rows.write(&transaction).await?;
    transaction.commit().await?;

    let mut seeded = vec![example];
    let tenants = u32::try_from(FURTHER_TENANTS.len()).unwrap_or(1);
    for (position, plan) in (0_u32..).zip(&FURTHER_TENANTS) {
        let share = participants / tenants + u32::from(position < participants % tenants);
        let transaction = engine.database.begin("seeding the demo").await?;
        let mut tenant = add_tenant(&transaction, plan, now).await?;
        let hasher = engine.keyring.for_tenant(tenant.tenant);
        populate(&transaction, &mut tenant, &hasher, share, random).await?;
        transaction.commit().await?;
        seeded.push(tenant);
    }
    Ok(seeded)
}

async fn add_tenant(
    transaction: &Transaction,
    plan: &TenantPlan,
    now: DateTime<Utc>,
) -> Result<Seeded, DemoError> {
    let zone: Zone = plan.zone.parse().expect("a zone of the list above");
    let months = |months: Option<u16>| {
        months.map(|months| Months::try_from(i64::from(months)).expect("months of the list above"))
    };
    let terms = Terms::new(months(plan.anonymize), months(plan.retain), None, false)
        .expect("the policies of the list above keep the rules");
    let row = tenants::add(transaction, plan.slug, plan.name, plan.zone, now).await?;
    let tenant = TenantId(row.id);
    // Backdated, which is allowed and recorded: the run of 2024-04 asks which version ruled then.
    let effective_from = zone.first_instant_of(month(0).nominal_date());
    if !terms.is_empty() {
        let version = Version {
            number: 1,
            terms,
            effective_from,
            created_at: now,
            created_by: "retentiond demo".to_owned(),
            reason: "an example".to_owned(),
        };
        policies::add(transaction, tenant, &version).await?;
    }
    Ok(Seeded {
        tenant,
        slug: plan.slug,
        zone,
        terms,
        effective_from,
        cutoffs: Cutoffs::of(period(), zone, &terms),
        participants: 0,
        to_anonymize: 0,
        to_delete: 0,
        people: Vec::new(),
    })
}

/// The month of that number, counted so that the last one is the month before the run.
fn month(index: usize) -> Period {
    let mut month = period();
    for _ in index..MONTHS {
        month = month.previous();
    }
    month
}

pub(super) fn instant(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant of the list of people")
}

fn content_hmac(hasher: &TenantHasher, file_name: &str) -> [u8; 32] {
    let mut macs = hasher.content_macs();
    macs.update(file_name.as_bytes());
    macs.finalize().first().copied().unwrap_or_default()
}

/// One of the hand-placed people, alone in an upload.
fn place(
    rows: &mut Rows,
    tenant: &mut Seeded,
    hasher: &TenantHasher,
    person: &Person,
    random: &mut impl RngCore,
) -> Uuid {
    let added_at = instant(person.added_at);
    let upload = id_at(added_at, random);
    let file_name = format!("{}.csv", person.customer_id);
    rows.upload(
        tenant.tenant.0,
        upload,
        UploadOf {
            file_name: &file_name,
            content_hmac: content_hmac(hasher, &file_name),
            row_count: 1,
            accepted_at: added_at,
        },
    );
    let of = Parent {
        tenant: tenant.tenant.0,
        participant: id_at(added_at, random),
    };
    rows.participant(
        of,
        NewParticipant {
            upload,
            added_at,
            first_name: person.first_name.to_owned(),
            last_name: person.last_name.to_owned(),
            email: person.email.to_owned(),
            phone: person.phone.to_owned(),
            customer_id: person.customer_id.to_owned(),
            unsubscribed_at: person.unsubscribed_at.map(instant),
        },
    );
    tenant.count(added_at);
    rows.metadata(of, "team", person.team);
    let fared = Fared {
        opened: true,
        clicked: true,
        bounced: false,
    };
    rows.invitation(
        of,
        person.invitation,
        added_at + TimeDelta::hours(1),
        fared,
        random,
    );
    let answered_at = added_at + TimeDelta::days(3);
    rows.answers(of, person.score, None, answered_at, random);
    let first_at = answered_at + TimeDelta::hours(1);
    rows.conversation(of, person.conversation, first_at, random);
    of.participant
}

/// Everybody of a further tenant.
async fn populate(
    transaction: &Transaction,
    tenant: &mut Seeded,
    hasher: &TenantHasher,
    participants: u32,
    random: &mut impl RngCore,
) -> Result<(), DemoError> {
    let uploads = u32::try_from(MONTHS * UPLOADS_A_MONTH).unwrap_or(1);
    let end = due_instant(period(), tenant.zone, ScheduleHour::default());
    let mut rows = Rows::default();
    for (number, slot) in (0..uploads).zip(0_usize..) {
        let first = u64::from(participants) * u64::from(number) / u64::from(uploads);
        let after = u64::from(participants) * u64::from(number + 1) / u64::from(uploads);
        if first == after {
            continue;
        }
        // Days 1 to 14 or 15 to 28, within office hours.
        let half = u64::from(number % 2) * 14;
        let day = month(slot / UPLOADS_A_MONTH).nominal_date()
            + Days::new(half + random.random_range(0..14));
        let accepted_at = tenant
            .zone
            .first_instant_at_or_after(day, random.random_range(7..19))
            + TimeDelta::microseconds(random.random_range(0..3_600_000_000));
        let upload = id_at(accepted_at, random);
        let file_name = format!("customers-{day}.csv");
        rows.upload(
            tenant.tenant.0,
            upload,
            UploadOf {
                file_name: &file_name,
                content_hmac: content_hmac(hasher, &file_name),
                row_count: i64::try_from(after - first).unwrap_or_default(),
                accepted_at,
            },
        );
        for customer in first..after {
            invent(
                &mut rows,
                tenant.tenant.0,
                upload,
                (accepted_at, end),
                customer,
                random,
            );
            tenant.count(accepted_at);
        }
        if rows.participants_waiting() >= WRITE_PARTICIPANTS {
            rows.write(transaction).await?;
        }
    }
    rows.write(transaction).await?;
    Ok(())
}

/// Somebody realistic, added at the first of `span`'s instants; nothing happens after its second.
fn invent(
    rows: &mut Rows,
    tenant: i64,
    upload: Uuid,
    span: (DateTime<Utc>, DateTime<Utc>),
    customer: u64,
    random: &mut impl RngCore,
) {
    let (added_at, end) = span;
    let country = COUNTRIES.choose(random).expect("there are countries");
    let first_name = *country.given.choose(random).expect("each has given names");
    let last_name = *country.family.choose(random).expect("and surnames");
    let mailbox = format!("{first_name}.{last_name}").replace([' ', '’'], "-");
    let phone = country
        .phone
        .chars()
        .map(|c| match c {
            '#' => char::from(b'0' + random.random_range(0..10)),
            c => c,
        })
        .collect();
    let unsubscribed_at = random
        .random_bool(0.03)
        .then(|| added_at + TimeDelta::minutes(random.random_range(60..90_000)))
        .filter(|at| *at < end);
    let of = Parent {
        tenant,
        participant: id_at(added_at, random),
    };
    rows.participant(
        of,
        NewParticipant {
            upload,
            added_at,
            first_name: first_name.to_owned(),
            last_name: last_name.to_owned(),
            email: format!("{mailbox}{customer}@{}", country.domain).to_lowercase(),
            phone,
            customer_id: format!("C-{customer:06}"),
            unsubscribed_at,
        },
    );
    rows.metadata(of, "team", TEAMS.choose(random).expect("there are teams"));
    rows.metadata(of, "country", country.code);

    let is_recent = end - added_at < TimeDelta::days(14);
    let state = match (
        random.random_bool(if is_recent { 0.5 } else { 0.02 }),
        unsubscribed_at,
    ) {
        (true, None) => "queued",
        (true, Some(_)) => "expired",
        (false, _) => "sent",
    };
    let opened = random.random_bool(0.6);
    let fared = Fared {
        opened,
        clicked: opened && random.random_bool(0.7),
        bounced: !opened && random.random_bool(0.05),
    };
    let send_at = added_at + TimeDelta::hours(2);
    rows.invitation(of, state, send_at, fared, random);
    if state != "sent" || !fared.clicked {
        return;
    }
    let answered_at = send_at + TimeDelta::hours(6);
    let (likely, comment) = *COMMENTS.choose(random).expect("there are comments");
    let score = (likely + random.random_range(-1..=1)).clamp(0, 10);
    let text = random.random_bool(0.5).then_some(comment);
    rows.answers(of, score, text, answered_at, random);
    if random.random_bool(0.2) {
        let reply = *REPLIES.choose(random).expect("there are replies");
        let bodies = [comment, reply, "👍"];
        let messages = random.random_range(1..=bodies.len());
        rows.conversation(
            of,
            &bodies[..messages],
            answered_at + TimeDelta::hours(1),
            random,
        );
    }
}
