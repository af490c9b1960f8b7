//! The schema of `retentiond`, for PostgreSQL, MariaDB and SQLite.
//!
//! Each step of a migration goes through `steps::Steps`, so that a migration that was interrupted can
//! be taken up again. One migration a file; [`Migrator`] lists them in order. The migrator itself takes no lock:
//! whoever calls it must see to it that only one process migrates at a time (the service's
//! `store::schema` does).

use sea_orm_migration::prelude::*;

pub use sea_orm_migration::MigratorTrait;

mod columns;
mod m20261101_000001_create_platform_tables;
mod m20261101_000002_create_service_tables;
mod m20261124_000003_index_runs_by_period;
mod m20261125_000004_add_planned_counts;
mod m20261125_000005_record_reclaiming;
mod m20261127_000006_index_queued_invitations;
mod m20261128_000007_record_zone_rules;
mod m20261128_000010_record_undated_and_refused;
mod m20261128_000011_record_server_and_orphans;
mod m20261128_000012_keep_completed_runs;
mod m20261128_000013_refuse_what_is_no_date;
mod m20261128_000014_record_recount_version;
mod steps;

/// All migrations, oldest first.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261101_000001_create_platform_tables::Migration),
            Box::new(m20261101_000002_create_service_tables::Migration),
            Box::new(m20261124_000003_index_runs_by_period::Migration),
            Box::new(m20261125_000004_add_planned_counts::Migration),
            Box::new(m20261125_000005_record_reclaiming::Migration),
            Box::new(m20261127_000006_index_queued_invitations::Migration),
            Box::new(m20261128_000007_record_zone_rules::Migration),
            Box::new(m20261128_000010_record_undated_and_refused::Migration),
            Box::new(m20261128_000011_record_server_and_orphans::Migration),
            Box::new(m20261128_000012_keep_completed_runs::Migration),
            Box::new(m20261128_000013_refuse_what_is_no_date::Migration),
            Box::new(m20261128_000014_record_recount_version::Migration),
        ]
    }
}
