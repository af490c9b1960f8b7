//! What the role finds, and what the platform and `import` write.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait, ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, Set};
use uuid::Uuid;

use super::time;

/// A tenant whose run of 2024-04 has something to do in each stage and each table.
pub(super) async fn seed(connection: &DatabaseConnection) -> i64 {
    seed_as(connection, "acme").await
}

/// The same, as often as there are names for it.
pub(super) async fn seed_as(connection: &DatabaseConnection, slug: &str) -> i64 {
    let tenant_id = tenant_of(connection, slug).await;
    // The first goes with its upload, the second is anonymized, the third stays.
    for added_at in [
        "2023-01-15T12:00:00Z",
        "2024-01-15T12:00:00Z",
        "2024-03-15T12:00:00Z",
    ] {
        person(connection, tenant_id, time(added_at)).await;
    }
    tenant_id
}

/// The number of a tenant.
pub(super) async fn id_of(connection: &DatabaseConnection, slug: &str) -> i64 {
    let tenant = entity::tenant::Entity::find()
        .filter(entity::tenant::Column::Slug.eq(slug))
        .one(connection)
        .await;
    tenant.expect("a query").expect("a tenant").id
}

/// A tenant with a policy, and nobody in it.
pub(super) async fn tenant_of(connection: &DatabaseConnection, slug: &str) -> i64 {
    let created_at = time("2020-01-01T00:00:00Z");
    let tenant_id = entity::tenant::ActiveModel {
        slug: Set(slug.to_owned()),
        name: Set(slug.to_owned()),
        time_zone: Set("Europe/Brussels".to_owned()),
        created_at: Set(created_at),
        ..Default::default()
    }
    .insert(connection)
    .await
    .expect("a tenant is stored")
    .id;
    entity::policy::ActiveModel {
        tenant_id: Set(tenant_id),
        version: Set(1),
        anonymize_after_months: Set(Some(1)),
        retain_months: Set(Some(12)),
        effective_from: Set(created_at),
        created_at: Set(created_at),
        created_by: Set("test".to_owned()),
        ..Default::default()
    }
    .insert(connection)
    .await
    .expect("a policy is stored");
    tenant_id
}

/// Somebody who unsubscribed, with that address.
pub(super) async fn addressed(
    connection: &DatabaseConnection,
    tenant_id: i64,
    added_at: DateTime<Utc>,
    address: &str,
) {
    let (upload_id, participant_id) = (Uuid::now_v7(), Uuid::now_v7());
    intake(connection, tenant_id, upload_id, participant_id, added_at).await;
    let person = entity::participant::ActiveModel {
        tenant_id: Set(tenant_id),
        id: Set(participant_id),
        email: Set(Some(address.to_owned())),
        unsubscribed_at: Set(Some(added_at)),
        // Long before any run, or it would come too late for one (S11).
        stored_at: Set(time("2020-01-01T00:00:00Z")),
        ..Default::default()
    };
    person.update(connection).await.expect("an address");
    let upload = entity::upload::ActiveModel {
        tenant_id: Set(tenant_id),
        id: Set(upload_id),
        stored_at: Set(time("2020-01-01T00:00:00Z")),
        ..Default::default()
    };
    upload.update(connection).await.expect("an upload");
    entity::invitation::Entity::update_many()
        .col_expr(entity::invitation::Column::State, Expr::value("expired"))
        .filter(entity::invitation::Column::ParticipantId.eq(participant_id))
        .exec(connection)
        .await
        .expect("an invitation is called off");
}

/// What `import` writes, and what follows from it.
async fn person(connection: &DatabaseConnection, tenant_id: i64, added_at: DateTime<Utc>) {
    let (upload_id, participant_id) = (Uuid::now_v7(), Uuid::now_v7());
    intake(connection, tenant_id, upload_id, participant_id, added_at).await;
    entity::answer::ActiveModel {
        tenant_id: Set(tenant_id),
        participant_id: Set(participant_id),
        id: Set(Uuid::now_v7()),
        question: Set("How was it?".to_owned()),
        score: Set(Some(9)),
        answered_at: Set(added_at),
        ..Default::default()
    }
    .insert(connection)
    .await
    .expect("an answer is stored");
    entity::conversation_message::ActiveModel {
        tenant_id: Set(tenant_id),
        participant_id: Set(participant_id),
        id: Set(Uuid::now_v7()),
        direction: Set("in".to_owned()),
        body: Set("Fine.".to_owned()),
        sent_at: Set(added_at),
    }
    .insert(connection)
    .await
    .expect("a message is stored");
}

/// What `import` writes.
pub(super) async fn intake(
    connection: &DatabaseConnection,
    tenant_id: i64,
    upload_id: Uuid,
    participant_id: Uuid,
    added_at: DateTime<Utc>,
) {
    let row = entity::upload::ActiveModel {
        tenant_id: Set(tenant_id),
        id: Set(upload_id),
        file_name: Set("people.csv".to_owned()),
        content_hmac: Set(vec![0xA5; 32]),
        row_count: Set(0),
        accepted_at: Set(added_at),
        ..Default::default()
    };
    entity::upload::Entity::insert(row)
        .exec_without_returning(connection)
        .await
        .expect("an upload is stored");
    let row = entity::participant::ActiveModel {
        tenant_id: Set(tenant_id),
        id: Set(participant_id),
        upload_id: Set(upload_id),
        added_at: Set(added_at),
        first_name: Set(Some("Ann".to_owned())),
        email: Set(Some(format!("ann+{participant_id}@example.org"))),
        // Whoever is still queued for an invitation has not unsubscribed, or is about to go.
        unsubscribed_at: Set((added_at < time("2024-03-01T00:00:00Z")).then_some(added_at)),
        ..Default::default()
    };
    entity::participant::Entity::insert(row)
        .exec_without_returning(connection)
        .await
        .expect("a participant is stored");
    let row = entity::participant_metadata::ActiveModel {
        tenant_id: Set(tenant_id),
        participant_id: Set(participant_id),
        key: Set("team".to_owned()),
        value: Set("north".to_owned()),
    };
    entity::participant_metadata::Entity::insert(row)
        .exec_without_returning(connection)
        .await
        .expect("metadata is stored");
    let row = entity::invitation::ActiveModel {
        tenant_id: Set(tenant_id),
        participant_id: Set(participant_id),
        id: Set(Uuid::now_v7()),
        state: Set("queued".to_owned()),
        send_at: Set(added_at),
        ..Default::default()
    };
    entity::invitation::Entity::insert(row)
        .exec_without_returning(connection)
        .await
        .expect("an invitation is stored");
}
