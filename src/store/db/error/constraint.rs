//! The name of the constraint that refused a row. PostgreSQL sends it by itself; MariaDB and SQLite write
//! it into a message, of which nothing else may be kept: it can hold a row's values.

use sea_orm::sqlx::mysql::MySqlDatabaseError;
use sea_orm::{DbErr, RuntimeErr, sqlx};

/// What is longer is no name: PostgreSQL allows 63 bytes, MariaDB 64 characters.
const CHARACTERS_MAX: usize = 64;

/// The name in `error`, if it is one that can be shown.
pub(super) fn name_in(error: &DbErr) -> Option<String> {
    let (DbErr::Conn(RuntimeErr::SqlxError(error))
    | DbErr::Exec(RuntimeErr::SqlxError(error))
    | DbErr::Query(RuntimeErr::SqlxError(error))) = error
    else {
        return None;
    };
    let sqlx::Error::Database(error) = &**error else {
        return None;
    };
    let name = match error.try_downcast_ref::<MySqlDatabaseError>() {
        Some(error) => in_message_of_mariadb(error.number(), error.message()),
        None => error
            .constraint()
            .or_else(|| error.message().strip_prefix("CHECK constraint failed: ")),
    };
    name.filter(|name| is_name(name)).map(str::to_owned)
}

/// Only of messages that hold names and no value: a parent or child row (1451, 1452), a CHECK (4025).
fn in_message_of_mariadb(number: u16, message: &str) -> Option<&str> {
    if !matches!(number, 1451 | 1452 | 4025) {
        return None;
    }
    let (_, after) = message.split_once("CONSTRAINT `")?;
    after.split_once('`').map(|(name, _)| name)
}

/// Letters, digits and a few signs. Whatever else may stand in a quoted name is not worth the risk.
fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.chars().count() <= CHARACTERS_MAX
        && text
            .chars()
            .all(|character| character.is_alphanumeric() || "_-.$ ".contains(character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e14_the_constraint_is_named_and_nothing_else_of_the_message() {
        let refused = "Cannot delete or update a parent row: a foreign key constraint fails \
                       (`platform`.`audit`, CONSTRAINT `audit_participant` FOREIGN KEY (`p`) \
                       REFERENCES `participant` (`id`))";
        assert_eq!(
            in_message_of_mariadb(1451, refused),
            Some("audit_participant")
        );
        let check = "CONSTRAINT `has_address` failed for `platform`.`participant`";
        assert_eq!(in_message_of_mariadb(4025, check), Some("has_address"));
        let duplicate = "Duplicate entry 'CONSTRAINT `ann@example.org`' for key 'email'";
        assert_eq!(in_message_of_mariadb(1062, duplicate), None);
    }

    #[test]
    fn e10_what_is_no_plain_name_is_not_shown() {
        for name in [
            "",
            "ann@example.org",
            "a\nb",
            "email IS NOT NULL AND email <> ''",
        ] {
            assert!(!is_name(name), "{name}");
        }
        assert!(is_name("audit_participant_fkey"));
        assert!(!is_name(&"x".repeat(65)));
    }
}
