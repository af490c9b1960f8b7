//! Realistic people of a further tenant: three years of uploads, and what became of each invitation.

use chrono::{DateTime, Days, TimeDelta, Utc};
use rand::seq::IndexedRandom;
use rand::{Rng, RngCore};
use uuid::Uuid;

use crate::domain::period::{Period, ScheduleHour, due_instant};
use crate::domain::suppression::TenantHasher;
use crate::store::Transaction;

use super::names::{COMMENTS, COUNTRIES, REPLIES, TEAMS};
use super::rows::{Fared, NewParticipant, Parent, Rows, UploadOf, id_at};
use super::seeded::{Seeded, content_hmac};
use super::{DemoError, period};

/// Months over which the participants are spread, and uploads in each.
const MONTHS: usize = 36;
const UPLOADS_A_MONTH: usize = 2;

/// Participants that are held back until they are written together.
const WRITE_PARTICIPANTS: usize = 2_000;

/// Everybody of a further tenant.
pub(super) async fn populate(
    transaction: &Transaction,
    tenant: &mut Seeded,
    hasher: &TenantHasher,
    participants: u32,
    random: &mut impl RngCore,
) -> Result<(), DemoError> {
    let uploads = u32::try_from(MONTHS * UPLOADS_A_MONTH).unwrap_or(1);
    let end = due_instant(period(), &tenant.zone, ScheduleHour::default());
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
                tenant,
                upload,
                (accepted_at, end),
                customer,
                random,
            );
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
    tenant: &mut Seeded,
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
    let email = format!("{mailbox}{customer}@{}", country.domain).to_lowercase();
    tenant.count(added_at, unsubscribed_at.map(|_| email.as_str()));
    let of = Parent {
        tenant: tenant.tenant.0,
        participant: id_at(added_at, random),
    };
    rows.participant(
        of,
        NewParticipant {
            upload,
            added_at,
            first_name: first_name.to_owned(),
            last_name: last_name.to_owned(),
            email,
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

/// The month of that number, counted so that the last one is the month before the run.
pub(super) fn month(index: usize) -> Period {
    let mut month = period();
    for _ in index..MONTHS {
        month = month.previous();
    }
    month
}
