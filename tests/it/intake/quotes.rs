//! E8 and E11: quotation marks that do not match, and files that were corrected.

use entity::participant_metadata;

use super::*;

fn good_rows(count: usize) -> String {
    (1..=count)
        .map(|row| format!("u{row}@b.example,x\n"))
        .collect()
}

on_every_database! {
    async fn e08_a_stray_quotation_mark_in_the_last_column_loses_nobody(database: Scratch) {
        let world = World::on(&database).await;
        let rows = good_rows(30);
        let done = world.upload(
            "a.csv",
            &format!("email,note\na@b.example,\"oops\n{rows}q@b.example,\"fine\"\nr@b.example,x\n"),
        ).expect_code(3);
        let document = json(&done);
        assert_eq!(document["accepted"], 32);
        assert_eq!(document["rejected"], 1);
        assert_eq!(document["warnings"], Value::Array(Vec::new()));
        assert_eq!(
            std::fs::read_to_string(world.path("a.rejects.csv")).expect("read"),
            "line,reason,email,note\n\
             2,text follows a closing quotation mark; spans lines 2 to 33; a quotation mark may be \
             missing; from line 3 on they were read again,a@b.example,\"oops\n"
        );
        let notes = participant_metadata::Entity::find().all(&world.connection).await.expect("read");
        assert_eq!(notes.len(), 32);
        assert!(notes.iter().all(|note| ["x", "fine"].contains(&note.value.as_str())));
        assert_eq!(world.participants().await.len(), 32);
    }
}

on_every_database! {
    async fn e08_a_stray_quotation_mark_in_the_first_column_loses_nobody(database: Scratch) {
        let world = World::on(&database).await;
        let rows = good_rows(100);
        // Nothing closes it, or a value that is quoted itself.
        for (name, last, accepted, reason) in [
            ("a.csv", "", 100, "a quotation mark is never closed; spans lines 2 to 102; "),
            (
                "b.csv",
                "q@b.example,\"fine\"\n",
                101,
                "text follows a closing quotation mark; spans lines 2 to 103; ",
            ),
        ] {
            let done = world
                .upload(name, &format!("email,note\n\"a@b.example,x\n{rows}{last}"))
                .expect_code(3);
            assert_eq!(json(&done)["accepted"], accepted);
            assert_eq!(json(&done)["rejected"], 1);
            let rejects = world.path(name).with_extension("rejects.csv");
            let rejects = std::fs::read_to_string(rejects).expect("read");
            assert!(rejects.contains(reason), "{rejects}");
            assert!(rejects.ends_with(",\"a@b.example,x\n"), "{rejects}");
        }
    }
}

on_every_database! {
    async fn e08_lines_that_may_belong_to_a_value_do_not_become_people(database: Scratch) {
        let world = World::on(&database).await;
        let done = world.upload(
            "a.csv",
            "email,note\n\
             a@x,\"Hello\nHello, world\nc@x,5\" pipe\n\
             b@x,\"two\nlines\",more\n\
             d@x,5\" pipe\n\
             e@x,\"say \"hi\"\"\n",
        ).expect_code(3);
        // The mark inside `5" pipe` is harmless; two lines that belong together stay so.
        assert_eq!(json(&done)["accepted"], 1, "{}", done.stderr);
        assert_eq!(world.participants().await[0].email.as_deref(), Some("d@x"));
        let rejects = std::fs::read_to_string(world.path("a.rejects.csv")).expect("read");
        for part in [
            "; spans lines 2 to 4; a quotation mark may be missing; from line 3 on they were read again,a@x,\"Hello\n",
            "3,stands among lines whose quotation marks do not match,Hello, world\n",
            "4,stands among lines whose quotation marks do not match,c@x,5\" pipe\n",
            "; spans lines 5 to 6; a quotation mark may be missing,b@x,\"two\nlines\",more\n",
            "8,text follows a closing quotation mark,e@x,\"say \"hi\"\"\n",
        ] {
            assert!(rejects.contains(part), "{part:?} in {rejects}");
        }
    }
}

on_every_database! {
    async fn e11_rows_of_several_lines_and_addresses_in_them_are_warned_of(database: Scratch) {
        let world = World::on(&database).await;
        // Nothing in this file tells it from a value that has line breaks.
        let done = world.upload(
            "a.csv",
            "email,note\na@b.example,\"oops\nu1@b.example,x\nu2@b.example,5\"\nr@b.example,x\n",
        ).expect_code(0);
        let document = json(&done);
        assert_eq!(document["accepted"], 2);
        let warnings = document["warnings"].as_array().expect("a list");
        assert_eq!(warnings.len(), 2, "{}", done.stderr);
        let text = warnings[0].as_str().expect("text");
        assert!(text.starts_with("1 accepted row spans several lines"), "{text}");
        let text = warnings[1].as_str().expect("text");
        assert!(text.contains("\"note\" looks like personal data"), "{text}");
        assert!(!done.stderr.contains("b.example"), "{}", done.stderr);
    }
}

on_every_database! {
    async fn e08_a_corrected_rejects_file_comes_in_without_its_own_columns(database: Scratch) {
        let world = World::on(&database).await;
        world.upload("a.csv", "email,note\na@x,x\nb@x,x,y\nc@x\n").expect_code(3);
        let path = world.path("a.rejects.csv");
        let rejects = std::fs::read_to_string(&path).expect("read");
        let done = world.upload("b.csv", &rejects.replace("b@x,x,y", "b@x,x y")).expect_code(3);
        assert_eq!(json(&done)["accepted"], 1);
        assert!(done.stderr.contains("columns line and reason"), "{}", done.stderr);
        let rejects = std::fs::read_to_string(world.path("b.rejects.csv")).expect("read");
        let done = world.upload("c.csv", &rejects.replace("c@x", "c@x,z")).expect_code(0);
        assert_eq!(json(&done)["accepted"], 1);
        assert_eq!(json(&done)["warnings"].as_array().map(Vec::len), Some(1));
        let found = participant_metadata::Entity::find().all(&world.connection).await.expect("read");
        assert!(found.iter().all(|row| row.key == "note"));
        assert_eq!(found.len(), 3);
    }
}
