//! `retentiond`: anonymizes and deletes survey participants on time, for every tenant, exactly once.
//!
//! The rooms, in the order in which a reader meets them; arrows run one way, from the bottom of this
//! list to its top:
//!
//! - [`clock`] and [`ids`]: time, randomness and ids, which everything else takes as parameters.
//! - [`domain`]: periods, policies, cutoffs, addresses, suppression hashes. Pure; knows no database.
//! - [`config`]: what can be set, and where it comes from.
//! - [`telemetry`]: what the service tells about itself.

pub mod clock;
pub mod config;
pub mod ids;
pub mod telemetry;
