//! SeaORM entities of the `retentiond` schema, one file a table.
//!
//! They describe rows; no rule lives here. The tables themselves are made by the `migration` crate.

/// Gives a row of subject data a `Debug` that prints no value: SeaORM wants the trait, and what we
/// promised to forget must not reach a log through it.
macro_rules! debug_without_values {
    ($name:literal) => {
        impl std::fmt::Debug for Model {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(concat!($name, " { .. }"))
            }
        }

        impl std::fmt::Debug for ModelEx {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(concat!($name, " { .. }"))
            }
        }
    };
}

pub mod answer;
pub mod conversation_message;
pub mod invitation;
pub mod participant;
pub mod participant_metadata;
pub mod policy;
pub mod run_batch;
pub mod run_lease;
pub mod suppression;
pub mod suppression_key;
pub mod tenant;
pub mod tenant_run;
pub mod upload;
