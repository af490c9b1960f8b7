//! E8 and E11: what is refused, and what is warned of.

use std::os::unix::fs::PermissionsExt;

use entity::participant_metadata;

use super::*;

on_every_database! {
    async fn e08_bad_rows_go_to_the_rejects_file(database: Scratch) {
        let world = World::on(&database).await;
        let long = "é".repeat(321);
        let content = format!(
            "\u{FEFF}email,Team,\"first\r\nname\",added\r\n\
             ok@x,\"two\r\nlines\",,2024-02-29\r\n\
             ,only metadata,,2024-02-29\r\n\
             \r\n\
             late@x,,,2999-01-01T00:00:00Z\r\n\
             odd@x,,,29/2/2024\r\n\
             few@x,\"a,b\"\r\n\
             many@x,,,2024-02-29,more\r\n\
             {long},,,2024-02-29\r\n\
             \" kept \",,\"Ann \"\"A\"\"\",2024-02-29T22:59:59.9999999Z\r\n"
        );
        let mut bytes = content.into_bytes();
        bytes.extend(b"nul\0@x,,,2024-02-29\r\nbad@x,\xFF,,2024-02-29\r\nopen@x,\"never,,2024-02-29\r\n");
        world.write("people.csv", &bytes);
        world.write("people.rejects.csv", "line,reason,email\n7,of an earlier import,old@x\n");
        let options = ["--map", "first_name=first\r\nname", "--added-at-column", "added"];
        let done = world.import("people.csv", &options).expect_code(3);
        let document = json(&done);
        assert_eq!(document["accepted"], 2);
        assert_eq!(document["rejected"], 9);
        assert_eq!(document["rejects_file"], "people.rejects.csv");
        let path = world.path("people.rejects.csv");
        let mode = std::fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let mut expected = "line,reason,email,Team,\"first\r\nname\",added\n\
            5,all five personal fields are empty,,only metadata,,2024-02-29\n\
            7,added is in the future,late@x,,,2999-01-01T00:00:00Z\n\
            8,added is unreadable as a time,odd@x,,,29/2/2024\n\
            9,wrong number of fields: 2 instead of 4,few@x,\"a,b\"\n\
            10,wrong number of fields: 5 instead of 4,many@x,,,2024-02-29,more\n"
            .to_owned();
        expected.push_str(&format!("11,email is longer than 320 characters,{long},,,2024-02-29\n"));
        let mut expected = expected.into_bytes();
        expected.extend(b"13,email holds a NUL character,nul\0@x,,,2024-02-29\n\
            14,Team is not valid UTF-8,bad@x,\xFF,,2024-02-29\n\
            15,a quotation mark is never closed,open@x,\"never,,2024-02-29\n");
        assert_eq!(
            String::from_utf8_lossy(&std::fs::read(&path).expect("read")),
            String::from_utf8_lossy(&expected)
        );
        let mut rows = world.participants().await;
        rows.sort_by_key(|row| row.added_at);
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].added_at.to_rfc3339(), "2024-02-28T23:00:00+00:00");
        assert_eq!(rows[0].first_name, None);
        assert_eq!(rows[1].email.as_deref(), Some(" kept "));
        assert_eq!(rows[1].first_name.as_deref(), Some("Ann \"A\""));
        assert_eq!(rows[1].added_at.to_rfc3339(), "2024-02-29T22:59:59.999999+00:00");
        let metadata = participant_metadata::Entity::find().all(&world.connection).await.expect("read");
        assert_eq!(metadata.len(), 1, "no row for an empty field, none for added_at");
        assert_eq!((metadata[0].key.as_str(), metadata[0].value.as_str()), ("Team", "two\r\nlines"));

        // A good file removes the old rejects.
        world.upload("people.csv", "email\na@b\n").expect_code(0);
        assert!(!path.exists());
        // Nothing accepted: nothing stored, and the reasons are there.
        let refused = world.upload("none.csv", "email,Team\n,x\n").expect_code(1);
        assert_eq!(refused.stderr, "error: no row of the file could be accepted; nothing was stored\n");
        assert_eq!(json(&refused)["upload_id"], Value::Null);
        assert!(world.path("none.rejects.csv").exists());
        let refused = world.upload("header.csv", "email,Team\n").expect_code(1);
        assert!(refused.stderr.contains("holds no rows"), "{}", refused.stderr);
        assert!(!world.path("header.rejects.csv").exists());
        assert_eq!(world.count_uploads().await, 2);
    }
}

on_every_database! {
    async fn e08_files_and_options_that_are_refused_in_one_sentence(database: Scratch) {
        let world = World::on(&database).await;
        std::fs::create_dir(world.path("folder.csv")).expect("a folder");
        world.write("empty.csv", "");
        world.write("blank.csv", "\n\n");
        world.write("latin1.csv", b"email,Pr\xE9nom\na@b,c\n");
        world.write("twice.csv", "email,Team,Team\na@b,c,d\n");
        world.write("open.csv", "email,\"Team\na@b,c\n");
        world.write("good.csv", "email,when\nsecret@example.be,2024-01-01\n");
        for (name, options, part) in [
            ("missing.csv", &[][..], "there is no file missing.csv"),
            ("folder.csv", &[], "directory"),
            ("empty.csv", &[], "empty"),
            ("blank.csv", &[], "no header"),
            ("latin1.csv", &[], "column 2 is not UTF-8"),
            ("twice.csv", &[], "columns 2 and 3"),
            ("open.csv", &[], "quotation mark"),
            ("good.csv", &["--map", "email=Mail"], "\"Mail\""),
            ("good.csv", &["--map", "mail=email"], "\"mail\""),
            ("good.csv", &["--map", "phone=email", "--map", "email=email"], "\"email\""),
            ("good.csv", &["--added-at-column", "added"], "\"added\""),
            ("good.csv", &["--accepted-at", "2999-01-01T00:00:00Z"], "future"),
            ("good.csv", &["--accepted-at", "soon"], "no time"),
        ] {
            let refused = world.import(name, options).expect_code(2);
            assert!(refused.stderr.starts_with("error: "), "{}", refused.stderr);
            assert!(refused.stderr.contains(part), "{}", refused.stderr);
            assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
            assert!(!refused.stderr.contains("secret"), "{}", refused.stderr);
            assert_eq!(refused.stdout, "");
        }
        let refused = world.binary.run(&["import", "good.csv", "--tenant", "nobody"]).expect_code(2);
        assert!(refused.stderr.contains("nobody"));
        assert_eq!(world.count_uploads().await, 0);
        assert_eq!(world.participants().await.len(), 0);
    }
}

on_every_database! {
    async fn e11_columns_that_look_personal_are_named(database: Scratch) {
        let world = World::on(&database).await;
        let done = world.upload(
            "a.csv",
            "email,Second mail,Mobile,Team,Birthday\n\
             a@b,ann.two@example.be,+32 475 55 12 12,Sales,3/29/1982\n\
             c@d,,,Support,1982-03-29\n",
        ).expect_code(0);
        let said = done.said();
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines.len(), 3, "{}", done.stderr);
        assert!(lines[0].starts_with("warning: ") && lines[0].contains("\"Second mail\""));
        assert!(lines[0].contains("by its name, and by 1 of 1 values"), "{}", lines[0]);
        assert!(lines[1].contains("\"Mobile\""));
        assert!(lines[2].contains("\"Birthday\"") && lines[2].contains("(by its name)"));
        assert!(!done.stderr.contains("ann.two") && !done.stderr.contains("475"));
        assert_eq!(json(&done)["warnings"].as_array().map(Vec::len), Some(3));
        let metadata = participant_metadata::Entity::find().count(&world.connection).await;
        assert_eq!(metadata.expect("read"), 6);
    }
}

on_every_database! {
    async fn e11_personal_data_inside_of_values_is_warned_of_with_its_count(database: Scratch) {
        let world = World::on(&database).await;
        let done = world.upload(
            "a.csv",
            "email,Source,Owner,Line,Ref,Team name\n\
             a@b,web,Sales,x,4.479E+11,North\n\
             c@d,Ann ::: ann.two@example.be,Ann <ann@x>,tel:+32475551212,1234567,South\n\
             e@f,web,Sales,x,1234568,North\n",
        ).expect_code(0);
        let found: Vec<(&str, u64, u64)> = json(&done)["suspicious_columns"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|column| {
                let number = |key: &str| column[key].as_u64().expect("a number");
                let name = ["Source", "Owner", "Line", "Ref"]
                    .into_iter()
                    .find(|name| column["column"] == *name)
                    .expect("one of these");
                (name, number("hits"), number("values"))
            })
            .collect();
        assert_eq!(found, [("Source", 1, 3), ("Owner", 1, 3), ("Line", 1, 3), ("Ref", 1, 3)]);
        assert!(done.stderr.contains("(by 1 of 3 values)"), "{}", done.stderr);
        let said = done.said();
        assert!(!said.contains("ann.two") && !said.contains("475"), "{said}");
        assert_eq!(world.participants().await.len(), 3, "a warning refuses nothing");
    }
}

on_every_database! {
    async fn e16_what_is_no_regular_file_is_refused_and_nothing_hangs(database: Scratch) {
        let world = World::on(&database).await;
        let made = Command::new("mkfifo").arg(world.path("pipe.csv")).status();
        assert!(made.expect("mkfifo runs").success());
        let _socket = std::os::unix::net::UnixListener::bind(world.path("socket.csv")).expect("bound");
        std::os::unix::fs::symlink("pipe.csv", world.path("link.csv")).expect("linked");
        std::fs::create_dir(world.path("folder.csv")).expect("a folder");
        for (file, part) in [
            ("pipe.csv", "is a pipe"),
            ("link.csv", "is a pipe"),
            ("socket.csv", "is a socket"),
            ("/dev/null", "is a device"),
            ("/dev/stdin", "is a pipe"),
            ("folder.csv", "is a directory"),
        ] {
            let refused = world.import(file, &[]).expect_code(2);
            assert!(refused.stderr.contains(part), "{}", refused.stderr);
            assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
        }
        assert_eq!(world.count_uploads().await, 0);
        // A link to a regular file is one.
        world.write("people.csv", "email\nann@example.be\n");
        std::os::unix::fs::symlink("people.csv", world.path("good.csv")).expect("linked");
        world.import("good.csv", &[]).expect_code(0);
    }
}

on_every_database! {
    async fn e16_a_file_that_no_import_wrote_is_never_replaced(database: Scratch) {
        let world = World::on(&database).await;
        world.write("people.csv", "email,Team\nann@example.be,x\n,x\n");
        world.write("notes", "our own");
        let path = world.path("people.rejects.csv");
        let refuse = |what: &str| {
            let refused = world.import("people.csv", &[]).expect_code(2);
            assert!(refused.stderr.contains("people.rejects.csv"), "{}", refused.stderr);
            assert!(refused.stderr.contains("nothing was stored"), "{}", refused.stderr);
            assert_eq!(refused.stderr.lines().count(), 1, "{what}: {}", refused.stderr);
        };
        std::fs::write(&path, "our own\n").expect("written");
        refuse("another file");
        assert_eq!(std::fs::read(&path).expect("still there"), b"our own\n");
        std::fs::remove_file(&path).expect("removed");
        std::os::unix::fs::symlink("notes", &path).expect("linked");
        refuse("a link");
        assert_eq!(std::fs::read(world.path("notes")).expect("still there"), b"our own");
        std::fs::remove_file(&path).expect("removed");
        let made = Command::new("mkfifo").arg(&path).status();
        assert!(made.expect("mkfifo runs").success());
        refuse("a pipe");
        assert_eq!(world.count_uploads().await, 0, "refused before anything is stored");
        std::fs::remove_file(&path).expect("removed");
        // Ours is written, and replaced by the next import.
        for _ in 0..2 {
            let done = world.import("people.csv", &["--again"]).expect_code(3);
            assert_eq!(json(&done)["rejected"], 1);
            let rejects = std::fs::read_to_string(&path).expect("there");
            assert_eq!(rejects.lines().count(), 2, "{rejects}");
        }
    }
}

on_every_database! {
    async fn e17_headers_and_totals_among_the_rows_are_warned_of_by_line(database: Scratch) {
        let world = World::on(&database).await;
        let done = world.upload(
            "a.csv",
            "email,first_name\r\nann@example.be,Ann\r\n\r\nemail,first_name\r\n\
             bob@example.be,Bob\r\nEmail , First Name\r\nTotal: 2,\r\n-----,-----\r\n",
        ).expect_code(0);
        let document = json(&done);
        assert_eq!(document["accepted"], 6);
        assert_eq!(document["repeated_headers"]["first_lines"], serde_json::json!([4, 6]));
        assert_eq!(document["summary_rows"]["first_lines"], serde_json::json!([7, 8]));
        assert!(done.stderr.contains("lines 4, 6 repeat the header"), "{}", done.stderr);
        assert!(done.stderr.contains("lines 7, 8 look like totals or rulers"), "{}", done.stderr);
        let done = world.upload("b.csv", "email\nann@example.be\nTotal: 1\n").expect_code(0);
        assert!(done.stderr.contains("line 3 looks like a total"), "{}", done.stderr);
        let done = world.upload("c.csv", "email,first_name\ntotal@example.be,Sum\nc@d,Total\n").expect_code(0);
        assert_eq!(done.said(), "");
    }
}
