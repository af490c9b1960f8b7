//! What belongs to a participant: the one list of personal columns and of child tables.
//!
//! Whoever adds a table that hangs off a participant adds it here (and its counter to
//! [`super::counts`]); the anonymizer, the purge, `plan` and `verify` follow.

/// Columns of `participant` that anonymization empties.
pub const PERSONAL_COLUMNS: [&str; 5] =
    ["first_name", "last_name", "email", "phone", "customer_id"];

/// Tables whose rows go with their participant, by the foreign key
/// `(tenant_id, participant_id)` with ON DELETE CASCADE.
pub const CHILD_TABLES: [&str; 4] = [
    "participant_metadata",
    "answer",
    "conversation_message",
    "invitation",
];

/// Every table of whose rows a run erases something: what is on disk of people is in their files.
pub const SUBJECT_TABLES: [&str; CHILD_TABLES.len() + 2] = {
    let mut tables = ["participant"; CHILD_TABLES.len() + 2];
    let mut number = 0;
    while number < CHILD_TABLES.len() {
        tables[number + 1] = CHILD_TABLES[number];
        number += 1;
    }
    tables[CHILD_TABLES.len() + 1] = "upload";
    tables
};
