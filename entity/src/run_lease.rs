//! Who may work on a slice of a run, and how far it got.

use sea_orm::entity::prelude::*;

/// One lease.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "run_lease")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: i64,
    /// The run.
    #[sea_orm(primary_key, auto_increment = false)]
    pub run_id: Uuid,
    /// 0; a run is one slice as yet.
    #[sea_orm(primary_key, auto_increment = false)]
    pub slice: i32,
    /// Name of the process that holds it.
    pub holder: Option<String>,
    /// Random; whoever knows it is the holder.
    pub token: Option<Uuid>,
    /// By the database's clock.
    pub expires_at: Option<DateTimeUtc>,
    /// Changes with every fence.
    pub renewals: i64,
    /// The stage that the cursor belongs to.
    pub cursor_stage: Option<String>,
    /// `added_at` of the last row of the last batch.
    pub cursor_added_at: Option<DateTimeUtc>,
    /// `id` of the last row of the last batch.
    pub cursor_id: Option<Uuid>,
}

impl ActiveModelBehavior for ActiveModel {}
