//! The people of the specification's example, placed by hand on both sides of each cutoff.
//!
//! Zone Europe/Brussels, A = 1 month, R = 1 year, period 2024-04: whoever was added before
//! 2024-02-29T23:00:00Z loses the personal fields, whoever was added before 2023-03-31T22:00:00Z goes.

/// What becomes of a participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ExpectedEnd {
    /// Every field is as it was.
    Untouched,
    /// The five personal fields are empty, everything else is as it was.
    Anonymized,
    /// Nothing is left.
    Deleted,
}

/// Somebody, and what must become of them.
pub(super) struct Person {
    pub(super) first_name: &'static str,
    pub(super) last_name: &'static str,
    pub(super) email: &'static str,
    pub(super) phone: &'static str,
    pub(super) customer_id: &'static str,
    pub(super) added_at: &'static str,
    pub(super) unsubscribed_at: Option<&'static str>,
    pub(super) team: &'static str,
    pub(super) score: i32,
    /// State of the invitation before the run.
    pub(super) invitation: &'static str,
    /// Messages in turn, the first from the person.
    pub(super) conversation: &'static [&'static str],
    pub(super) why: &'static str,
    pub(super) fate: ExpectedEnd,
    /// The run writes a suppression hash of the address.
    pub(super) leaves_hash: bool,
}

impl Person {
    /// First and last name.
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name)
    }
}

/// The person whose conversation is shown.
pub(super) const SHOWN: usize = 0;

/// The person whose address is uploaded again.
pub(super) const RETURNING: usize = 5;

/// That person's address as somebody else writes it: another case, padding, a Unicode domain.
pub(super) const RETURNING_EMAIL: &str = "\u{a0}Farid.Amrani@BÜCHER.example ";

/// Somebody else's address, though much like it.
pub(super) const NEWCOMER_EMAIL: &str = "farid.amrani+new@bücher.example";

const PLAIN: Person = Person {
    first_name: "",
    last_name: "",
    email: "",
    phone: "",
    customer_id: "",
    added_at: "",
    unsubscribed_at: None,
    team: "Service desk",
    score: 8,
    invitation: "sent",
    conversation: &[],
    why: "",
    fate: ExpectedEnd::Untouched,
    leaves_hash: false,
};

pub(super) const PEOPLE: [Person; 12] = [
    Person {
        first_name: "Ann",
        last_name: "Peeters",
        email: "ann.peeters@mail.example",
        phone: "+32 470 00 00 01",
        customer_id: "C-1001",
        added_at: "2024-02-29T22:59:59.999999Z",
        score: 9,
        conversation: &[
            "The engineer came on time and fixed it at once.",
            "Glad to hear it! May we pass that on to the team?",
            "Of course.",
        ],
        why: "D1: the last microsecond of 29 February",
        fate: ExpectedEnd::Anonymized,
        ..PLAIN
    },
    Person {
        first_name: "Bram",
        last_name: "Claes",
        email: "bram.claes@mail.example",
        phone: "+32 470 00 00 02",
        customer_id: "C-1002",
        added_at: "2024-02-29T23:00:00Z",
        why: "D2: the cutoff itself, 1 March in Brussels",
        ..PLAIN
    },
    Person {
        first_name: "Chloé",
        last_name: "Dubois",
        email: "chloe.dubois@courrier.invalid",
        phone: "+32 470 00 00 03",
        customer_id: "C-1003",
        added_at: "2023-03-31T21:59:59.999999Z",
        team: "Delivery",
        score: 2,
        conversation: &["The parcel never came.", "We are sorry."],
        why: "D3: the last microsecond of 31 March",
        fate: ExpectedEnd::Deleted,
        ..PLAIN
    },
    Person {
        first_name: "Dries",
        last_name: "Maes",
        email: "dries.maes@mail.example",
        phone: "+32 470 00 00 04",
        customer_id: "C-1004",
        added_at: "2023-03-31T22:00:00Z",
        team: "Delivery",
        why: "D3: the cutoff itself, so not deleted",
        fate: ExpectedEnd::Anonymized,
        ..PLAIN
    },
    Person {
        first_name: "Els",
        last_name: "Wouters",
        email: "els.wouters@mail.example",
        phone: "+32 470 00 00 05",
        customer_id: "C-1005",
        added_at: "2023-03-30T08:15:00Z",
        team: "Sales",
        score: 4,
        why: "E5: answered on 2 April 2023; the answer is deleted too",
        fate: ExpectedEnd::Deleted,
        ..PLAIN
    },
    Person {
        first_name: "Farid",
        last_name: "Amrani",
        email: "farid.amrani@bücher.example",
        phone: "+32 470 00 00 06",
        customer_id: "C-1006",
        added_at: "2023-01-16T09:30:00Z",
        unsubscribed_at: Some("2023-02-03T19:04:00Z"),
        team: "Billing",
        score: 3,
        why: "U6: unsubscribed; only the hash stays",
        fate: ExpectedEnd::Deleted,
        leaves_hash: true,
        ..PLAIN
    },
    Person {
        first_name: "Greta",
        last_name: "Öztürk",
        email: "greta@mail.example",
        phone: "+32 470 00 00 07",
        customer_id: "C-1007",
        added_at: "2024-01-10T10:00:00Z",
        unsubscribed_at: Some("2024-02-11T07:00:00Z"),
        team: "Billing",
        why: "U11: unsubscribed, so hashed first",
        fate: ExpectedEnd::Anonymized,
        leaves_hash: true,
        ..PLAIN
    },
    Person {
        first_name: "Hugo",
        last_name: "Declercq",
        email: "hugo@mail.example",
        phone: "+32 470 00 00 08",
        customer_id: "C-1008",
        added_at: "2024-02-01T10:00:00Z",
        team: "Sales",
        invitation: "queued",
        why: "E2: an invitation was still queued",
        fate: ExpectedEnd::Anonymized,
        ..PLAIN
    },
    Person {
        first_name: "Inès",
        last_name: "Lambert",
        email: "ines@courrier.invalid",
        phone: "+32 470 00 00 09",
        customer_id: "C-1009",
        added_at: "2024-03-10T10:00:00Z",
        unsubscribed_at: Some("2024-03-12T10:00:00Z"),
        team: "Sales",
        invitation: "expired",
        why: "U11: unsubscribed, but young: no hash yet",
        ..PLAIN
    },
    Person {
        first_name: "Jef",
        last_name: "Smets",
        email: "not an address",
        phone: "+32 470 00 00 10",
        customer_id: "C-1010",
        added_at: "2022-11-05T10:00:00Z",
        unsubscribed_at: Some("2022-12-24T10:00:00Z"),
        team: "Delivery",
        why: "U10: unsubscribed; the address is none, no hash",
        fate: ExpectedEnd::Deleted,
        ..PLAIN
    },
    Person {
        first_name: "Kaat",
        last_name: "Van Damme",
        email: "kaat@mail.example",
        phone: "+32 470 00 00 11",
        customer_id: "C-1011",
        added_at: "2024-03-31T21:59:59.999999Z",
        invitation: "queued",
        why: "added right before the run was due",
        ..PLAIN
    },
    Person {
        first_name: "Lou",
        last_name: "Nguyễn",
        email: "lou@mail.example",
        phone: "+32 470 00 00 12",
        customer_id: "C-1012",
        added_at: "2023-08-20T10:00:00Z",
        team: "Billing",
        score: 10,
        why: "somewhere between the two cutoffs",
        fate: ExpectedEnd::Anonymized,
        ..PLAIN
    },
];
