//! How a connection is protected. Left to itself, the driver takes encryption if the server offers it, and
//! otherwise sends the password in clear; so a URL that says nothing means verified TLS, unless the way
//! does not leave this machine.

use std::net::IpAddr;

use sea_orm::sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sea_orm::sqlx::postgres::{PgConnectOptions, PgSslMode};
use zeroize::Zeroizing;

use super::DatabaseUrl;

const VERIFIED_POSTGRES: &str = "sslmode=verify-full";
const VERIFIED_MARIADB: &str = "ssl-mode=VERIFY_IDENTITY";

/// Where the server is.
enum Way {
    /// A Unix socket.
    Socket,
    /// An address of this machine that no other can reach.
    Loopback,
    Network(String),
}

impl DatabaseUrl {
    /// The URL to connect with: it says how the connection is protected, and leaves nothing to the
    /// driver's defaults.
    #[must_use]
    pub fn to_connect(&self) -> Zeroizing<String> {
        let mut url = Zeroizing::new(self.expose().to_owned());
        if self.is_sqlite() {
            return url;
        }
        // Without one, the driver looks for one in the file `.pgpass` of whoever runs this.
        if !self.is_mariadb() && !self.holds_password() {
            add(&mut url, "password=");
        }
        if !self.says_mode() && matches!(self.way(&url), Some(Way::Network(_))) {
            let verified = match self.is_mariadb() {
                true => VERIFIED_MARIADB,
                false => VERIFIED_POSTGRES,
            };
            add(&mut url, verified);
        }
        url
    }

    /// What an explicit mode leaves open: one sentence with what to do. `None` = nothing, or it is not of a
    /// server.
    #[must_use]
    pub fn weakness(&self) -> Option<String> {
        if self.is_sqlite() || !self.says_mode() {
            return None;
        }
        let url = self.to_connect();
        let host = match self.way(&url)? {
            Way::Socket => return None,
            Way::Loopback => "this machine".to_owned(),
            Way::Network(host) => host,
        };
        let (parameter, mode, open) = self.mode(&url)?;
        let (verified, authority) = match self.is_mariadb() {
            true => (VERIFIED_MARIADB, "ssl-ca"),
            false => (VERIFIED_POSTGRES, "sslrootcert"),
        };
        Some(format!(
            "{parameter}={mode} of [database] url: the connection to {host} {open}; set {verified} (with \
             {authority}=FILE for an authority of your own)"
        ))
    }

    /// Whether a password stands in it.
    pub(in crate::config) fn holds_password(&self) -> bool {
        let (_, rest) = self.expose().split_once("://").unwrap_or_default();
        let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let authority = place.split('/').next().unwrap_or_default();
        let (user, _) = authority.rsplit_once('@').unwrap_or_default();
        let in_authority = user
            .split_once(':')
            .is_some_and(|(_, password)| !password.is_empty());
        let names_it = |parameter: &str| parameter.starts_with("password=");
        in_authority || parameters.split('&').any(names_it)
    }

    fn says_mode(&self) -> bool {
        let (_, parameters) = self.expose().split_once('?').unwrap_or_default();
        let mut names = parameters
            .split('&')
            .filter_map(|parameter| parameter.split_once('='));
        names.any(|(name, _)| matches!(name, "sslmode" | "ssl-mode"))
    }

    /// The way that the driver takes, which knows of `host` and `hostaddr` among the parameters.
    fn way(&self, url: &str) -> Option<Way> {
        let (host, socket) = if self.is_mariadb() {
            let options = url.parse::<MySqlConnectOptions>().ok()?;
            (options.get_host().to_owned(), options.get_socket().cloned())
        } else {
            let options = url.parse::<PgConnectOptions>().ok()?;
            (options.get_host().to_owned(), options.get_socket().cloned())
        };
        // A PostgreSQL host that is a folder holds a socket.
        if socket.is_some() || (host.starts_with('/') && !self.is_mariadb()) {
            return Some(Way::Socket);
        }
        Some(match is_loopback(&host) {
            true => Way::Loopback,
            false => Way::Network(host),
        })
    }

    /// Parameter, value, and what it leaves open.
    fn mode(&self, url: &str) -> Option<(&'static str, &'static str, &'static str)> {
        const CLEAR: &str = "is not encrypted: the password and all people are sent in clear";
        const OFFERED: &str =
            "is encrypted only if the server that answers offers it, and is in clear otherwise";
        const ANYBODY: &str = "is encrypted, and any server that answers is accepted";
        const ANY_NAME: &str = "is encrypted, and every server of the authority is accepted";
        if self.is_mariadb() {
            let options = url.parse::<MySqlConnectOptions>().ok()?;
            let (mode, open) = match options.get_ssl_mode() {
                MySqlSslMode::Disabled => ("DISABLED", CLEAR),
                MySqlSslMode::Preferred => ("PREFERRED", OFFERED),
                MySqlSslMode::Required => ("REQUIRED", ANYBODY),
                MySqlSslMode::VerifyCa => ("VERIFY_CA", ANY_NAME),
                MySqlSslMode::VerifyIdentity => return None,
            };
            return Some(("ssl-mode", mode, open));
        }
        let options = url.parse::<PgConnectOptions>().ok()?;
        let (mode, open) = match options.get_ssl_mode() {
            PgSslMode::Disable => ("disable", CLEAR),
            // The driver does not try encryption then.
            PgSslMode::Allow => ("allow", CLEAR),
            PgSslMode::Prefer => ("prefer", OFFERED),
            PgSslMode::Require => ("require", ANYBODY),
            PgSslMode::VerifyCa => ("verify-ca", ANY_NAME),
            PgSslMode::VerifyFull => return None,
        };
        Some(("sslmode", mode, open))
    }
}

/// `localhost`, 127.0.0.0/8 and `::1`. What is not sure to be this machine is another one.
fn is_loopback(host: &str) -> bool {
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    bare.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<IpAddr>()
            .is_ok_and(|address| address.to_canonical().is_loopback())
}

fn add(url: &mut Zeroizing<String>, parameter: &str) {
    let separator = match url.split_once('?') {
        None => "?",
        Some((_, parameters)) if parameters.is_empty() || parameters.ends_with('&') => "",
        Some(_) => "&",
    };
    url.push_str(separator);
    url.push_str(parameter);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> DatabaseUrl {
        DatabaseUrl::parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}"))
    }

    fn added(text: &str) -> String {
        let whole = url(text).to_connect();
        whole.strip_prefix(text).expect(text).to_owned()
    }

    #[test]
    fn a_url_that_says_nothing_means_verified_tls_unless_it_stays_on_this_machine() {
        for host in [
            "db.example.org",
            "db",
            "10.0.0.1",
            "0.0.0.0",
            "128.0.0.1",
            "127.1",
            "localhost.example.org",
            "127.0.0.1.example.org",
            "[2001:db8::1]",
            "[::]",
        ] {
            assert_eq!(
                added(&format!("postgres://ann:pw@{host}/platform")),
                "?sslmode=verify-full",
                "{host}"
            );
            assert_eq!(
                added(&format!("mysql://ann:pw@{host}:3307/platform")),
                "?ssl-mode=VERIFY_IDENTITY",
                "{host}"
            );
        }
        for host in [
            "localhost",
            "LOCALHOST",
            "127.0.0.1",
            "127.255.0.9",
            "[::1]",
            "[::ffff:127.0.0.1]",
        ] {
            assert_eq!(added(&format!("postgres://ann:pw@{host}/x")), "", "{host}");
            assert_eq!(added(&format!("mysql://ann:pw@{host}/x")), "", "{host}");
        }
        assert_eq!(added("sqlite://x.db?mode=rwc"), "");
    }

    /// What counts is where the driver goes.
    #[test]
    fn a_host_among_the_parameters_decides() {
        for (text, expected) in [
            (
                "postgres://ann:pw@localhost/x?host=db.example.org",
                "&sslmode=verify-full",
            ),
            (
                "postgres://ann:pw@localhost/x?hostaddr=10.0.0.1",
                "&sslmode=verify-full",
            ),
            (
                "postgres://ann:pw@127.0.0.1/x?host=localhost&host=db",
                "&sslmode=verify-full",
            ),
            ("postgres://ann:pw@db/x?hostaddr=127.0.0.1", ""),
            ("postgres:///x?host=/run/postgresql&password=pw", ""),
            ("postgres://ann:pw@%2Frun%2Fpostgresql/x", ""),
            ("postgres://ann:pw@db/x?", "sslmode=verify-full"),
            (
                "postgres://ann:pw@db/x?application_name=a",
                "&sslmode=verify-full",
            ),
            ("mysql://ann:pw@db/x?socket=/run/mysqld/mysqld.sock", ""),
            (
                "mysql://ann:pw@db/x?ssl-ca=/ca.pem",
                "&ssl-mode=VERIFY_IDENTITY",
            ),
            (
                "postgres://ann:pw@db/x?sslrootcert=/ca.pem",
                "&sslmode=verify-full",
            ),
        ] {
            assert_eq!(added(text), expected, "{text}");
        }
    }

    #[test]
    fn without_a_password_none_is_looked_for_elsewhere() {
        for (text, expected) in [
            ("postgres://ann@localhost/x", "?password="),
            ("postgres://ann:@localhost/x", "?password="),
            ("postgres://localhost", "?password="),
            ("postgres://ann@localhost/x?sslmode=disable", "&password="),
            ("postgres://ann@db/x", "?password=&sslmode=verify-full"),
            ("postgres://ann@localhost/x?password=pw", ""),
            ("mysql://ann@localhost/x", ""),
        ] {
            assert_eq!(added(text), expected, "{text}");
        }
    }

    #[test]
    fn an_explicit_mode_is_honoured_and_has_its_warning() {
        for (mode, part) in [
            ("disable", "not encrypted"),
            ("allow", "not encrypted"),
            ("prefer", "only if the server that answers offers it"),
            ("require", "any server that answers is accepted"),
            ("verify-ca", "every server of the authority"),
        ] {
            for name in ["sslmode", "ssl-mode"] {
                let text = format!("postgres://ann:hunter2@db.example.org/x?{name}={mode}");
                assert_eq!(added(&text), "");
                let said = url(&text).weakness().expect("a warning");
                assert!(
                    said.contains(part) && said.contains("db.example.org"),
                    "{said}"
                );
                assert!(said.contains("set sslmode=verify-full"), "{said}");
                assert!(!said.contains("hunter2"), "{said}");
            }
        }
        for (mode, part) in [
            ("DISABLED", "not encrypted"),
            ("PREFERRED", "only if"),
            ("REQUIRED", "any server that answers"),
            ("VERIFY_CA", "every server"),
        ] {
            let text = format!("mysql://ann:hunter2@db.example.org/x?ssl-mode={mode}");
            assert_eq!(added(&text), "");
            let said = url(&text).weakness().expect("a warning");
            assert!(
                said.contains(part) && said.contains("ssl-mode=VERIFY_IDENTITY"),
                "{said}"
            );
        }
        for silent in [
            "postgres://ann:pw@db/x",
            "postgres://ann:pw@localhost/x",
            "postgres://ann:pw@db/x?sslmode=verify-full",
            "postgres:///x?host=/run/postgresql&sslmode=disable",
            "mysql://ann:pw@db/x?ssl-mode=VERIFY_IDENTITY",
            "mysql://ann:pw@db/x",
            "sqlite://x.db",
        ] {
            assert_eq!(url(silent).weakness(), None, "{silent}");
        }
        // The last of several counts, as for the driver.
        let twice = url("postgres://ann:pw@db/x?sslmode=verify-full&sslmode=disable");
        assert!(twice.weakness().is_some());
    }
}
