//! The people of the tiny world, and what must become of each.

use std::collections::HashMap;

use uuid::Uuid;

use crate::support::{Person, World};

/// What must become of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Gone,
    Anonymous,
    Kept,
}

pub struct Known {
    pub fate: Fate,
    /// Unsubscribed: the hash that must be there once the row is erased.
    pub hash: Option<(i64, Vec<u8>)>,
    /// Unsubscribed, and no hash is possible.
    pub unhashable: bool,
}

/// Two tenants: Brussels anonymizes after 1 month and deletes after 12, New York only anonymizes.
pub async fn populate(world: &World) -> HashMap<Uuid, Known> {
    use Fate::{Anonymous, Gone, Kept};
    let mut people = HashMap::new();
    let brussels = world.tenant("brussels", "Europe/Brussels").await;
    let new_york = world.tenant("new-york", "America/New_York").await;
    let since = "2023-01-01T00:00:00Z";
    world.policy(brussels, Some(1), Some(12), since).await;
    world.policy(new_york, Some(2), None, since).await;
    // One upload loses all of its people, one keeps some; everybody else has an upload alone.
    let emptied = world.upload(brussels).await;
    let kept = world.upload(brussels).await;
    let people_there = [
        (
            brussels,
            Some(emptied),
            "2022-06-15T12:00:00Z",
            Some("ann@example.org"),
            true,
            Gone,
        ),
        (
            brussels,
            Some(emptied),
            "2022-06-16T12:00:00Z",
            Some("ben@example.org"),
            false,
            Gone,
        ),
        (
            brussels,
            Some(kept),
            "2022-07-01T00:00:00Z",
            Some("no address"),
            true,
            Gone,
        ),
        (
            brussels,
            None,
            "2023-03-31T21:59:59.999999Z",
            Some("cem@example.org"),
            true,
            Gone,
        ),
        (
            brussels,
            None,
            "2023-03-31T22:00:00Z",
            Some("ann@example.org"),
            true,
            Anonymous,
        ),
        (
            brussels,
            Some(kept),
            "2023-10-15T12:00:00Z",
            Some("dee@example.org"),
            true,
            Anonymous,
        ),
        (
            brussels,
            None,
            "2023-11-15T12:00:00Z",
            Some(""),
            true,
            Anonymous,
        ),
        (
            brussels,
            None,
            "2023-11-15T12:00:00Z",
            None,
            false,
            Anonymous,
        ),
        (
            brussels,
            None,
            "2024-02-29T22:59:59.999999Z",
            Some("eve@example.org"),
            false,
            Anonymous,
        ),
        (
            brussels,
            None,
            "2024-02-29T23:00:00Z",
            Some("fay@example.org"),
            true,
            Kept,
        ),
        (
            brussels,
            Some(kept),
            "2024-03-20T12:00:00Z",
            Some("gus@example.org"),
            false,
            Kept,
        ),
        (
            new_york,
            None,
            "2020-01-01T00:00:00Z",
            Some("ann@example.org"),
            true,
            Anonymous,
        ),
        (
            new_york,
            None,
            "2024-02-01T04:59:59.999999Z",
            Some("hal@example.org"),
            true,
            Anonymous,
        ),
        (
            new_york,
            None,
            "2024-02-01T05:00:00Z",
            Some("ida@example.org"),
            true,
            Kept,
        ),
    ];
    for (tenant, upload, added_at, email, unsubscribed, fate) in people_there {
        let upload = match upload {
            Some(upload) => upload,
            None => world.upload(tenant).await,
        };
        let person = Person {
            added_at,
            email,
            unsubscribed_at: unsubscribed.then_some("2024-03-01T10:00:00Z"),
        };
        let id = world.person_of(tenant, upload, person).await;
        let address = email.filter(|_| unsubscribed);
        let hashable = address.filter(|address| address.contains('@'));
        people.insert(
            id,
            Known {
                fate,
                hash: hashable.map(|email| (tenant.0, world.hash(tenant, email))),
                unhashable: address.is_some() && hashable.is_none(),
            },
        );
    }
    people
}
