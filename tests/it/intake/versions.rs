//! U12: databases whose hashes were written by version 1 of the normalisation.

use super::*;

/// The key under which the hashes below were written.
const KEYRING: &str = "version = 1\nactive = \"k1\"\n\n[[key]]\nid = \"k1\"\n\
    created_at = \"2026-11-23T20:59:00.000000Z\"\n\
    secret = \"7a46a3af061441c747494fc7e7e14e1edb0c4a6fc32968677f9ba78cfa82f5f9\"\n";

/// What `unsubscribe` of version 0.1.0 stores for tenant 1: of `ann@example.be`, of `bob@example.be`
/// behind a left-to-right mark, of `Carl <carl@example.be>` and of `eve@example.be`.
const HASHES: [&str; 4] = [
    "81b329244d37e94a896dbaf895741bc7eb98c16aed81ec8c348305b6f9f7a227",
    "c168795336e18241ee9e4e1055ef021b8d048e75ae7622309d68ec6e9f9227e1",
    "32e81f653c6df63f67090b044fa5ff69040808a5f144c5dc11955c30d3d00aa1",
    "4f957640859efd7656fab445425ec1b6c357dfdad70de0a5d6dd0d471ace5cef",
];

/// A database with those hashes, of July 2019.
async fn upgraded(database: &Scratch) -> World {
    let world = World::on(database).await;
    world.write("retentiond.keyring", KEYRING);
    let tenants = tenant::Entity::find()
        .order_by_asc(tenant::Column::Id)
        .all(&world.connection)
        .await;
    assert_eq!(
        tenants.expect("tenants")[0].id,
        1,
        "the hashes are tenant 1's"
    );
    // Registers the key.
    world
        .unsubscribe("other", "somebody@example.be")
        .expect_code(0);
    world.execute("DELETE FROM suppression").await;
    for hash in HASHES {
        let row = suppression::ActiveModel {
            tenant_id: Set(1),
            key_id: Set("k1".to_owned()),
            norm_version: Set(1),
            email_hmac: Set(bytes(hash)),
            suppressed_month: Set("2019-07".to_owned()),
        };
        row.insert(&world.connection).await.expect("a hash");
    }
    world
}

fn bytes(hexadecimal: &str) -> Vec<u8> {
    let pairs = hexadecimal.as_bytes().chunks(2);
    pairs
        .map(|pair| {
            let pair = std::str::from_utf8(pair).expect("ASCII");
            u8::from_str_radix(pair, 16).expect("hexadecimal")
        })
        .collect()
}

fn rotate(world: &World) {
    let path = world.path("retentiond.keyring");
    retentiond::keyring::rotate(&path, &mut rand::rng(), SystemClock.now()).expect("rotated");
}

/// Key and version of each hash, those of the earliest version first.
async fn kinds(world: &World) -> Vec<(bool, i32)> {
    let mut kinds: Vec<_> = world
        .suppressions()
        .await
        .iter()
        .map(|hash| (hash.key_id != "k1", hash.norm_version))
        .collect();
    kinds.sort_unstable();
    kinds
}

async fn recognised_and_replaced(world: &World, rotated: bool) {
    let old = world.suppressions().await;
    assert_eq!(
        world.check("acme", "ann@example.be\nEve@Example.be\nother@example.be\n"),
        "1\tsuppressed\n2\tsuppressed\n3\tclear\n"
    );
    assert!(world.suppressions().await == old, "check writes nothing");

    let done = world.upload(
        "a.csv",
        "email\nANN@example.be\n\u{200E}bob@example.be\nCarl <carl@example.be>\nother@example.be\n",
    ).expect_code(0);
    assert_eq!(json(&done)["recognised"], 3);
    assert_eq!(world.invitations("queued").await, 1);
    let new = (rotated, 2);
    assert_eq!(
        kinds(world).await,
        [(false, 1), new, new, new],
        "eve's is left"
    );
    // From now on by the plain address, too.
    assert_eq!(
        world.check("acme", "ann@example.be\nbob@example.be\ncarl@example.be\n"),
        "1\tsuppressed\n2\tsuppressed\n3\tsuppressed\n"
    );

    let done = json(&world.unsubscribe("acme", "eve@example.be").expect_code(0));
    assert_eq!(done["newly_suppressed"], false, "she was suppressed before");
    assert_eq!(kinds(world).await, [new; 4]);
    let months = world.suppressions().await;
    assert!(
        months.iter().all(|hash| hash.suppressed_month == "2019-07"),
        "the month stays"
    );
}

on_every_database! {
    async fn u12_hashes_of_version_1_are_recognised_and_replaced(database: Scratch) {
        let world = upgraded(&database).await;
        recognised_and_replaced(&world, false).await;
    }
}

on_every_database! {
    async fn u12_hashes_of_version_1_are_recognised_after_a_key_rotation(database: Scratch) {
        let world = upgraded(&database).await;
        rotate(&world);
        recognised_and_replaced(&world, true).await;
    }
}

on_every_database! {
    /// Whoever unsubscribes while an import is running is recognised at its end by either version.
    async fn u12_a_run_writes_version_2_and_leaves_version_1_alone(database: Scratch) {
        let world = upgraded(&database).await;
        world.write("a.csv", "email\nann@example.be\n");
        // Recognised, and so marked; the hash is replaced.
        world.import("a.csv", &["--accepted-at", "2020-01-01"]).expect_code(0);
        // As if an older process had written it once more.
        let row = suppression::ActiveModel {
            tenant_id: Set(1),
            key_id: Set("k1".to_owned()),
            norm_version: Set(1),
            email_hmac: Set(bytes(HASHES[0])),
            suppressed_month: Set("2019-07".to_owned()),
        };
        row.insert(&world.connection).await.expect("a hash");
        world.execute("DELETE FROM suppression WHERE norm_version = 2").await;
        let policy = ["policy", "set", "acme", "--retain", "1y", "--effective-from", "2021-01-01", "--reason", "test"];
        world.binary.run(&policy).expect_code(0);
        world.binary.run(&["run", "--tenant", "acme"]).expect_code(0);
        assert_eq!(world.participants().await.len(), 0);
        assert_eq!(kinds(&world).await, [(false, 1), (false, 1), (false, 1), (false, 1), (false, 2)]);
        assert_eq!(world.check("acme", "ann@example.be\n"), "1\tsuppressed\n");
        let again = ["verify", "--tenant", "acme"];
        world.binary.run(&again).expect_code(0);
    }
}
