//! Fills the scratch database: the example tenant with its hand-placed people, and tenants in five
//! time zones, with as many policies, whose participants were uploaded over three years.
//!
//! The same seed gives the same people. Nothing is written in a loop of single rows: whoever waits
//! for a demo does not wait for long.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use rand::RngCore;
use uuid::Uuid;

use crate::domain::cutoff::Cutoffs;
use crate::domain::period::Months;
use crate::domain::policy::{Terms, Version};
use crate::domain::suppression::TenantHasher;
use crate::engine::Engine;
use crate::ids::TenantId;
use crate::store::{Transaction, policies, tenants};
use crate::tzdata::Snapshot;

use super::people::{PEOPLE, Person};
use super::population::{month, populate};
use super::rows::{Fared, NewParticipant, Parent, Rows, UploadOf, id_at};
use super::seeded::{Seeded, content_hmac};
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
    let rules = engine.tzdata.newest();
    let transaction = engine.database.begin("seeding the demo").await?;
    let mut example = add_tenant(&transaction, &rules, &brussels, now).await?;
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
        let mut tenant = add_tenant(&transaction, &rules, plan, now).await?;
        let hasher = engine.keyring.for_tenant(tenant.tenant);
        populate(&transaction, &mut tenant, &hasher, share, random).await?;
        transaction.commit().await?;
        seeded.push(tenant);
    }
    Ok(seeded)
}

async fn add_tenant(
    transaction: &Transaction,
    rules: &Snapshot,
    plan: &TenantPlan,
    now: DateTime<Utc>,
) -> Result<Seeded, DemoError> {
    let zone = rules.zone(plan.zone)?;
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
        terms,
        effective_from,
        cutoffs: Cutoffs::of(period(), &zone, &terms),
        zone,
        participants: 0,
        to_anonymize: 0,
        to_delete: 0,
        to_hash: 0,
        unhashable: 0,
        people: Vec::new(),
    })
}

pub(super) fn instant(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant of the list of people")
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
    tenant.count(added_at, person.unsubscribed_at.map(|_| person.email));
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
    let answered_at = answered_at
        .duration_trunc(TimeDelta::minutes(15))
        .unwrap_or(answered_at);
    rows.answers(of, person.score, None, answered_at, random);
    let first_at = answered_at + TimeDelta::hours(1);
    rows.conversation(of, person.conversation, first_at, random);
    of.participant
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::people::ExpectedEnd;
    use super::*;
    use crate::domain::email::NormalizedEmail;

    #[test]
    fn the_hand_placed_people_stand_where_the_cutoffs_put_them() {
        let zone = crate::tzdata::zone_for_tests("Europe/Brussels");
        let months = |count: i64| Months::try_from(count).ok();
        let terms = Terms::new(months(1), months(12), None, false).expect("the example's terms");
        let cutoffs = Cutoffs::of(period(), &zone, &terms);
        assert_eq!(cutoffs.anonymize, Some(instant("2024-02-29T23:00:00Z")));
        assert_eq!(cutoffs.purge, Some(instant("2023-03-31T22:00:00Z")));
        for person in &PEOPLE {
            let added_at = Some(instant(person.added_at));
            let fate = if added_at < cutoffs.purge {
                ExpectedEnd::Deleted
            } else if added_at < cutoffs.anonymize {
                ExpectedEnd::Anonymized
            } else {
                ExpectedEnd::Untouched
            };
            assert_eq!(person.fate, fate, "{}", person.name());
            let can_be_hashed = NormalizedEmail::normalize(person.email).is_some();
            let leaves_hash =
                fate != ExpectedEnd::Untouched && person.unsubscribed_at.is_some() && can_be_hashed;
            assert_eq!(person.leaves_hash, leaves_hash, "{}", person.name());
        }
        let emails: HashSet<&str> = PEOPLE.iter().map(|person| person.email).collect();
        assert_eq!(emails.len(), PEOPLE.len(), "an address each");
    }
}
