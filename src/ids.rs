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

    /// An id for a row of `upload`: of the upload's own millisecond, and random from there on. So ids of
    /// one upload say nothing about the order of its file, nor which of them were made one after the other.
    fn of_upload(&self, upload: Uuid) -> Uuid {
        let mut bytes = *self.token().as_bytes();
        bytes[..TIME_BYTES].copy_from_slice(&upload.as_bytes()[..TIME_BYTES]);
        // The version, 7; the variant is that of every UUID.
        bytes[TIME_BYTES] = 0x70 | (bytes[TIME_BYTES] & 0x0F);
        Uuid::from_bytes(bytes)
    }
}

/// Bytes of a UUIDv7 that tell its millisecond; they come first.
const TIME_BYTES: usize = 6;

/// What comes before every id that [`IdSource::of_upload`] makes for that upload, and after those of
/// earlier milliseconds.
#[must_use]
pub fn before_rows_of(upload: Uuid) -> Uuid {
    let mut bytes = [0; 16];
    bytes[..TIME_BYTES].copy_from_slice(&upload.as_bytes()[..TIME_BYTES]);
    Uuid::from_bytes(bytes)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_an_upload_are_of_its_millisecond_and_in_no_order() {
        let earlier = RandomIds.next();
        std::thread::sleep(std::time::Duration::from_millis(2));
        let upload = RandomIds.next();
        let ids: Vec<Uuid> = (0..1_000).map(|_| RandomIds.of_upload(upload)).collect();
        for id in &ids {
            assert_eq!(id.get_version_num(), 7);
            assert_eq!(id.get_variant(), uuid::Variant::RFC4122);
            assert_eq!(id.as_bytes()[..6], upload.as_bytes()[..6]);
            assert!(*id > before_rows_of(upload) && before_rows_of(upload) > earlier);
        }
        // Each of the random bits takes both values: 1 in 2^990 that one does not.
        let (mut ones, mut zeros) = (0, 0);
        for id in &ids {
            ones |= id.as_u128();
            zeros |= !id.as_u128();
        }
        let random = (0x0FFF_u128 << 64) | (u128::from(u64::MAX) >> 2);
        assert_eq!(ones & zeros, random);
        // Of two neighbours the later one is larger in half of all cases; by chance never this far off.
        let rises = ids.windows(2).filter(|pair| pair[0] < pair[1]).count();
        assert!((400..600).contains(&rises), "{rises} of 999");
    }
}
