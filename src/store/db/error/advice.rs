//! Codes that say more than their class does: what is set where, and the statement that mends it.
//!
//! The class says what the service does about an error, and these say what a person does. Only
//! text of our own stands here: a server's message may hold a row's values.

/// What to do about an error number of MariaDB, if more is known than its class says.
pub(super) fn mariadb(number: u16) -> Option<&'static str> {
    Some(match number {
        1050 => A_TABLE_OF_THAT_NAME,
        // Also where a server, or a user, is for encrypted connections only.
        1045 => {
            "the database refused access; check the user and password of [database] url, its rights \
             against docs/operating.md, and whether the server lets this user in without TLS"
        }
        1104 => {
            "max_join_size of the MariaDB server refuses a statement that reads many rows; allow \
             them: SET GLOBAL sql_big_selects = 1, or SET GLOBAL max_join_size = DEFAULT"
        }
        1175 => {
            "sql_safe_updates of the MariaDB server refuses a statement that changes rows; switch \
             it off: SET GLOBAL sql_safe_updates = 0, and remove it from the server's configuration"
        }
        1226 => {
            "a limit that the MariaDB server sets for this user is reached; raise it: ALTER USER \
             retentiond_run WITH MAX_QUERIES_PER_HOUR 0 MAX_UPDATES_PER_HOUR 0 \
             MAX_CONNECTIONS_PER_HOUR 0 MAX_USER_CONNECTIONS 0"
        }
        1461 => {
            "the MariaDB server has no room for another prepared statement; raise its limit, which \
             all clients share: SET GLOBAL max_prepared_stmt_count = 16382"
        }
        1568 => {
            "the MariaDB server left a transaction open where none was begun; set SET GLOBAL \
             autocommit = 1 and SET GLOBAL completion_type = NO_CHAIN, and remove other values \
             from the server's configuration"
        }
        1665 => {
            "binlog_format of the MariaDB server is STATEMENT, which cannot hold what retentiond \
             writes; set it for new sessions: SET GLOBAL binlog_format = ROW (or MIXED)"
        }
        1820 | 1862 => {
            "the password of the database user has expired; an administrator sets a new one, and \
             lets it stay: ALTER USER retentiond_run IDENTIFIED BY '…' PASSWORD EXPIRE NEVER"
        }
        // MySQL's number for it is 3118.
        3118 | 4151 => {
            "the account of the database user is locked; an administrator unlocks it: ALTER USER \
             retentiond_run ACCOUNT UNLOCK"
        }
        1698 => {
            "the server does not let this user in with a password, because it knows the user by \
             other means (for example unix_socket); use a user with a password: ALTER USER \
             retentiond_run IDENTIFIED VIA mysql_native_password USING PASSWORD('…')"
        }
        3159 => {
            "the server takes encrypted connections only; add ssl-mode=VERIFY_IDENTITY and \
             ssl-ca=FILE to [database] url"
        }
        _ => return None,
    })
}

/// What to do about a SQLSTATE of PostgreSQL, if more is known than its class says.
pub(super) fn postgres(code: &str) -> Option<&'static str> {
    Some(match code {
        "42P07" => A_TABLE_OF_THAT_NAME,
        "42P05" | "26000" => {
            "a pooler mixes up the prepared statements of its clients; in pgbouncer.ini set \
             max_prepared_statements = 200 (PgBouncer 1.21 or newer) or pool_mode = session; for \
             an older one see \"PgBouncer\" in docs/operating.md"
        }
        _ => return None,
    })
}

/// Of a table or an index that we were about to make.
pub(super) const A_TABLE_OF_THAT_NAME: &str = "the database holds a table or an index of the same name that \
     retentiond did not make; give retentiond a database of its own";

#[cfg(test)]
mod tests {
    use super::super::{Disposition, ErrorClass, classify};
    use super::*;

    /// C10: none of these is a mistake of ours, and each has its remedy.
    #[test]
    fn a_limit_or_a_setting_of_the_server_has_a_sentence_with_its_remedy() {
        for (number, class, remedy) in [
            (1104, ErrorClass::Settings, "sql_big_selects = 1"),
            (1175, ErrorClass::Settings, "sql_safe_updates = 0"),
            (1226, ErrorClass::Unavailable, "MAX_QUERIES_PER_HOUR 0"),
            (1461, ErrorClass::Unavailable, "max_prepared_stmt_count"),
            (1568, ErrorClass::Settings, "autocommit = 1"),
            (1665, ErrorClass::Settings, "binlog_format = ROW"),
            (1698, ErrorClass::Permission, "mysql_native_password"),
            (1820, ErrorClass::Permission, "PASSWORD EXPIRE NEVER"),
            (1862, ErrorClass::Permission, "PASSWORD EXPIRE NEVER"),
            (3118, ErrorClass::Permission, "ACCOUNT UNLOCK"),
            (3159, ErrorClass::Permission, "ssl-mode=VERIFY_IDENTITY"),
            (4151, ErrorClass::Permission, "ACCOUNT UNLOCK"),
        ] {
            assert_eq!(classify::mariadb(number), class, "{number}");
            let said = mariadb(number).expect("a sentence");
            assert!(said.contains(remedy), "{number}: {said}");
        }
        for code in ["42P05", "26000"] {
            assert_eq!(classify::postgres(code), ErrorClass::Settings, "{code}");
            let said = postgres(code).expect("a sentence");
            assert!(said.contains("max_prepared_statements = 200"), "{code}");
        }
        assert_eq!(mariadb(1062), None);
        assert_eq!(postgres("23505"), None);
    }

    #[test]
    fn no_tenant_is_to_blame_for_a_setting() {
        assert_eq!(ErrorClass::Settings.disposition(), Disposition::Stop);
    }
}
