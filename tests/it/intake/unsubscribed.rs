//! U1 to U9, as far as intake shows them.

use super::*;

on_every_database! {
    async fn u02_u06_recognised_however_the_address_is_written(database: Scratch) {
        let world = World::on(&database).await;
        let done = world.unsubscribe("acme", "Ann.Peeters@Bücher.Example\n").expect_code(0);
        assert_eq!(json(&done)["newly_suppressed"], true);
        assert_eq!(json(&done)["marked"], 0);
        let same = [
            "ANN.PEETERS@BÜCHER.EXAMPLE",
            "\u{A0}ann.peeters@bu\u{308}cher.example\u{200B}",
            "ann.peeters@xn--bcher-kva.example.",
        ];
        let others = ["ann.peeters+x@bücher.example", "annpeeters@bücher.example", "nobody"];
        let mut content = "email,first_name\r\n".to_owned();
        for address in same.iter().chain(&others) {
            content.push_str(&format!("{address},Ann\r\n"));
        }
        let done = world.upload("people.csv", &content).expect_code(0);
        assert_eq!(json(&done)["accepted"], 6);
        assert_eq!(json(&done)["recognised"], 3);
        let upload = upload::Entity::find().one(&world.connection).await.expect("read");
        let upload = upload.expect("an upload");
        assert_eq!((upload.row_count, upload.file_name.as_str()), (6, "people.csv"));
        for row in world.participants().await {
            let email = row.email.expect("an address");
            let unsubscribed = same.contains(&email.as_str());
            assert_eq!(row.unsubscribed_at, unsubscribed.then_some(upload.accepted_at));
            assert_eq!(row.added_at, upload.accepted_at);
            let invitations = invitation::Entity::find()
                .filter(invitation::Column::ParticipantId.eq(row.id))
                .all(&world.connection)
                .await
                .expect("invitations");
            assert_eq!(invitations.len(), usize::from(!unsubscribed));
            assert!(invitations.iter().all(|i| i.state == "queued" && i.send_at == upload.accepted_at));
        }
        let checked = world.check("acme", &format!("{}\n{}\n{}\n", same[1], others[0], others[2]));
        assert_eq!(checked, "1\tsuppressed\n2\tclear\n3\tinvalid\n");
    }
}

on_every_database! {
    async fn u04_tenants_know_nothing_of_each_other(database: Scratch) {
        let world = World::on(&database).await;
        world.upload("people.csv", "email\nann@example.be\n").expect_code(0);
        world.unsubscribe("other", "ann@example.be").expect_code(0);
        assert_eq!(world.participants().await[0].unsubscribed_at, None);
        assert_eq!(world.check("acme", "ann@example.be\n"), "1\tclear\n");
        assert_eq!(world.check("other", "ann@example.be\n"), "1\tsuppressed\n");
        world.unsubscribe("acme", "ann@example.be").expect_code(0);
        let hashes = world.suppressions().await;
        assert_eq!(hashes.len(), 2);
        assert_ne!(hashes[0].email_hmac, hashes[1].email_hmac);
        assert_ne!(hashes[0].tenant_id, hashes[1].tenant_id);
        // The same file at another tenant is no second upload.
        world
            .binary
            .run(&["import", "people.csv", "--tenant", "other"])
            .expect_code(0);
    }
}

on_every_database! {
    async fn u05_all_rows_are_marked_and_their_invitations_expire(database: Scratch) {
        let world = World::on(&database).await;
        for (name, address) in [
            ("a.csv", "ann@example.be"),
            ("b.csv", " ANN@example.be"),
            ("c.csv", "ann@Example.BE."),
        ] {
            world
                .upload(name, &format!("email\n{address}\nbob@example.be\n"))
                .expect_code(0);
        }
        world.execute("UPDATE invitation SET state = 'sent' WHERE participant_id = \
            (SELECT id FROM participant WHERE email = 'ann@example.be')").await;
        let done = json(&world.unsubscribe("acme", "Ann@Example.be\n").expect_code(0));
        assert_eq!(done["marked"], 3);
        assert_eq!(done["invitations_expired"], 2);
        assert_eq!(world.invitations("expired").await, 2);
        assert_eq!(world.invitations("queued").await, 3);
        for row in world.participants().await {
            let ann = row.email.expect("an address").to_lowercase().contains("ann");
            assert_eq!(row.unsubscribed_at.is_some(), ann);
        }
        let hashes = world.suppressions().await;
        assert_eq!(hashes.len(), 1);
        assert_eq!(hashes[0].suppressed_month, SystemClock.now().format("%Y-%m").to_string());
        assert_eq!(hashes[0].email_hmac.len(), 32);

        let before = world.participants().await;
        let again = json(&world.unsubscribe("acme", "ann@example.be").expect_code(0));
        assert_eq!(again["marked"], 0);
        assert_eq!(again["newly_suppressed"], false);
        assert_eq!(world.participants().await.len(), before.len());
        assert!(world.participants().await == before, "nothing changed");
    }
}

on_every_database! {
    async fn u05_a_row_that_the_platform_marked_counts_for_later_uploads(database: Scratch) {
        let world = World::on(&database).await;
        world.upload("a.csv", "email\nAnn@example.be\nbob@example.be\n").expect_code(0);
        world.execute("UPDATE participant SET unsubscribed_at = added_at WHERE email = 'Ann@example.be'").await;
        assert_eq!(world.check("acme", "ann@example.be\nbob@example.be\n"), "1\tsuppressed\n2\tclear\n");
        let done = world.upload("b.csv", "email,Team\nann@EXAMPLE.be,x\nbob@example.be,y\n").expect_code(0);
        assert_eq!(json(&done)["recognised"], 1);
        assert_eq!(world.suppressions().await.len(), 0, "the run writes it when it erases the row");
        assert_eq!(world.invitations("queued").await, 3);
    }
}

on_every_database! {
    async fn u05_whoever_the_platform_marked_gets_no_invitation_after_unsubscribing(database: Scratch) {
        let world = World::on(&database).await;
        world.upload("a.csv", "email\nann@example.be\nbob@example.be\n").expect_code(0);
        world.execute("UPDATE participant SET unsubscribed_at = added_at WHERE email = 'ann@example.be'").await;
        let marked = world.participants().await;
        let done = json(&world.unsubscribe("acme", "ann@example.be").expect_code(0));
        assert_eq!((&done["marked"], &done["invitations_expired"]), (&0.into(), &1.into()));
        assert_eq!((world.invitations("expired").await, world.invitations("queued").await), (1, 1));
        assert!(world.participants().await == marked, "the platform's own date stays");
    }
}

on_every_database! {
    async fn u07_no_hash_of_anybody_else(database: Scratch) {
        let world = World::on(&database).await;
        world.upload("a.csv", "email\nann@example.be\nbob@example.be\n").expect_code(0);
        world.check("acme", "ann@example.be\n");
        assert_eq!(world.suppressions().await.len(), 0);
        for (input, code) in [("", 2), ("nobody", 2), ("a@b\nc@d\n", 2)] {
            let refused = world.unsubscribe("acme", input).expect_code(code);
            assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
        }
        assert_eq!(world.suppressions().await.len(), 0);
    }
}

on_every_database! {
    async fn u09_hits_under_an_old_key_are_hashed_again(database: Scratch) {
        let world = World::on(&database).await;
        for address in ["ann@example.be", "eve@example.be"] {
            world.unsubscribe("acme", address).expect_code(0);
        }
        world.execute("UPDATE suppression SET suppressed_month = '2019-07'").await;
        let old = world.suppressions().await;
        let path = world.path("retentiond.keyring");
        retentiond::keyring::rotate(&path, &mut rand::rng(), SystemClock.now()).expect("rotated");

        assert_eq!(world.check("acme", "ann@example.be\nx@y\n"), "1\tsuppressed\n2\tclear\n");
        assert!(world.suppressions().await == old, "check writes nothing");
        let done = world.upload("a.csv", "email\nANN@example.be\nann@example.be\nx@y\n").expect_code(0);
        assert_eq!(json(&done)["recognised"], 2);
        let new = world.suppressions().await;
        assert_eq!(new.len(), 2);
        assert!(new.iter().all(|hash| hash.suppressed_month == "2019-07"));
        let replaced: Vec<_> = new.iter().filter(|hash| !old.contains(hash)).collect();
        assert_eq!(replaced.len(), 1);
        assert_ne!(replaced[0].key_id, old[0].key_id);
        let done = world.unsubscribe("acme", "eve@example.be").expect_code(0);
        assert_eq!(json(&done)["newly_suppressed"], false);
        let all = world.suppressions().await;
        assert_eq!(all.len(), 2);
        assert!(all.iter().all(|hash| hash.key_id == replaced[0].key_id));
        // A file is known after a rotation too.
        world.import("a.csv", &[]).expect_code(4);
    }
}
