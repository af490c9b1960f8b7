//! U12: e-mail values that are not one bare address.

use super::*;

/// Spellings that mean `ann@example.be` to a mailer, or to whoever reads them, and are not that address
/// alone.
const ANN: [&str; 16] = [
    "Ann <ann@example.be>",
    "\"Peeters, Ann\" <ann@example.be>",
    "<ann@example.be>",
    "mailto:ann@example.be",
    "ann@example.be,bob@example.be",
    "bob@example.be; ann@example.be",
    "'ann@example.be'",
    "“ann@example.be”",
    "ann @example.be",
    "ann@example.be (Ann)",
    "\u{200E}ann@example.be",
    "\u{202A}ann@example.be\u{202C}",
    "an\u{AD}n@example.be",
    "ann%40example.be",
    "ann＠example.be",
    "bob@example.be，ann@example.be",
];

/// A file in which every spelling is a row, with somebody else after them.
fn file() -> String {
    let rows = ANN
        .iter()
        .map(|value| format!("\"{}\",Ann\n", value.replace('"', "\"\"")));
    format!(
        "email,first_name\n{}eve@example.be,Eve\n",
        rows.collect::<String>()
    )
}

on_every_database! {
    async fn u12_unsubscribe_refuses_what_is_not_one_bare_address(database: Scratch) {
        let world = World::on(&database).await;
        world.upload("a.csv", "email\nann@example.be\neve@example.be\n").expect_code(0);
        for value in ANN.iter().chain(&["ann\0@example.be", "ann@example.be.", "nobody"]) {
            let refused = world.unsubscribe("acme", value).expect_code(2);
            assert!(refused.stderr.contains("not one bare address: it holds"), "{}", refused.stderr);
            assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
            assert_eq!(refused.stdout, "");
        }
        let named = world.unsubscribe("acme", ANN[0]).expect_code(2);
        assert!(named.stderr.contains("a name beside the address"), "{}", named.stderr);
        let invisible = world.unsubscribe("acme", ANN[10]).expect_code(2);
        assert!(invisible.stderr.contains("an invisible character"), "{}", invisible.stderr);
        assert!(world.suppressions().await.is_empty());
        assert!(world.participants().await.iter().all(|row| row.unsubscribed_at.is_none()));

        let lines: String = ANN.iter().map(|value| format!("{value}\n")).collect();
        let expected: String = (1..=ANN.len()).map(|line| format!("{line}\tinvalid\n")).collect();
        assert_eq!(world.check("acme", &lines), expected);
        let json_of = world.binary.run_with_stdin(
            &["suppression", "check", "--tenant", "acme", "--output", "json"],
            ANN[0].as_bytes(),
        );
        assert_eq!(json(&json_of)["addresses"][0]["not_bare"], "name_and_address");
        // Quoted by RFC 5321, and one address.
        for odd in ["\"ann smith\"@example.be", "o'brien+x@example.ie", "ann..x.@docomo.example"] {
            world.unsubscribe("acme", odd).expect_code(0);
        }
        assert_eq!(world.suppressions().await.len(), 3);
    }
}

on_every_database! {
    async fn u12_whoever_said_no_is_recognised_in_each_spelling_and_never_invited(database: Scratch) {
        let world = World::on(&database).await;
        world.unsubscribe("acme", "ann@example.be").expect_code(0);
        let done = world.upload("a.csv", &file()).expect_code(0);
        let document = json(&done);
        let spellings = u64::try_from(ANN.len()).expect("few");
        assert_eq!(document["recognised"], spellings);
        assert_eq!(document["accepted"], spellings + 1);
        assert_eq!(world.invitations("queued").await, 1);
        for row in world.participants().await {
            let eve = row.first_name.as_deref() == Some("Eve");
            assert_eq!(row.unsubscribed_at.is_none(), eve, "{:?}", row.email);
        }
        // Counted, and shown by line; never the value.
        assert_eq!(document["not_bare_emails"]["count"], spellings);
        assert_eq!(document["not_bare_emails"]["first"][0]["line"], 2);
        assert_eq!(document["not_bare_emails"]["first"][0]["not_bare"], "name_and_address");
        assert!(done.stderr.contains("16 e-mail values are not one bare address"), "{}", done.stderr);
        assert!(done.stderr.contains("line 5 holds a prefix"), "{}", done.stderr);
        assert!(done.stderr.contains(" and 6 more"), "{}", done.stderr);
        assert!(!done.stderr.contains("example.be"), "{}", done.stderr);
    }
}

on_every_database! {
    async fn u12_unsubscribe_finds_the_rows_of_every_spelling(database: Scratch) {
        let world = World::on(&database).await;
        world.upload("a.csv", &file()).expect_code(0);
        assert_eq!(world.invitations("queued").await, ANN.len() as u64 + 1);
        let done = json(&world.unsubscribe("acme", "Ann@Example.be").expect_code(0));
        assert_eq!((&done["marked"], &done["participants"]), (&ANN.len().into(), &ANN.len().into()));
        assert_eq!(world.invitations("queued").await, 1);
        for row in world.participants().await {
            assert_eq!(row.unsubscribed_at.is_none(), row.first_name.as_deref() == Some("Eve"));
        }
        assert_eq!(world.suppressions().await.len(), 1, "of the address that was unsubscribed");
        let again = json(&world.unsubscribe("acme", "ann@example.be").expect_code(0));
        assert_eq!((&again["marked"], &again["newly_suppressed"]), (&0.into(), &false.into()));
    }
}

on_every_database! {
    async fn u12_the_purge_hashes_the_address_inside(database: Scratch) {
        let world = World::on(&database).await;
        world.write(
            "old.csv",
            "email\nAnn <ann@example.be>\nmailto:bob@example.be\n\u{200E}carl@example.be\n\
             \"dora@example.be; dora@home.example\"\nEve <eve@example.be>\nnobody\n",
        );
        world.import("old.csv", &["--accepted-at", "2020-01-01"]).expect_code(0);
        // By the platform, so that no hash is there before the run.
        world.execute("UPDATE participant SET unsubscribed_at = added_at WHERE email NOT LIKE 'Eve%'").await;
        let policy = ["policy", "set", "acme", "--retain", "1y", "--effective-from", "2021-01-01", "--reason", "test"];
        world.binary.run(&policy).expect_code(0);
        let plan = json(&world.binary.run(&["plan", "--tenant", "acme", "--output", "json"]).expect_code(0));
        assert_eq!((&plan["tenants"][0]["suppressions"], &plan["tenants"][0]["unhashable"]), (&5.into(), &1.into()));
        let run = json(&world.binary.run(&["run", "--tenant", "acme", "--output", "json"]).expect_code(0));
        let run = &run["tenants"][0];
        assert_eq!((&run["purged"], &run["suppressions"], &run["unhashable"]), (&6.into(), &5.into(), &1.into()));
        assert_eq!(world.participants().await.len(), 0);
        let hashes = world.suppressions().await;
        assert!(hashes.iter().all(|hash| hash.norm_version == 2));
        assert_eq!(
            world.check(
                "acme",
                "ann@example.be\nbob@example.be\ncarl@example.be\ndora@example.be\ndora@home.example\n\
                 eve@example.be\n"
            ),
            "1\tsuppressed\n2\tsuppressed\n3\tsuppressed\n4\tsuppressed\n5\tsuppressed\n6\tclear\n"
        );
        let done = world.upload("new.csv", "email\nann@example.be\neve@example.be\n").expect_code(0);
        assert_eq!(json(&done)["recognised"], 1);
        assert_eq!(world.invitations("queued").await, 1);
    }
}

on_every_database! {
    async fn u12_a_strict_import_rejects_them(database: Scratch) {
        let world = World::on(&database).await;
        world.write("a.csv", file());
        let done = world.import("a.csv", &["--strict-email"]).expect_code(3);
        let document = json(&done);
        assert_eq!((&document["accepted"], &document["rejected"]), (&1.into(), &ANN.len().into()));
        assert_eq!(document["not_bare_emails"]["count"], 0);
        let rejects = std::fs::read_to_string(world.path("a.rejects.csv")).expect("written");
        assert!(rejects.contains(
            "\n2,email is not one bare address: it holds a name beside the address in angle brackets,"
        ), "{rejects}");
        let rows = world.participants().await;
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].email.as_deref(), Some("eve@example.be"));
    }
}

on_every_database! {
    async fn u12_an_address_that_nobody_has_is_said_and_on_a_terminal_asked(database: Scratch) {
        let world = World::on(&database).await;
        world.upload("a.csv", "email\nAnn <ann@example.be>\n").expect_code(0);
        // No terminal: done, and said.
        let done = world.binary.run_with_stdin(&["unsubscribe", "--tenant", "acme"], b"typo@example.be\n");
        let done = done.expect_code(0);
        assert!(done.stdout.contains("no participant has this address"), "{}", done.stdout);
        assert!(done.stderr.contains("no participant of acme has this address"), "{}", done.stderr);
        assert_eq!(world.suppressions().await.len(), 1);
        let (code, shown) = on_a_terminal(&world, "other@example.be\nn\n");
        assert_eq!(code, 4, "{shown}");
        assert!(shown.contains("Suppress it all the same?"), "{shown}");
        assert!(shown.contains("nothing was changed"), "{shown}");
        let (code, _) = on_a_terminal(&world, "other@example.be\n\n");
        assert_eq!(code, 4, "no answer is no");
        assert_eq!(world.suppressions().await.len(), 1);
        for answer in ["other@example.be\ny\n", "third@example.be\n\u{4}yes\n"] {
            let (code, shown) = on_a_terminal(&world, answer);
            assert_eq!(code, 0, "{shown}");
        }
        assert_eq!(world.suppressions().await.len(), 3);
        // Neither somebody whom a row has, nor somebody who is suppressed already, is asked for.
        for address in ["ann@example.be\n", "typo@example.be\n"] {
            let (code, shown) = on_a_terminal(&world, address);
            assert_eq!(code, 0, "{shown}");
            assert!(!shown.contains("all the same?"), "{shown}");
        }
        assert_eq!(world.suppressions().await.len(), 4);
    }
}

/// Runs `unsubscribe` on a terminal, by `script` of util-linux; what is typed is there from the start.
fn on_a_terminal(world: &World, typed: &str) -> (i32, String) {
    let binary = env!("CARGO_BIN_EXE_retentiond");
    let command = format!("{binary} unsubscribe --tenant acme");
    let mut child = world
        .binary
        .command_of(
            Path::new("script"),
            &[
                "--quiet",
                "--return",
                "--echo",
                "never",
                "--command",
                &command,
                "/dev/null",
            ],
        )
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("script starts");
    let mut input = child.stdin.take().expect("a pipe");
    std::io::Write::write_all(&mut input, typed.as_bytes()).expect("typed");
    // The terminal stays open until the command ends.
    let output = std::thread::spawn(move || child.wait_with_output().expect("it ends"));
    let output = output.join().expect("waited for");
    drop(input);
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code().unwrap_or(-1), shown)
}
