//! Replicas that are stopped past their leases and woken again.
