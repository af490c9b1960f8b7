//! Looking at a [`World`]: what is stored, what the engine does, and whether that is right.

use entity::{
    answer, conversation_message, invitation, participant, participant_metadata, suppression,
    tenant_run, upload,
};
use retentiond::domain::email::NormalizedEmail;
use retentiond::engine::due::Scope;
use retentiond::engine::report::{PassEntry, TenantReport};
use retentiond::engine::verify::Verification;
use retentiond::engine::{pass, plan, verify};
use retentiond::ids::TenantId;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use uuid::Uuid;

use super::World;

impl World {
    /// What is stored of a participant.
    pub async fn find(&self, tenant: TenantId, id: Uuid) -> Option<participant::Model> {
        participant::Entity::find_by_id((tenant.0, id))
            .one(&self.db)
            .await
            .expect("a look-up")
    }

    pub async fn invitations(&self, tenant: TenantId, id: Uuid) -> Vec<String> {
        let mut states: Vec<String> = invitation::Entity::find()
            .filter(invitation::Column::TenantId.eq(tenant.0))
            .filter(invitation::Column::ParticipantId.eq(id))
            .all(&self.db)
            .await
            .expect("invitations")
            .into_iter()
            .map(|invitation| invitation.state)
            .collect();
        states.sort();
        states
    }

    /// Rows of the four child tables that belong to `id`.
    pub async fn children_of(&self, tenant: TenantId, id: Uuid) -> [u64; 4] {
        let db = &self.db;
        [
            participant_metadata::Entity::find()
                .filter(participant_metadata::Column::TenantId.eq(tenant.0))
                .filter(participant_metadata::Column::ParticipantId.eq(id))
                .count(db)
                .await,
            answer::Entity::find()
                .filter(answer::Column::TenantId.eq(tenant.0))
                .filter(answer::Column::ParticipantId.eq(id))
                .count(db)
                .await,
            conversation_message::Entity::find()
                .filter(conversation_message::Column::TenantId.eq(tenant.0))
                .filter(conversation_message::Column::ParticipantId.eq(id))
                .count(db)
                .await,
            invitation::Entity::find()
                .filter(invitation::Column::TenantId.eq(tenant.0))
                .filter(invitation::Column::ParticipantId.eq(id))
                .count(db)
                .await,
        ]
        .map(|count| count.expect("a count"))
    }

    pub async fn uploads(&self, tenant: TenantId) -> Vec<Uuid> {
        upload::Entity::find()
            .filter(upload::Column::TenantId.eq(tenant.0))
            .all(&self.db)
            .await
            .expect("uploads")
            .into_iter()
            .map(|upload| upload.id)
            .collect()
    }

    pub async fn suppressions(&self, tenant: TenantId) -> Vec<suppression::Model> {
        suppression::Entity::find()
            .filter(suppression::Column::TenantId.eq(tenant.0))
            .all(&self.db)
            .await
            .expect("suppressions")
    }

    /// The hash of an address under the active key.
    pub fn hash(&self, tenant: TenantId, email: &str) -> Vec<u8> {
        let email = NormalizedEmail::normalize(email).expect("a hashable address");
        let hasher = self.engine.keyring.for_tenant(tenant);
        hasher.hash(&email).hmac.to_vec()
    }

    pub async fn run_record(&self, tenant: TenantId, period: &str) -> Option<tenant_run::Model> {
        tenant_run::Entity::find()
            .filter(tenant_run::Column::TenantId.eq(tenant.0))
            .filter(tenant_run::Column::Period.eq(period))
            .one(&self.db)
            .await
            .expect("a look-up")
    }

    /// One pass over everything that is due.
    pub async fn run(&self) -> Vec<PassEntry> {
        self.run_scope(&Scope::default()).await
    }

    /// One pass over a named period.
    pub async fn run_period(&self, period: &str) -> Vec<PassEntry> {
        self.run_scope(&scope(period)).await
    }

    pub async fn run_scope(&self, scope: &Scope) -> Vec<PassEntry> {
        pass::run(&self.engine, scope)
            .await
            .expect("a pass")
            .expect("known tenants")
    }

    /// Plans, runs, and asserts that the run did exactly what was planned, that the database holds
    /// up to `verify`, and that a second run changes nothing. Returns the first run's entries.
    pub async fn run_and_prove(&self) -> Vec<PassEntry> {
        let planned = self.plan().await;
        let entries = self.run().await;
        for (planned, entry) in planned.iter().zip(&entries) {
            let json = |report: &TenantReport| {
                let mut json = serde_json::to_value(report).expect("JSON");
                let object = json.as_object_mut().expect("an object");
                object.remove("state");
                object.remove("run_id");
                json
            };
            assert_eq!(
                json(planned),
                json(&entry.report),
                "plan and run differ: {:?}",
                entry.outcome
            );
        }
        for verified in self.verify(None).await {
            assert!(verified.ok, "{verified:?}");
            assert_eq!(verified.late, 0, "{verified:?}");
        }
        let before = self.fingerprint().await;
        for entry in self.run().await {
            let rows: u64 = entry.report.rows_purged.values().sum();
            assert_eq!((entry.report.anonymized, rows), (0, 0), "S6: a second run");
        }
        assert_eq!(
            before,
            self.fingerprint().await,
            "S6: a second run changed rows"
        );
        entries
    }

    pub async fn plan(&self) -> Vec<TenantReport> {
        self.plan_scope(&Scope::default()).await
    }

    /// The plan of a named period.
    pub async fn plan_period(&self, period: &str) -> Vec<TenantReport> {
        self.plan_scope(&scope(period)).await
    }

    async fn plan_scope(&self, scope: &Scope) -> Vec<TenantReport> {
        plan::plan(&self.engine, scope)
            .await
            .expect("a plan")
            .expect("known tenants")
            .into_iter()
            .map(|entry| entry.report.expect("a plan for the tenant"))
            .collect()
    }

    pub async fn verify(&self, period: Option<&str>) -> Vec<Verification> {
        let scope = period.map(scope).unwrap_or_default();
        verify::verify(&self.engine, &scope)
            .await
            .expect("a verification")
            .expect("known tenants")
    }

    /// Everything that is stored about subjects, as text, to compare.
    pub async fn fingerprint(&self) -> String {
        let db = &self.db;
        let mut lines = Vec::new();
        for row in participant::Entity::find().all(db).await.expect("rows") {
            lines.push(format!(
                "participant {} {} {} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
                row.tenant_id,
                row.id,
                row.added_at,
                row.first_name,
                row.last_name,
                row.email,
                row.phone,
                row.customer_id,
                row.unsubscribed_at,
                row.anonymized_at
            ));
        }
        for row in invitation::Entity::find().all(db).await.expect("rows") {
            lines.push(format!("{row:?}"));
        }
        for row in upload::Entity::find().all(db).await.expect("rows") {
            lines.push(format!("{row:?}"));
        }
        for row in answer::Entity::find().all(db).await.expect("rows") {
            lines.push(format!("answer {} {:?}", row.id, row.score));
        }
        for row in suppression::Entity::find().all(db).await.expect("rows") {
            lines.push(format!(
                "suppression {} {:?}",
                row.tenant_id, row.email_hmac
            ));
        }
        lines.sort();
        lines.join("\n")
    }
}

fn scope(period: &str) -> Scope {
    Scope {
        tenants: Vec::new(),
        period: Some(period.parse().expect("a period")),
    }
}
