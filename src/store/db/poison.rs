//! Connections that a call has waited for in vain.
//!
//! A half-open connection answers nothing, ever. The pool would test it when it comes back, without
//! a deadline, and count it as in use all the while: a few of them, and no connection is to be had.
//! And one that answers after all is in the middle of something that nobody waits for any more.
//!
//! The same is true of a call that nobody waits for any longer: its future was dropped, or a panic
//! went through it. (A BEGIN that is dropped on its way leaves a transaction that neither the pool nor
//! the driver knows of; MariaDB then refuses the next one with error 1568.)
//!
//! The pool cannot be told which connection it was, so all that were open at that time are replaced
//! when they come back. What made one of them silent has most likely met the others too.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// When a call on one pool last missed its deadline; clones share it.
#[derive(Clone, Debug, Default)]
pub(in crate::store) struct Poison(Arc<Mutex<Option<Instant>>>);

impl Poison {
    /// A call has just missed its deadline.
    pub(in crate::store) fn record(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether a connection of this age may be the one that did not answer.
    pub(in crate::store) fn suspects(&self, age: Duration) -> bool {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.is_some_and(|last| last.elapsed() <= age)
    }
}

/// A call on its way, or a transaction that is open: dropped before its end it is a miss.
#[derive(Debug)]
pub(in crate::store) struct Unanswered {
    poison: Poison,
    answered: bool,
}

impl Unanswered {
    /// A call on that pool that begins now.
    pub(in crate::store) fn new(poison: &Poison) -> Self {
        Self {
            poison: poison.clone(),
            answered: false,
        }
    }

    /// It has come to its end.
    pub(in crate::store) fn answered(mut self) {
        self.answered = true;
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        if !self.answered {
            self.poison.record();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_was_dropped_on_its_way_is_a_miss() {
        let poison = Poison::default();
        Unanswered::new(&poison).answered();
        assert!(!poison.suspects(Duration::from_secs(1)));
        drop(Unanswered::new(&poison));
        assert!(poison.suspects(Duration::from_secs(1)));
    }

    #[test]
    fn only_connections_that_were_open_at_the_time_are_given_up() {
        let poison = Poison::default();
        let hour = Duration::from_secs(3600);
        assert!(!poison.suspects(hour));
        poison.clone().record();
        assert!(poison.suspects(hour));
        assert!(!poison.suspects(Duration::ZERO));
    }
}
