//! Ids: made in one place, so that tests can make them predictable.

use std::fmt::{self, Debug, Display};
use std::sync::Arc;

use uuid::Uuid;

/// Number of a tenant; every key and predicate starts with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantId(pub i64);

impl Display for TenantId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.0, formatter)
    }
}

/// A source of ids.
pub trait IdSource: Debug + Send + Sync {
    /// An id that sorts by the time it was made (UUIDv7, RFC 9562).
    fn next(&self) -> Uuid;

    /// An id that nobody can guess (UUIDv4), for lease tokens.
    fn token(&self) -> Uuid;
}

/// A source of ids that can be handed around.
pub type SharedIds = Arc<dyn IdSource>;

/// Ids from the host's clock and random numbers.
///
/// The library reads the clock itself, for it also counts the ids of one millisecond, so that they
/// sort in the order in which they were made. Nothing is decided by that time.
#[derive(Clone, Copy, Debug, Default)]
pub struct RandomIds;

impl IdSource for RandomIds {
    fn next(&self) -> Uuid {
        Uuid::now_v7()
    }

    fn token(&self) -> Uuid {
        Uuid::new_v4()
    }
}
