//! The configuration as it is written, before any value is looked at.
//!
//! Every key is known here and nowhere else by name; anything else is an error that lists them.
//! Values are read as they stand, because the `config` crate would round `1.5` to a whole number
//! and quote a wrongly placed secret in its message.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// One value, whatever it is. Has no `Debug`: it may be a secret.
#[derive(Clone)]
pub(super) enum Scalar {
    Whole(i64),
    Text(String),
    List(Vec<Scalar>),
    /// Something that no setting takes, by the name of its kind.
    Other(&'static str),
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_i64<E>(self, value: i64) -> Result<Scalar, E> {
        Ok(Scalar::Whole(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Scalar, E> {
        Ok(i64::try_from(value).map_or(Scalar::Other("too large a number"), Scalar::Whole))
    }

    fn visit_str<E>(self, value: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(value.to_owned()))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Scalar, E> {
        Ok(Scalar::Other("a fraction"))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Scalar, E> {
        Ok(Scalar::Other("true or false"))
    }

    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::Other("nothing"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Scalar, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = sequence.next_element()? {
            list.push(value);
        }
        Ok(Scalar::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other("a section"))
    }
}

/// Declares the sections: their fields are the keys that exist.
macro_rules! sections {
    ($($section:ident as $type:ident { $($key:ident),+ $(,)? })+) => {
        #[derive(Clone, Default, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub(super) struct Raw {
            $(pub(super) $section: $type,)+
        }

        $(
            #[derive(Clone, Default, Deserialize)]
            #[serde(default, deny_unknown_fields)]
            pub(super) struct $type {
                $(pub(super) $key: Option<Scalar>,)+
            }
        )+

        /// Sections and their keys, in the order in which they are documented.
        pub(super) const SECTIONS: &[(&str, &[&str])] = &[
            $((stringify!($section), &[$(stringify!($key)),+]),)+
        ];
    };
}

sections! {
    database as RawDatabase {
        url, url_file, replica_urls, replica_urls_file, max_connections, connect_timeout, statement_timeout, scan_timeout,
        lock_timeout, reclaim, reclaim_timeout, replication_source,
    }
    schedule as RawSchedule { hour, sweep_interval, clock_skew_max }
    engine as RawEngine {
        workers, tenants_at_a_time, batch_rows, batch_duration_target, lease_duration, rows_per_second_max,
        replica_lag_max, latency_max, wal_bytes_per_second_max, window, window_time_zone,
        retry_attempts, retry_backoff_initial, retry_backoff_max,
    }
    safety as RawSafety { gap_max }
    suppression as RawSuppression { keyring_file }
    http as RawHttp { listen }
    log as RawLog { format, level }
    shutdown as RawShutdown { grace_period }
}
