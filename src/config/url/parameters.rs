//! The parameters of a URL. sqlx ignores those of a server that it does not know, so that a typo in
//! `sslmode` would connect without encryption.

use std::path::PathBuf;

/// Those that sqlx 0.9 reads from a PostgreSQL URL; `options[NAME]` besides.
const POSTGRES: &[&str] = &[
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

/// Those that it reads from a MariaDB URL.
const MARIADB: &[&str] = &[
    "ssl-mode",
    "sslmode",
    "ssl-ca",
    "sslca",
    "ssl-cert",
    "sslcert",
    "ssl-key",
    "sslkey",
    "charset",
    "collation",
    "statement-cache-capacity",
    "socket",
    "time-zone",
    "timezone",
];

/// Those that it reads from a SQLite URL.
const SQLITE: &[&str] = &["mode", "cache", "immutable", "vfs"];

/// Names of other drivers, in lower case and without signs, and what they are called here.
const ELSEWHERE: &[(&str, &[&str])] = &[
    ("usessl", &["sslmode", "ssl-mode"]),
    ("requiressl", &["sslmode", "ssl-mode"]),
    ("ssl", &["sslmode", "ssl-mode"]),
    ("tls", &["sslmode", "ssl-mode"]),
    ("tlsmode", &["sslmode", "ssl-mode"]),
    ("verifyservercertificate", &["sslmode", "ssl-mode"]),
    ("sslverify", &["sslmode", "ssl-mode"]),
    ("sslrootcert", &["ssl-ca"]),
    ("servercertificate", &["sslrootcert", "ssl-ca"]),
    ("username", &["user"]),
    ("database", &["dbname"]),
    ("unixsocket", &["host", "socket"]),
    ("servertimezone", &["time-zone"]),
    ("characterencoding", &["charset"]),
    ("currentschema", &["options"]),
    ("searchpath", &["options"]),
];

/// What the parameters of a URL have that they should not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParameterError {
    /// One that does not exist.
    Unknown {
        /// Its name, unless that may be part of a secret.
        name: Option<String>,
        /// The one that was probably meant.
        nearest: Option<&'static str>,
        /// All that exist for this database.
        known: &'static [&'static str],
    },
    /// One that is of use only together with another.
    Alone {
        /// The one that is there.
        present: &'static str,
        /// The one that is not.
        missing: &'static str,
    },
}

impl ParameterError {
    /// What was found, to follow "a database URL with".
    pub(super) fn found(&self) -> String {
        match self {
            Self::Alone { present, missing } => {
                format!("the parameter `{present}` and without `{missing}`")
            }
            Self::Unknown { name, nearest, .. } => {
                let name = match name {
                    Some(name) => format!("the unknown parameter `{name}`"),
                    None => {
                        "an unknown parameter, not shown here because it may be part of a secret \
                             (in a value, & is written %26)"
                            .to_owned()
                    }
                };
                match nearest {
                    Some(nearest) => format!("{name} (perhaps `{nearest}`)"),
                    None => name,
                }
            }
        }
    }

    /// What may stand there.
    pub(super) fn allowed(&self) -> String {
        match self {
            Self::Alone { present, missing } => format!("`{present}` together with `{missing}`"),
            Self::Unknown { name, known, .. } => {
                let known = known.join(", ");
                match name.as_deref().and_then(instead) {
                    Some(instead) => format!("{instead}, and as parameters {known}"),
                    None => known,
                }
            }
        }
    }
}

/// What takes the place of a parameter that no URL of ours has.
fn instead(name: &str) -> Option<&'static str> {
    match plain(name).as_str() {
        "targetsessionattrs" | "targetservertype" | "loadbalancehosts" | "failover" => {
            Some(super::ONE_HOST)
        }
        "connecttimeout" => Some("connect_timeout of [database]"),
        "statementtimeout" | "sockettimeout" => Some("statement_timeout of [database]"),
        _ => None,
    }
}

/// Checks the names of all parameters of a URL with this scheme.
pub(super) fn check(scheme: &str, url: &str) -> Result<(), ParameterError> {
    let known = match scheme {
        "postgres" | "postgresql" => POSTGRES,
        "mysql" => MARIADB,
        "sqlite" => SQLITE,
        _ => return Ok(()),
    };
    let (_, parameters) = url.split_once('?').unwrap_or_default();
    let mut may_be_secret = false;
    let mut present = Vec::new();
    for parameter in parameters.split('&').filter(|text| !text.is_empty()) {
        let (name, has_value) = match parameter.split_once('=') {
            Some((name, _)) => (name, true),
            None => (parameter, false),
        };
        let is_known = known.contains(&name) || (known == POSTGRES && is_option(name));
        if !is_known {
            let shown = has_value && !may_be_secret && is_name(name);
            return Err(ParameterError::Unknown {
                name: shown.then(|| name.to_owned()),
                nearest: shown.then(|| nearest(name, known)).flatten(),
                known,
            });
        }
        // An & that was not encoded in one of these makes the rest of its value a name.
        may_be_secret |= matches!(name, "password" | "options");
        present.push(name);
    }
    of_both(&present)
}

/// Parameters that name a file for TLS.
const TLS_FILES: &[&str] = &[
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
];

/// The files for TLS that these parameters name. The driver takes a value in PEM as the certificate or
/// key itself; that is no file, and not to be shown.
pub(super) fn tls_files(parameters: &str) -> Vec<(&'static str, PathBuf)> {
    let named = parameters.split('&').filter_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let name = TLS_FILES.iter().find(|known| **known == name)?;
        let value = decoded(value);
        (!value.trim_start().starts_with("-----BEGIN")).then(|| (*name, PathBuf::from(value)))
    });
    named.collect()
}

/// As a form encodes it: `+` is a space, `%2F` a slash.
fn decoded(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [first, after @ ..] = rest {
        let encoded = after.first_chunk::<2>().filter(|_| *first == b'%');
        let byte = encoded.and_then(|two| {
            let text = std::str::from_utf8(two).ok()?;
            u8::from_str_radix(text, 16).ok()
        });
        rest = match byte {
            Some(byte) => {
                bytes.push(byte);
                &after[2..]
            }
            None => {
                bytes.push(if *first == b'+' { b' ' } else { *first });
                after
            }
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A certificate proves nothing without its key, and the driver refuses it at every connection.
fn of_both(present: &[&str]) -> Result<(), ParameterError> {
    let has = |names: &[&'static str]| names.iter().copied().find(|name| present.contains(name));
    match (has(&["sslcert", "ssl-cert"]), has(&["sslkey", "ssl-key"])) {
        (Some(present), None) => Err(ParameterError::Alone {
            present,
            missing: if present.contains('-') {
                "ssl-key"
            } else {
                "sslkey"
            },
        }),
        (None, Some(present)) => Err(ParameterError::Alone {
            present,
            missing: if present.contains('-') {
                "ssl-cert"
            } else {
                "sslcert"
            },
        }),
        _ => Ok(()),
    }
}

fn is_option(name: &str) -> bool {
    name.starts_with("options[") && name.ends_with(']')
}

/// Whether a text looks like the name of a parameter, and can be shown.
fn is_name(text: &str) -> bool {
    const LENGTH_MAX: usize = 32;
    text.len() <= LENGTH_MAX
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// In lower case and without signs: `ssl_Mode` and `sslmode` are the same then.
fn plain(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// The known name that was probably meant.
fn nearest(name: &str, known: &'static [&'static str]) -> Option<&'static str> {
    let wanted = plain(name);
    let elsewhere = ELSEWHERE.iter().find(|(other, _)| *other == wanted);
    let meant = elsewhere
        .and_then(|(_, names)| known.iter().find(|known| names.contains(known)))
        .copied();
    if meant.is_some() {
        return meant;
    }
    // Two mistakes are a typo; in a short name they are another name.
    let mistakes_max = 2.min(wanted.len() / 3);
    known
        .iter()
        .map(|known| {
            (
                mistakes(&wanted, &plain(known)),
                signs_apart(name, known),
                *known,
            )
        })
        .filter(|(mistakes, ..)| *mistakes <= mistakes_max)
        .min_by_key(|(mistakes, signs, _)| (*mistakes, *signs))
        .map(|(.., known)| known)
}

/// How many signs one name has more than the other: `ssl_mode` is rather `ssl-mode` than `sslmode`.
fn signs_apart(name: &str, other: &str) -> usize {
    let signs = |text: &str| text.chars().filter(|c| !c.is_ascii_alphanumeric()).count();
    signs(name).abs_diff(signs(other))
}

/// Characters to add, remove or replace to make one text the other (Levenshtein's distance).
fn mistakes(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, left) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}
