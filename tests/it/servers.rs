//! The database's servers under attack: killed in mid-run, failed over, and clustered. Each test
//! has servers of its own.

mod cluster;
mod crash;
mod failover;
mod platform;
