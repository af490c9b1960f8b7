//! E9: an upload happens once, or not at all.

use std::time::{Duration, Instant};

use super::*;

on_every_database! {
    async fn e09_the_same_file_twice_is_refused_unless_again(database: Scratch) {
        let world = World::on(&database).await;
        world.upload("a.csv", "email\na@b\n,\n").expect_code(3);
        let refused = world.upload("renamed.csv", "email\na@b\n,\n").expect_code(4);
        assert!(refused.stderr.contains("--again"), "{}", refused.stderr);
        assert!(!world.path("renamed.rejects.csv").exists());
        assert_eq!(world.count_uploads().await, 1);
        world.import("renamed.csv", &["--again"]).expect_code(3);
        assert_eq!(world.count_uploads().await, 2);
        world.upload("a.csv", "email\na@c\n").expect_code(0);
        assert_eq!(world.participants().await.len(), 3);
    }
}

on_every_database! {
    async fn e09_two_imports_of_one_file_at_once(database: Scratch) {
        let world = World::on(&database).await;
        big_file(&world.path("big.csv"), 20_000);
        let mut first = spawn(&world, &database);
        let mut second = spawn(&world, &database);
        let mut codes = [&mut first, &mut second].map(|child| {
            child.wait().expect("it ends").code().expect("not killed")
        });
        codes.sort_unstable();
        assert_eq!(codes, [0, 4]);
        assert_eq!(world.count_uploads().await, 1);
        assert_eq!(count_participants(&world).await, 20_000);
    }
}

on_every_database! {
    async fn e09_a_kill_in_mid_upload_leaves_nothing(database: Scratch) {
        let world = World::on(&database).await;
        big_file(&world.path("big.csv"), 100_000);
        let mut child = spawn(&world, &database);
        // Long enough to be in the middle: it takes several seconds to store them all.
        std::thread::sleep(Duration::from_millis(1_200));
        assert_eq!(child.try_wait().expect("it can be asked"), None, "it was over too early");
        child.kill().expect("killed");
        child.wait().expect("it ends");
        assert_eq!(world.count_uploads().await, 0);
        assert_eq!(count_participants(&world).await, 0);
        big_file(&world.path("big.csv"), 3_000);
        let done = world.import("big.csv", &[]).expect_code(0);
        assert_eq!(json(&done)["accepted"], 3_000);
        assert_eq!(count_participants(&world).await, 3_000);
        assert_eq!(world.invitations("queued").await, 3_000);
        world.import("big.csv", &[]).expect_code(4);
        assert_eq!(count_participants(&world).await, 3_000);
    }
}

on_every_database! {
    async fn e09_an_import_and_an_unsubscribe_do_not_miss_each_other(database: Scratch) {
        let world = World::on(&database).await;
        big_file(&world.path("big.csv"), 30_000);
        let mut child = spawn(&world, &database);
        let start = Instant::now();
        let mut unsubscribed = Vec::new();
        // From before the import begins until after it ends; on SQLite each waits for its end.
        while child.try_wait().expect("it can be asked").is_none() {
            assert!(start.elapsed() < Duration::from_secs(100), "the import hangs");
            let row = unsubscribed.len() * 997 % 30_000;
            world.unsubscribe("acme", &format!("Person{row}@Example.BE")).expect_code(0);
            unsubscribed.push(format!("person{row}@example.be"));
        }
        assert_eq!(child.wait().expect("it ended").code(), Some(0));
        assert!(!unsubscribed.is_empty());
        let marked: Vec<_> = participant::Entity::find()
            .filter(participant::Column::UnsubscribedAt.is_not_null())
            .all(&world.connection)
            .await
            .expect("participants");
        let mut emails: Vec<String> = marked.into_iter().filter_map(|row| row.email).collect();
        emails.sort();
        unsubscribed.sort();
        unsubscribed.dedup();
        assert_eq!(emails, unsubscribed);
        assert_eq!(
            world.invitations("queued").await,
            30_000 - u64::try_from(unsubscribed.len()).expect("few")
        );
    }
}
