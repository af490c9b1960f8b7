//! Errors of every class, in each of which the database's message quotes the row.

use uuid::Uuid;

use super::canary::{ADDRESS, Heard, marked_people, talkative, write};
use crate::support::campaign::report;
use crate::support::{Backend, Binary, Person, Scratch, World};

const RUN: [&str; 5] = ["run", "--tenant", "example", "--period", "2024-04"];

/// What a trigger does, and the class that it must come out as.
struct Provoked {
    class: &'static str,
    body: String,
}

/// SQLSTATEs, as PostgreSQL might raise them itself.
const POSTGRES: [(&str, &str); 21] = [
    ("23505", "constraint"),
    ("23503", "constraint"),
    ("23514", "constraint"),
    ("23502", "constraint"),
    ("22001", "constraint"),
    ("22P02", "constraint"),
    ("40001", "conflict"),
    ("40P01", "conflict"),
    ("55P03", "lock_timeout"),
    ("57014", "statement_timeout"),
    ("25006", "database_read_only"),
    ("53100", "disk_full"),
    ("53300", "database_unavailable"),
    ("57P01", "database_unavailable"),
    ("08006", "database_unavailable"),
    ("25P03", "database_unavailable"),
    ("42501", "permission"),
    ("42P01", "schema"),
    ("3D000", "database_address"),
    ("P0001", "constraint"),
    ("XX000", "internal"),
];

/// Error numbers of MariaDB.
const MARIADB: [(u16, &str); 16] = [
    (1062, "constraint"),
    (1452, "constraint"),
    (1048, "constraint"),
    (1406, "constraint"),
    (1292, "constraint"),
    (1213, "conflict"),
    (1020, "conflict"),
    (1205, "lock_timeout"),
    (1969, "statement_timeout"),
    (1290, "database_read_only"),
    (1021, "disk_full"),
    (1114, "disk_full"),
    (1142, "permission"),
    (1146, "schema"),
    (1049, "database_address"),
    (1644, "constraint"),
];

fn provoked(backend: Backend) -> Vec<Provoked> {
    let values = "NEW.email || NEW.first_name";
    match backend {
        Backend::Postgres => {
            let mut all: Vec<Provoked> = POSTGRES
                .iter()
                .map(|(code, class)| Provoked {
                    class,
                    body: format!(
                        "RAISE EXCEPTION 'row of %', {values} USING ERRCODE = '{code}', \
                         DETAIL = 'Key (email)=(' || {values} || ')', HINT = {values}"
                    ),
                })
                .collect();
            // As PostgreSQL itself says it.
            all.push(Provoked {
                class: "constraint",
                body: "PERFORM NEW.email::integer".to_owned(),
            });
            all.push(Provoked {
                class: "constraint",
                body: "INSERT INTO trap VALUES (NEW.email), (NEW.email)".to_owned(),
            });
            all
        }
        Backend::MariaDb => {
            let mut all: Vec<Provoked> = MARIADB
                .iter()
                .map(|(number, class)| Provoked {
                    class,
                    body: format!(
                        "SET @said = CONCAT('row of ', {values}); SIGNAL SQLSTATE '45000' \
                         SET MYSQL_ERRNO = {number}, MESSAGE_TEXT = @said"
                    ),
                })
                .collect();
            all.push(Provoked {
                class: "constraint",
                body: "INSERT INTO trap VALUES (NEW.email), (NEW.email)".to_owned(),
            });
            all
        }
        Backend::Sqlite => vec![
            Provoked {
                class: "constraint",
                body: format!("SELECT RAISE(ABORT, 'row of {ADDRESS}')"),
            },
            Provoked {
                class: "constraint",
                body: "INSERT INTO trap VALUES (NEW.email), (NEW.email)".to_owned(),
            },
            Provoked {
                class: "constraint",
                body: "SELECT json(NEW.email)".to_owned(),
            },
        ],
    }
}

/// A trigger by which each statement of a kind fails. Each has a name of its own: a connection that
/// still knows the one before would not make it again.
pub struct Trap {
    table: &'static str,
    name: String,
}

impl Trap {
    pub async fn set(world: &World, table: &'static str, event: &str, body: &str) -> Self {
        let name = format!("leak_{}", Uuid::new_v4().simple());
        // What an update or a deletion erases, and what an insert brings.
        let row = if event == "INSERT" { "NEW." } else { "OLD." };
        let body = body.replace("NEW.", row);
        let each = format!("CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW");
        match world.scratch.backend() {
            Backend::Postgres => {
                let result = if event == "DELETE" { "OLD" } else { "NEW" };
                world
                    .sql(&format!(
                        "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ \
                         BEGIN {body}; RETURN {result}; END $$"
                    ))
                    .await;
                world
                    .sql(&format!("{each} EXECUTE FUNCTION {name}()"))
                    .await;
            }
            _ => world.sql(&format!("{each} BEGIN {body}; END")).await,
        }
        Self { table, name }
    }

    pub async fn unset(self, world: &World) {
        let Self { table, name } = self;
        match world.scratch.backend() {
            Backend::Postgres => {
                world.sql(&format!("DROP TRIGGER {name} ON {table}")).await;
                world.sql(&format!("DROP FUNCTION {name}()")).await;
            }
            _ => world.sql(&format!("DROP TRIGGER {name}")).await,
        }
    }
}

on_every_database! {
    async fn e10_what_the_database_says_of_an_error_is_not_passed_on(scratch: Scratch) {
        let world = World::new(scratch, "2024-04-02T00:00:00Z").await;
        marked_people(&world, "example").await;
        // Without a policy, so that no run changes it.
        let later = world.tenant("later", "UTC").await;
        let person = Person {
            added_at: "2024-03-31T12:00:00Z",
            email: Some(ADDRESS),
            unsubscribed_at: None,
        };
        world.person(later, person).await;
        world.sql("CREATE TABLE trap (value VARCHAR(255) PRIMARY KEY)").await;
        let binary = talkative(&world);
        let mut heard = Heard::new(&world);
        let provoked = provoked(world.scratch.backend());
        for (number, Provoked { class, body }) in provoked.iter().enumerate() {
            let trap = Trap::set(&world, "participant", "UPDATE", body).await;
            let done = heard.run(&binary, &RUN, b"");
            let failed = done.stderr.lines().find(|line| line.contains("tenant_run_failed"));
            let failed = failed.unwrap_or_else(|| panic!("{body}: {}", done.stderr));
            assert!(failed.contains(&format!("\"class\":\"{class}\"")), "{body}: {failed}");
            assert_eq!(done.code, 1, "{body}: {}", done.stdout);
            heard.run(&binary, &["runs", "list"], b"");
            heard.hear_records(&world).await;
            // They come from the same place in the other commands.
            if number % 5 == 0 {
                unsubscribe_fails(&mut heard, &binary);
            }
            trap.unset(&world).await;
        }
        import_fails(&mut heard, &world, &binary, &provoked).await;
        let done = heard.run(&binary, &RUN, b"");
        assert_eq!(done.code, 0, "{}", done.stderr);
        heard.hear_records(&world).await;
        heard.assert_clean();
        report(&format!(
            "{:?}: {} errors, {} bytes",
            world.scratch.backend(),
            provoked.len(),
            heard.total_bytes()
        ));
    }
}

fn unsubscribe_fails(heard: &mut Heard, binary: &Binary) {
    let unsubscribe = ["unsubscribe", "--tenant", "later"];
    let done = heard.run(binary, &unsubscribe, ADDRESS.as_bytes());
    assert_eq!(done.code, 1, "{}", done.stderr);
    assert!(done.stderr.starts_with("error: "), "{}", done.stderr);
}

async fn import_fails(heard: &mut Heard, world: &World, binary: &Binary, provoked: &[Provoked]) {
    for (number, Provoked { body, .. }) in provoked.iter().enumerate().step_by(4) {
        let file = format!("people{number}.csv");
        let row = format!("email,first_name\n{ADDRESS},zq7marker{number}\n");
        write(binary, &file, row);
        let trap = Trap::set(world, "participant", "INSERT", body).await;
        let done = heard.run(binary, &["import", &file, "--tenant", "example"], b"");
        assert_eq!(done.code, 1, "{body}: {}", done.stdout);
        assert!(done.stderr.starts_with("error: "), "{}", done.stderr);
        trap.unset(world).await;
    }
}
