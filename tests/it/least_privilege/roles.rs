//! The people of the test: an administrator, who makes the other two; the owner of the tables; and
//! the role that the service runs as, with what `deploy/sql` grants.

use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection};
use uuid::Uuid;

use crate::support::{Backend, Scratch};

/// Name of the role in the files.
const ROLE: &str = "retentiond_run";

const POSTGRES_GRANTS: &str = include_str!("../../../deploy/sql/postgres-grants.sql");
const POSTGRES_GUARD: &str = include_str!("../../../deploy/sql/postgres-guard.sql");
const MARIADB_REPLICATION: &str = include_str!("../../../deploy/sql/mariadb-replication.sql");
const MARIADB_GUARD: &str = include_str!("../../../deploy/sql/mariadb-guard.sql");
const MARIADB_GRANTS: &str = include_str!("../../../deploy/sql/mariadb-grants.sql");

/// A role made for one test.
pub(super) struct Role {
    pub(super) name: String,
    password: String,
}

impl Role {
    fn new(purpose: &str) -> Self {
        let unique = Uuid::new_v4().simple().to_string();
        Self {
            name: format!("retentiond_{purpose}_{}", &unique[..8]),
            password: unique,
        }
    }

    /// The database's URL with this role in it.
    pub(super) fn url(&self, database: &Scratch) -> String {
        let (scheme, rest) = database.url().split_once("://").expect("a URL");
        let (_, place) = rest.rsplit_once('@').expect("a URL with a user");
        format!("{scheme}://{}:{}@{place}", self.name, self.password)
    }

    pub(super) async fn connect(&self, database: &Scratch) -> DatabaseConnection {
        let mut options = ConnectOptions::new(self.url(database));
        options.max_connections(2).sqlx_logging(false);
        Database::connect(options)
            .await
            .expect("the role may connect")
    }
}

/// The two roles that `docs/operating.md` advises.
pub(super) struct Roles {
    pub(super) owner: Role,
    pub(super) service: Role,
    administrator: DatabaseConnection,
    /// Made by [`Roles::member_of_service`].
    member: Role,
}

impl Roles {
    /// PostgreSQL: a role that logs in by itself and has the rights of the service by membership, as many
    /// platforms make them.
    pub(super) async fn member_of_service(&self) -> &Role {
        let (member, service) = (&self.member, &self.service.name);
        let made = format!(
            "CREATE ROLE {} LOGIN PASSWORD '{}' IN ROLE {service}",
            member.name, member.password
        );
        execute(&self.administrator, &[made]).await;
        member
    }

    /// Makes the roles, and lets the owner migrate.
    pub(super) async fn make(database: &Scratch) -> Self {
        let roles = Self {
            owner: Role::new("owner"),
            service: Role::new("run"),
            administrator: database.connect().await,
            member: Role::new("member"),
        };
        let (owner, service) = (&roles.owner, &roles.service);
        let name = name_of(database);
        let statements = match database.backend() {
            Backend::Postgres => vec![
                format!(
                    "CREATE ROLE {} LOGIN PASSWORD '{}'",
                    owner.name, owner.password
                ),
                format!(
                    "CREATE ROLE {} LOGIN PASSWORD '{}'",
                    service.name, service.password
                ),
                format!("ALTER DATABASE {name} OWNER TO {}", owner.name),
            ],
            _ => vec![
                format!(
                    "CREATE USER {}@'%' IDENTIFIED BY '{}'",
                    owner.name, owner.password
                ),
                format!(
                    "CREATE USER {}@'%' IDENTIFIED BY '{}'",
                    service.name, service.password
                ),
                format!(
                    "GRANT ALL PRIVILEGES ON {name}.* TO {}@'%' WITH GRANT OPTION",
                    owner.name
                ),
            ],
        };
        execute(&roles.administrator, &statements).await;
        let as_owner = owner.connect(database).await;
        Migrator::up(&as_owner, None)
            .await
            .expect("the owner may migrate");
        as_owner.close().await.expect("a connection closes");
        roles
    }

    /// PostgreSQL: takes the name away from the service's role, as a dump does that comes to another server, and
    /// gives it back.
    pub(super) async fn rename_service(&self, is_away: bool) {
        let name = &self.service.name;
        let (from, to) = (name.clone(), format!("{name}_away"));
        let (from, to) = if is_away { (from, to) } else { (to, from) };
        let renamed = format!("ALTER ROLE {from} RENAME TO {to}");
        execute(&self.administrator, &[renamed]).await;
    }

    /// What an earlier version gave, and the way in the files' headers to take it away.
    async fn upgrade(&self, database: &Scratch, as_owner: &DatabaseConnection) {
        let service = &self.service.name;
        let (role, revoke) = match database.backend() {
            Backend::Postgres => (
                service.clone(),
                format!("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {service}"),
            ),
            _ => (
                format!("{service}@'%'"),
                format!("REVOKE ALL PRIVILEGES, GRANT OPTION FROM {service}@'%'"),
            ),
        };
        let tables = ["participant_metadata", "invitation", "upload", "tenant_run"];
        let given =
            tables.map(|table| format!("GRANT SELECT, INSERT, UPDATE ON {table} TO {role}"));
        execute(as_owner, &given).await;
        let by = match database.backend() {
            Backend::Postgres => as_owner,
            _ => &self.administrator,
        };
        execute(by, &[revoke]).await;
    }

    /// Gives the service its rights, as the owner; twice, which does no harm.
    pub(super) async fn grant(&self, database: &Scratch, as_owner: &DatabaseConnection) {
        self.upgrade(database, as_owner).await;
        let grants = match database.backend() {
            Backend::Postgres => POSTGRES_GRANTS,
            _ => MARIADB_GRANTS,
        };
        for _ in 0..2 {
            execute(as_owner, &statements(grants, &self.service.name)).await;
        }
        if database.backend() == Backend::MariaDb {
            let of_server = statements(MARIADB_REPLICATION, &self.service.name);
            execute(&self.administrator, &of_server).await;
        }
    }

    /// MariaDB: has the records of completed runs kept as they are, as the administrator; twice, which does no
    /// harm.
    pub(super) async fn keep_completed(&self, database: &Scratch) {
        // As the client reads it, which is told where a statement ends.
        let (_, text) = MARIADB_GUARD
            .split_once("DELIMITER //\n")
            .expect("a delimiter");
        let (statement, _) = text.split_once("//\n").expect("a delimiter");
        let statement = statement.replace("retentiond_owner", &self.owner.name);
        assert_eq!(database.backend(), Backend::MariaDb);
        for _ in 0..2 {
            execute(&self.administrator, std::slice::from_ref(&statement)).await;
        }
    }

    /// Puts PostgreSQL's guard up, as the owner; twice, which does no harm.
    pub(super) async fn guard(&self, as_owner: &DatabaseConnection) {
        // Whole, as psql would read it: a function's body holds semicolons.
        let text = POSTGRES_GUARD.replace(ROLE, &self.service.name);
        assert_ne!(text, POSTGRES_GUARD);
        for _ in 0..2 {
            execute(as_owner, std::slice::from_ref(&text)).await;
        }
    }

    /// Roles belong to the server and would outlive the database.
    pub(super) async fn remove(self, database: &Scratch) {
        let (owner, service) = (&self.owner.name, &self.service.name);
        let statements = match database.backend() {
            Backend::Postgres => vec![
                format!("DROP OWNED BY {service}, {owner} CASCADE"),
                format!("ALTER DATABASE {} OWNER TO CURRENT_USER", name_of(database)),
                format!("DROP ROLE {service}, {owner}"),
                format!("DROP ROLE IF EXISTS {}", self.member.name),
            ],
            _ => vec![format!("DROP USER {service}@'%', {owner}@'%'")],
        };
        execute(&self.administrator, &statements).await;
    }
}

fn name_of(database: &Scratch) -> &str {
    let path = database.url().split('?').next().expect("a URL");
    path.rsplit('/').next().expect("a URL ends in a database")
}

/// The statements of a file, without its comments, for a role of another name.
fn statements(file: &str, role: &str) -> Vec<String> {
    let text: String = file
        .lines()
        .filter(|line| !line.trim_start().starts_with("--"))
        .flat_map(|line| [line, "\n"])
        .collect();
    assert!(text.contains(ROLE));
    text.replace(ROLE, role)
        .split(';')
        .map(str::trim)
        .filter(|statement| !statement.is_empty())
        .map(str::to_owned)
        .collect()
}

pub(super) async fn execute(connection: &DatabaseConnection, statements: &[String]) {
    for statement in statements {
        if let Err(error) = connection.execute_unprepared(statement).await {
            panic!("{statement}: {error}");
        }
    }
}
