//! What the platform itself writes, past the service.

use chrono::{DateTime, Utc};
use entity::{answer, conversation_message, invitation, participant, participant_metadata, upload};
use retentiond::ids::TenantId;
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::calendar::Tz;
use super::look::file_name;
use super::seen::{Key, Person};
use super::service::Service;

impl Service {
    pub async fn move_tenant(&self, slug: &str, zone: Option<Tz>) {
        let (zone, id) = (zone.map_or("Nowhere", Tz::name), self.tenant(slug));
        self.world
            .sql(&format!(
                "UPDATE tenant SET time_zone = '{zone}' WHERE id = {id}"
            ))
            .await;
    }

    /// A row of the platform's own; when it was stored, the database says.
    pub async fn insert(
        &mut self,
        slug: &str,
        key: Key,
        person: &Person,
        accepted_at: DateTime<Utc>,
    ) {
        let (db, tenant) = (&self.world.db, self.tenant(slug));
        let upload_id = match self.look.upload_ids.get(&key.0) {
            Some(id) => *id,
            None => {
                let id = Uuid::now_v7();
                let row = upload::ActiveModel {
                    tenant_id: Set(tenant.0),
                    id: Set(id),
                    file_name: Set(file_name(key.0)),
                    content_hmac: Set(id.as_bytes().repeat(2)),
                    row_count: Set(1),
                    accepted_at: Set(accepted_at),
                    ..Default::default()
                };
                let insert = upload::Entity::insert(row);
                insert.exec_without_returning(db).await.expect("an upload");
                self.look.upload_ids.insert(key.0, id);
                id
            }
        };
        let id = Uuid::now_v7();
        let [first_name, last_name, email, phone, customer_id] = person.fields.clone();
        let row = participant::ActiveModel {
            tenant_id: Set(tenant.0),
            id: Set(id),
            upload_id: Set(upload_id),
            added_at: Set(person.added_at),
            first_name: Set(first_name),
            last_name: Set(last_name),
            email: Set(email),
            phone: Set(phone),
            customer_id: Set(customer_id),
            unsubscribed_at: Set(person.unsubscribed_at),
            ..Default::default()
        };
        let insert = participant::Entity::insert(row);
        insert.exec_without_returning(db).await.expect("a person");
        let metadata = person.metadata.iter();
        let metadata = metadata.map(|(key, value)| participant_metadata::ActiveModel {
            tenant_id: Set(tenant.0),
            participant_id: Set(id),
            key: Set(key.clone()),
            value: Set(value.clone()),
        });
        let insert = participant_metadata::Entity::insert_many(metadata);
        insert.exec_without_returning(db).await.expect("metadata");
        self.answer(tenant, id, Some(7), "Good", person.added_at)
            .await;
        let message = conversation_message::ActiveModel {
            tenant_id: Set(tenant.0),
            participant_id: Set(id),
            id: Set(Uuid::now_v7()),
            direction: Set("in".to_owned()),
            body: Set("Thank you".to_owned()),
            sent_at: Set(person.added_at),
        };
        let insert = conversation_message::Entity::insert(message);
        insert.exec_without_returning(db).await.expect("a message");
        let invitations = ["queued", "sent"].map(|state| invitation::ActiveModel {
            tenant_id: Set(tenant.0),
            participant_id: Set(id),
            id: Set(Uuid::now_v7()),
            state: Set(state.to_owned()),
            send_at: Set(person.added_at),
            ..Default::default()
        });
        let insert = invitation::Entity::insert_many(invitations);
        insert
            .exec_without_returning(db)
            .await
            .expect("invitations");
    }

    pub async fn answer(
        &self,
        tenant: TenantId,
        participant: Uuid,
        score: Option<i32>,
        body: &str,
        at: DateTime<Utc>,
    ) {
        let row = answer::ActiveModel {
            tenant_id: Set(tenant.0),
            participant_id: Set(participant),
            id: Set(Uuid::now_v7()),
            question: Set("How was it?".to_owned()),
            score: Set(score),
            body: Set(Some(body.to_owned())),
            answered_at: Set(at),
        };
        let insert = answer::Entity::insert(row);
        insert
            .exec_without_returning(&self.world.db)
            .await
            .expect("an answer");
    }

    /// The platform's plain mark.
    pub async fn mark(&self, tenant: TenantId, participant: Uuid, at: DateTime<Utc>) {
        participant::Entity::update_many()
            .col_expr(participant::Column::UnsubscribedAt, Expr::value(at))
            .filter(participant::Column::TenantId.eq(tenant.0))
            .filter(participant::Column::Id.eq(participant))
            .filter(participant::Column::UnsubscribedAt.is_null())
            .exec(&self.world.db)
            .await
            .expect("a mark");
    }
}
