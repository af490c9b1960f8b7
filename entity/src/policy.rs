//! A version of a tenant's policy; versions are added, never changed.

use sea_orm::entity::prelude::*;

/// One policy version.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "policy")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: i64,
    /// 1, 2, 3, …
    #[sea_orm(primary_key, auto_increment = false)]
    pub version: i32,
    /// Anonymization period in months; unset = never.
    pub anonymize_after_months: Option<i32>,
    /// Retention period in months; unset = for ever.
    pub retain_months: Option<i32>,
    /// How long an unanswered participant is left alone by the platform, in days.
    pub quarantine_days: Option<i32>,
    /// Somebody accepted a quarantine longer than the guaranteed age at anonymization.
    pub long_quarantine_accepted: bool,
    /// From when on the version counts.
    pub effective_from: DateTimeUtc,
    /// When it was set.
    pub created_at: DateTimeUtc,
    /// Who set it.
    pub created_by: String,
    /// Why.
    pub reason: String,
    /// The tenant.
    #[sea_orm(belongs_to, from = "tenant_id", to = "id")]
    pub tenant: BelongsTo<super::tenant::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
