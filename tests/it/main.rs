//! The whole service, tested from outside and on PostgreSQL, MariaDB and SQLite.
//!
//! One binary, so that it links once. `tests/run` starts the servers and runs it; without them a
//! test fails rather than being skipped.

#[macro_use]
mod support;

mod arrows;
mod batch_protocol;
mod broken_off;
mod children_counted;
mod clocks;
mod d11_time_zones;
mod dates;
mod demo;
mod erasure;
mod faults;
mod help;
mod house;
mod idle;
mod intake;
mod interrupted_migrations;
mod least_privilege;
mod log_reference;
mod memory;
mod model;
mod on_disk;
mod orphans;
mod pgbouncer;
mod plan_connections;
mod policies;
mod primary;
mod privacy;
mod progress;
mod races;
mod refused;
mod replicas;
mod requirements;
mod run_command;
mod runbooks;
mod scans;
mod schedule;
mod scratch_databases;
mod sent_statements;
mod server_limits;
mod server_logs;
mod servers;
mod service;
mod setup_commands;
mod seven_years;
mod side_by_side;
mod sqlite_opening;
mod tenant_policy;
mod terminal;
mod tls;
mod tls_by_default;
mod trusted_files;
mod undated;
mod unusable_databases;
mod unusable_encodings;
mod upgrade;
mod zombies;
mod zone_rules;
