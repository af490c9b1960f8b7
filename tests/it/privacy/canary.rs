//! The marker, and the search for it.

use std::fs;
use std::path::Path;

use uuid::Uuid;

use super::records::dump;
use crate::support::{Backend, Binary, Finished, Person, World, master_key};

/// Stands in every personal value of these tests, and nowhere else.
pub const MARKER: &str = "zq7marker";

/// An address that is one.
pub const ADDRESS: &str = "zq7marker@example.org";

/// Everything that was said, by who said it.
pub struct Heard {
    /// In lower case: the marker, as text and in hexadecimal, and secrets.
    needles: Vec<String>,
    /// In lower case.
    said: Vec<(String, String)>,
}

impl Heard {
    pub fn new(world: &World) -> Self {
        let mut needles = vec![
            MARKER.to_owned(),
            hex(MARKER),
            // The keyring of every test's world.
            hex::encode(&master_key(7)[..16]),
        ];
        needles.extend(password(world.scratch.url()));
        Self {
            needles,
            said: Vec::new(),
        }
    }

    /// A secret that must not be said either.
    pub fn and_not(&mut self, secret: &str) {
        self.needles.push(secret.to_lowercase());
    }

    pub fn add(&mut self, who: &str, text: &str) {
        self.said.push((who.to_owned(), text.to_lowercase()));
    }

    /// Runs a command and hears it; returns how it ended.
    pub fn run(&mut self, binary: &Binary, arguments: &[&str], stdin: &[u8]) -> Finished {
        let finished = binary.run_with_stdin(arguments, stdin);
        let who = arguments.join(" ");
        self.add(&who, &finished.stdout);
        self.add(&who, &finished.stderr);
        finished
    }

    /// Everything that is recorded of runs, and beside them.
    pub async fn hear_records(&mut self, world: &World) {
        for table in [
            "tenant",
            "policy",
            "tenant_run",
            "run_batch",
            "run_lease",
            "suppression",
            "suppression_key",
            "seaql_migrations",
        ] {
            self.add(table, &dump(world, table).await);
        }
    }

    pub fn total_bytes(&self) -> usize {
        self.said.iter().map(|(_, text)| text.len()).sum()
    }

    /// Who said it, and what stands around it.
    pub fn hits(&self) -> Vec<String> {
        let mut hits = Vec::new();
        for (who, text) in &self.said {
            for needle in &self.needles {
                if let Some(position) = text.find(needle.as_str()) {
                    let around: String = text[..position]
                        .chars()
                        .rev()
                        .take(200)
                        .collect::<Vec<_>>()
                        .into_iter()
                        .rev()
                        .collect();
                    hits.push(format!("{who}: …{around}{needle}…"));
                }
            }
        }
        hits
    }

    #[track_caller]
    pub fn assert_clean(&self) {
        let hits = self.hits();
        assert!(!self.said.is_empty());
        assert!(hits.is_empty(), "{}", hits.join("\n"));
    }
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn password(url: &str) -> Option<String> {
    let (user, _) = url.split_once("://")?.1.rsplit_once('@')?;
    let (_, password) = user.split_once(':')?;
    Some(password.to_lowercase())
}

/// The binary as talkative as it can be.
pub fn talkative(world: &World) -> Binary {
    world
        .binary()
        .env("RETENTIOND__LOG__LEVEL", "trace")
        .env("RETENTIOND__LOG__FORMAT", "json")
        .env("RETENTIOND__ENGINE__RETRY_ATTEMPTS", "0")
        .env("RUST_BACKTRACE", "full")
        .env("RUST_LIB_BACKTRACE", "full")
        .env("RUST_LOG", "trace")
}

/// People of a tenant, in whose values the marker stands wherever text can stand: one to be deleted,
/// one to be anonymized, one who is too young, one whose address is none.
pub async fn marked_people(world: &World, slug: &str) -> Vec<Uuid> {
    let tenant = world.tenant(slug, "Europe/Brussels").await;
    let mut ids = Vec::new();
    for (added_at, email) in [
        ("2022-10-15T12:00:00Z", ADDRESS),
        ("2023-10-15T12:00:00Z", ADDRESS),
        ("2024-03-31T12:00:00Z", ADDRESS),
        ("2023-10-15T12:00:00Z", "zq7marker without an at sign"),
    ] {
        let person = Person {
            added_at,
            email: Some(email),
            unsubscribed_at: Some("2024-01-01T00:00:00Z"),
        };
        ids.push(world.person(tenant, person).await);
    }
    let key = match world.scratch.backend() {
        Backend::MariaDb => "`key`",
        _ => "\"key\"",
    };
    for statement in [
        "UPDATE participant SET first_name = 'zq7marker', last_name = 'zq7marker', \
         phone = 'zq7marker', customer_id = 'zq7marker'",
        &format!("UPDATE participant_metadata SET value = 'zq7marker' WHERE {key} = 'team'"),
        &format!("UPDATE participant_metadata SET {key} = 'zq7marker' WHERE {key} = 'country'"),
        "UPDATE answer SET question = 'zq7marker', body = 'zq7marker'",
        "UPDATE conversation_message SET body = 'zq7marker'",
        "UPDATE upload SET file_name = 'zq7marker'",
    ] {
        world.sql(statement).await;
    }
    world
        .policy(tenant, Some(1), Some(12), "2023-01-01T00:00:00Z")
        .await;
    ids
}

/// Text of a file in the binary's directory.
pub fn write(binary: &Binary, name: &str, content: impl AsRef<[u8]>) {
    fs::write(binary.directory().join(name), content).expect("a file");
}

pub fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).expect("a file")).into_owned()
}

on_every_database! {
    /// The search is worth nothing unless it finds what is there.
    async fn e10_the_search_finds_a_leak_where_there_is_one(scratch: crate::support::Scratch) {
        let world = World::new(scratch, "2024-04-02T00:00:00Z").await;
        marked_people(&world, "example").await;
        for table in [
            "participant",
            "participant_metadata",
            "answer",
            "conversation_message",
            "upload",
        ] {
            let mut heard = Heard::new(&world);
            heard.add(table, &dump(&world, table).await);
            assert!(!heard.hits().is_empty(), "{table}");
        }
        // In a column of any type, of a table of records.
        let failure = "UPDATE tenant SET name = 'ZQ7Marker'";
        world.sql(failure).await;
        let mut heard = Heard::new(&world);
        heard.hear_records(&world).await;
        assert!(!heard.hits().is_empty());
        for leak in ["a zQ7MARKER b", "\\x7a71376d61726b6572", &hex::encode(master_key(7))] {
            let mut heard = Heard::new(&world);
            heard.add("somebody", leak);
            assert_eq!(heard.hits().len(), 1, "{leak}");
        }
    }
}
