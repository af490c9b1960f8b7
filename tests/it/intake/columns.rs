//! E15: columns that are named almost like a field.

use entity::participant_metadata;

use super::*;

on_every_database! {
    async fn e15_a_header_that_is_almost_a_field_is_refused_unless_it_is_said(database: Scratch) {
        let world = World::on(&database).await;
        for (number, name) in [
            " first_name", "first_name ", "FIRST_NAME", "First-Name", "first name", "firstName",
            "\u{A0}first_name", "first\u{200B}_name", "ｆｉｒｓｔ＿ｎａｍｅ", "F\u{130}RST_NAME",
        ].into_iter().enumerate() {
            let file = format!("{number}.csv");
            world.write(&file, format!("email,{name}\nann@example.be,Secretann\n"));
            let refused = world.import(&file, &[]).expect_code(2);
            assert!(refused.stderr.contains("almost the field first_name"), "{}", refused.stderr);
            assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
            assert!(!refused.stderr.contains("Secret"), "{}", refused.stderr);
        }
        // The second byte-order mark of a file that was saved twice.
        world.write("bom.csv", "\u{FEFF}\u{FEFF}email,Team\nann@example.be,x\n");
        let refused = world.import("bom.csv", &[]).expect_code(2);
        assert!(refused.stderr.contains("column 1 of the header"), "{}", refused.stderr);
        assert_eq!((world.count_uploads().await, world.participants().await.len()), (0, 0));

        // A field if so said, by its exact name or one that means the same.
        world.import("bom.csv", &["--map", "email=email"]).expect_code(0);
        world.import("0.csv", &["--map", "first_name= first_name"]).expect_code(0);
        let people = world.participants().await;
        assert_eq!(people[0].email.as_deref(), Some("ann@example.be"));
        assert_eq!(people[1].first_name.as_deref(), Some("Secretann"));
        // Metadata if so said.
        let done = world.import("2.csv", &["--metadata", "FIRST_NAME"]).expect_code(0);
        assert_eq!(done.said(), "", "whoever said so needs no warning");
        let metadata = participant_metadata::Entity::find()
            .filter(participant_metadata::Column::Key.eq("FIRST_NAME"))
            .count(&world.connection)
            .await;
        assert_eq!(metadata.expect("read"), 1);
        assert_eq!(world.participants().await[2].first_name, None);
        let refused = world.import("3.csv", &["--metadata", "Last Name"]).expect_code(2);
        assert!(refused.stderr.contains("\"Last Name\""), "{}", refused.stderr);
    }
}

on_every_database! {
    async fn e15_metadata_of_almost_the_same_name_is_kept_apart_and_told(database: Scratch) {
        let world = World::on(&database).await;
        let done = world.upload("a.csv", "email,Team, team\na@b,North,South\n").expect_code(0);
        assert!(done.stderr.contains("\"Team\" and \" team\""), "{}", done.stderr);
        let metadata = participant_metadata::Entity::find().count(&world.connection).await;
        assert_eq!(metadata.expect("read"), 2);
    }
}
