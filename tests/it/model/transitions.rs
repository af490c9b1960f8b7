//! What may happen to the platform, and how often.
//!
//! A transition names tenants, people and times by where they stand ("the third person", "the start
//! of the month 13 months ago, less a microsecond"). They are looked up when it happens, so that
//! every sequence stays a valid one when parts of it are left out.

use std::fmt::{self, Debug};

use chrono::{DateTime, TimeDelta, Utc};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;

use super::calendar::{Month, Tz};

/// Some zones whose first of the month is far from UTC's, or does not begin at midnight.
const ZONES: [Tz; 8] = [
    Tz::UTC,
    Tz("Europe/Brussels"),
    Tz("America/New_York"),
    Tz("Pacific/Kiritimati"),
    Tz("Pacific/Pago_Pago"),
    // Midnight of 1 October 2023 did not exist.
    Tz("America/Asuncion"),
    // Midnight of 1 November 2020 happened twice.
    Tz("America/Havana"),
    Tz("Asia/Kathmandu"),
];

/// One of those that there are at the time: the remainder by their number.
#[derive(Clone, Copy)]
pub struct Pick(pub u8);

impl Pick {
    pub fn of(self, count: usize) -> Option<usize> {
        (count > 0).then(|| usize::from(self.0) % count)
    }
}

impl Debug for Pick {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "#{}", self.0)
    }
}

/// A microsecond before an instant, at it, or after it.
#[derive(Clone, Copy, Debug)]
pub enum Edge {
    At,
    Before,
    After,
}

/// A time, from where the host's clock stands.
#[derive(Clone, Copy, Debug)]
pub enum Age {
    Days(u16),
    /// The start of a month in the tenant's zone, counted back from the newest that is due.
    Month {
        back: i8,
        edge: Edge,
    },
}

impl Age {
    pub fn before(self, now: DateTime<Utc>, zone: Tz) -> DateTime<Utc> {
        match self {
            Self::Days(days) => now - TimeDelta::days(i64::from(days)),
            Self::Month { back, edge } => {
                let start = Month::newest_due(zone, now)
                    .minus(i32::from(back))
                    .begins(zone);
                let microsecond = TimeDelta::microseconds(1);
                match edge {
                    Edge::At => start,
                    Edge::Before => start - microsecond,
                    Edge::After => start + microsecond,
                }
            }
        }
    }
}

/// An address: whose, and how it is written.
#[derive(Clone, Copy, Debug)]
pub enum Address {
    Of {
        person: u8,
        style: u8,
    },
    /// It cannot be hashed.
    Broken,
}

impl Address {
    pub fn text(self) -> String {
        let Self::Of { person, style } = self else {
            return "no address".to_owned();
        };
        let name = ["ann", "ben", "cem", "dee", "eva", "fay"][usize::from(person) % 6];
        match style % 5 {
            0 => format!("{name}@example.org"),
            1 => format!("{name}@EXAMPLE.org").to_uppercase(),
            2 => format!("\u{a0}{name}@example.org\u{200b} "),
            3 => format!("{name}@example.org."),
            _ => format!(" {name}@Example.Org.\u{feff}"),
        }
    }
}

/// A participant to be uploaded or inserted.
#[derive(Clone, Debug)]
pub struct Row {
    pub address: Option<Address>,
    /// Whether it has a name, a phone number, a customer ID, and metadata of a column `team`.
    pub name: bool,
    pub phone: bool,
    pub customer_id: bool,
    pub team: bool,
    pub added: Age,
    /// Whether the platform has marked it as unsubscribed, since when. No column of a file.
    pub marked: Option<Age>,
}

/// What becomes of the newest version's periods, in months.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    Set {
        anonymize: Option<u8>,
        retain: Option<u8>,
    },
    Lengthen(u8),
    Shorten(u8),
    Clear,
}

/// How a pass ends before it is done.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// The process dies at the n-th time that it looks at its clock: between two statements.
    Killed(u16),
    /// A defect ends the run then, and each one that comes after it in the pass.
    Panics(u16),
    /// A request to stop comes then.
    Stopped(u16),
    /// The host's clock jumps by centuries then.
    ClockJumps(u16),
    /// What is under way is dropped at its n-th wait, whatever it waits for.
    Dropped(u16),
}

#[derive(Clone, Debug)]
pub struct NewTenant {
    pub zone: Tz,
    /// Both periods, and since when.
    pub policy: Option<(Option<u8>, Option<u8>, Age)>,
    /// What the platform has inserted.
    pub people: Vec<Row>,
}

#[derive(Clone, Copy, Debug)]
pub enum Clock {
    Days(i16),
    /// To the start of a month, counted from the newest that is due in the tenant's zone.
    Month {
        tenant: Pick,
        ahead: i8,
        edge: Edge,
    },
}

#[derive(Clone, Debug)]
pub enum Transition {
    /// A pass over everything due; somebody may have confirmed what comes after a gap (S13).
    Tick { is_confirmed: bool },
    /// The host's clock is set.
    SetClock(Clock),
    /// The platform inserts rows, in a new upload or in one that is there.
    Insert {
        tenant: Pick,
        upload: Option<Pick>,
        rows: Vec<Row>,
    },
    /// An import.
    Import {
        tenant: Pick,
        rows: Vec<Row>,
        accepted: Option<Age>,
        again: bool,
    },
    /// The import of a file that was imported, or refused, before.
    ImportAgain {
        tenant: Pick,
        file: Pick,
        again: bool,
    },
    Policy {
        tenant: Pick,
        change: Change,
        from: Age,
    },
    /// A pass that comes to nothing, and whether its leases have run out by the next transition.
    Crash { fault: Fault, leases_expire: bool },
    /// Leases of vanished holders run out.
    LeasesExpire,
    /// The newest due period, or one before or after it, by name.
    RunPeriod { tenant: Pick, back: i8 },
    /// `unsubscribe`.
    Unsubscribe { tenant: Pick, address: Address },
    /// The platform marks somebody in SQL.
    Mark {
        tenant: Pick,
        person: Pick,
        since: Age,
    },
    /// The platform gives somebody another date in SQL; none = one that is none.
    Date {
        tenant: Pick,
        person: Pick,
        added: Option<Age>,
    },
    /// Somebody answers, however late.
    Answer { tenant: Pick, person: Pick },
    /// Unless there are enough.
    AddTenant(NewTenant),
    /// A tenant moves to another zone; none = to one that nobody knows.
    Move { tenant: Pick, zone: Option<Tz> },
}

/// How a case begins.
#[derive(Clone, Debug)]
pub struct Start {
    pub now: DateTime<Utc>,
    pub tenants: Vec<NewTenant>,
}

/// Draws sequences of transitions.
pub struct Platform;

impl ReferenceStateMachine for Platform {
    /// Every transition may come at any time, so nothing of the platform has to be known here.
    type State = Start;
    type Transition = Transition;

    fn init_state() -> BoxedStrategy<Start> {
        // 2020-01-15, and up to four years later: everything lies in the database's past.
        let now = (0_i64..4 * 365 * 24).prop_map(|hours| {
            let first: DateTime<Utc> = "2020-01-15T00:00:00Z".parse().expect("a time");
            first + TimeDelta::hours(hours)
        });
        (now, vec(new_tenant(), 1..=2))
            .prop_map(|(now, tenants)| Start { now, tenants })
            .boxed()
    }

    fn transitions(_: &Start) -> BoxedStrategy<Transition> {
        prop_oneof![
            6 => prop::bool::weighted(0.6).prop_map(|is_confirmed| Transition::Tick { is_confirmed }),
            7 => clock().prop_map(Transition::SetClock),
            4 => (pick(), option::weighted(0.4, pick()), vec(row(), 1..=8))
                .prop_map(|(tenant, upload, rows)| Transition::Insert { tenant, upload, rows }),
            4 => (pick(), vec(row(), 1..=8), option::weighted(0.7, age()), any::<bool>())
                .prop_map(|(tenant, rows, accepted, again)| Transition::Import { tenant, rows, accepted, again }),
            1 => (pick(), pick(), any::<bool>())
                .prop_map(|(tenant, file, again)| Transition::ImportAgain { tenant, file, again }),
            4 => (pick(), change(), effective_from())
                .prop_map(|(tenant, change, from)| Transition::Policy { tenant, change, from }),
            7 => (fault(), prop::bool::weighted(0.7))
                .prop_map(|(fault, leases_expire)| Transition::Crash { fault, leases_expire }),
            1 => Just(Transition::LeasesExpire),
            2 => (pick(), -1_i8..=4).prop_map(|(tenant, back)| Transition::RunPeriod { tenant, back }),
            2 => (pick(), address()).prop_map(|(tenant, address)| Transition::Unsubscribe { tenant, address }),
            2 => (pick(), pick(), age())
                .prop_map(|(tenant, person, since)| Transition::Mark { tenant, person, since }),
            2 => (pick(), pick(), option::weighted(0.5, age()))
                .prop_map(|(tenant, person, added)| Transition::Date { tenant, person, added }),
            2 => (pick(), pick()).prop_map(|(tenant, person)| Transition::Answer { tenant, person }),
            1 => new_tenant().prop_map(Transition::AddTenant),
            1 => (pick(), option::weighted(0.8, zone()))
                .prop_map(|(tenant, zone)| Transition::Move { tenant, zone }),
        ]
        .boxed()
    }

    fn apply(start: Start, _: &Transition) -> Start {
        start
    }
}

fn pick() -> impl Strategy<Value = Pick> {
    (0_u8..24).prop_map(Pick)
}

fn zone() -> impl Strategy<Value = Tz> {
    proptest::sample::select(&ZONES[..])
}

fn edge() -> impl Strategy<Value = Edge> {
    prop_oneof![Just(Edge::At), Just(Edge::Before), Just(Edge::After)]
}

fn age() -> impl Strategy<Value = Age> {
    prop_oneof![
        2 => (0_u16..500).prop_map(Age::Days),
        1 => (0_u16..1_200).prop_map(Age::Days),
        3 => (-1_i8..=26, edge()).prop_map(|(back, edge)| Age::Month { back, edge }),
    ]
}

/// From now on, as a rule.
fn effective_from() -> impl Strategy<Value = Age> {
    prop_oneof![2 => Just(Age::Days(0)), 1 => age()]
}

fn clock() -> impl Strategy<Value = Clock> {
    prop_oneof![
        1 => (-60_i16..=0).prop_map(Clock::Days),
        2 => (0_i16..70).prop_map(Clock::Days),
        1 => (pick(), -2_i8..=0, edge())
            .prop_map(|(tenant, ahead, edge)| Clock::Month { tenant, ahead, edge }),
        5 => (pick(), 1_i8..=3, edge())
            .prop_map(|(tenant, ahead, edge)| Clock::Month { tenant, ahead, edge }),
        1 => (pick(), 11_i8..=14, edge())
            .prop_map(|(tenant, ahead, edge)| Clock::Month { tenant, ahead, edge }),
    ]
}

fn address() -> impl Strategy<Value = Address> {
    (0_u8..6, 0_u8..5).prop_map(|(person, style)| Address::Of { person, style })
}

fn row() -> impl Strategy<Value = Row> {
    let marked = option::weighted(0.4, age());
    let address = option::weighted(0.9, prop_oneof![9 => address(), 1 => Just(Address::Broken)]);
    let field = || prop::bool::weighted(0.6);
    (address, field(), field(), field(), field(), age(), marked).prop_map(
        |(address, name, phone, customer_id, team, added, marked)| Row {
            address,
            name,
            phone,
            customer_id,
            team,
            added,
            marked,
        },
    )
}

fn periods() -> impl Strategy<Value = (Option<u8>, Option<u8>)> {
    let of = |months: &'static [u8]| option::weighted(0.8, proptest::sample::select(months));
    (of(&[1, 2, 3, 11]), of(&[12, 13, 14, 24]))
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        3 => periods().prop_map(|(anonymize, retain)| Change::Set { anonymize, retain }),
        2 => (1_u8..=6).prop_map(Change::Lengthen),
        2 => (1_u8..=6).prop_map(Change::Shorten),
        1 => Just(Change::Clear),
    ]
}

fn new_tenant() -> impl Strategy<Value = NewTenant> {
    let since = prop_oneof![
        3 => (12_i8..=26).prop_map(|back| Age::Month { back, edge: Edge::At }),
        1 => age(),
    ];
    let policy =
        (periods(), since).prop_map(|((anonymize, retain), since)| (anonymize, retain, since));
    let people = vec(row(), 0..=10);
    (zone(), option::weighted(0.95, policy), people).prop_map(|(zone, policy, people)| NewTenant {
        zone,
        policy,
        people,
    })
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        3 => (1_u16..24).prop_map(Fault::Killed),
        2 => (1_u16..24).prop_map(Fault::Panics),
        2 => (1_u16..24).prop_map(Fault::Stopped),
        2 => (1_u16..24).prop_map(Fault::ClockJumps),
        3 => (1_u16..250).prop_map(Fault::Dropped),
    ]
}
