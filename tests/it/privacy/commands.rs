//! Every command, with people of whom every value is marked and with input of which every part is
//! malformed in some way.

use super::canary::{ADDRESS, Heard, marked_people, read, talkative, write};
use crate::support::campaign::report;
use crate::support::{Scratch, World, master_key};

/// What a tenant may upload: all of it is somebody's, and some of it is nothing at all.
fn upload() -> Vec<u8> {
    let long = "zq7marker".repeat(60);
    let mut bytes = format!(
        "email,first_name,last_name,phone,customer_id,Team,added\n\
         zq7marker@example.org,zq7marker,zq7marker,zq7marker,zq7marker,zq7marker,2024-02-01\n\
         zq7marker without an at sign,zq7marker,,,,zq7marker@example.org,2024-02-01\n\
         @zq7marker,,,,,\"zq7marker\nzq7marker@example.org\",2024-02-01\n\
         {long}@example.org,,,,,,2024-02-01\n\
         zq7marker@x,{long},,,,,2024-02-01\n\
         zq7marker@x,,,,,,zq7marker\n\
         zq7marker@x,,,,,,2999-01-01T00:00:00Z\n\
         zq7marker@x,zq7marker\n\
         zq7marker@x,,,,,,2024-02-01,zq7marker,zq7marker\n\
         ,,,,,zq7marker,2024-02-01\n"
    )
    .into_bytes();
    bytes.extend(b"zq7marker\0@x,,,,,,2024-02-01\nzq7marker\xFF@x,zq7marker,,,,,2024-02-01\n");
    bytes.extend(
        b"zq7marker@x,zq\"7marker,,,,,2024-02-01\nzq7marker@x,\"zq7marker,,,,,2024-02-01\n",
    );
    bytes
}

on_every_database! {
    async fn e10_no_command_says_what_is_personal(scratch: Scratch) {
        let world = World::new(scratch, "2024-04-02T00:00:00Z").await;
        let ids = marked_people(&world, "example").await;
        let binary = talkative(&world);
        let mut heard = Heard::new(&world);
        take_in(&mut heard, &binary);
        let period = ["--period", "2024-04"];
        let erased = ids[0].to_string();
        for arguments in [
            &["plan"][..],
            &["plan", "--output", "json"],
            &["run"],
            &["run", "--output", "json"],
            &["verify"],
            &["verify", "--output", "json"],
        ] {
            let arguments: Vec<&str> = arguments.iter().chain(&period).copied().collect();
            let done = heard.run(&binary, &arguments, b"");
            assert_eq!(done.code, 0, "{arguments:?}: {}{}", done.stdout, done.stderr);
        }
        let runs = heard.run(&binary, &["runs", "list", "--output", "json"], b"");
        let runs: serde_json::Value = serde_json::from_str(&runs.stdout).expect("JSON");
        let run = runs["runs"][0]["run_id"].as_str().expect("a run's id").to_owned();
        for id in &ids {
            heard.run(&binary, &["participant", "show", &id.to_string()], b"");
            let json = ["participant", "show", &id.to_string(), "--output", "json"];
            assert_eq!(heard.run(&binary, &json, b"").code, 0);
        }
        for arguments in [
            &["runs", "list"][..],
            &["runs", "show", &run],
            &["runs", "show", &run, "--output", "json"],
            &["config", "show"],
            &["config", "show", "--output", "json"],
            &["config", "check"],
            &["keys", "check"],
            &["migrate", "status"],
            &["tenant", "list"],
            &["tenant", "show", "example"],
            &["policy", "show", "example"],
            &["policy", "history", "example"],
        ] {
            let done = heard.run(&binary, arguments, b"");
            assert_eq!(done.code, 0, "{arguments:?}: {}{}", done.stdout, done.stderr);
        }
        heard.hear_records(&world).await;
        heard.assert_clean();
        // Nor does any record name a participant once the run is completed.
        let mut records = Heard::new(&world);
        for id in &ids {
            records.and_not(&id.to_string());
            records.and_not(&id.simple().to_string());
        }
        assert!(erased.len() == 36);
        records.hear_records(&world).await;
        records.assert_clean();
        report(&format!("{:?}: {} bytes", world.scratch.backend(), heard.total_bytes()));
    }
}

fn take_in(heard: &mut Heard, binary: &crate::support::Binary) {
    write(binary, "people.csv", upload());
    write(
        binary,
        "headless.csv",
        "zq7marker@example.org,zq7marker,zq7marker\n",
    );
    write(
        binary,
        "narrow.csv",
        "Mail;Name\nzq7marker@example.org;zq7marker\n",
    );
    write(
        binary,
        "binary.csv",
        b"zq7marker\xFF,email\nzq7marker,zq7marker@x\n",
    );
    write(
        binary,
        "nothing.csv",
        "email\nzq7marker without\n\0zq7marker\n",
    );
    let to = ["--tenant", "example", "--added-at-column", "added"];
    for (file, more, codes) in [
        ("people.csv", &to[..], &[3][..]),
        ("people.csv", &to[..], &[4]),
        ("people.csv", &["--tenant", "example"], &[3, 4]),
        ("people.csv", &["--tenant", "nobody"], &[2]),
        ("headless.csv", &to[..2], &[2]),
        (
            "narrow.csv",
            &["--tenant", "example", "--map", "email=Mail"],
            &[2],
        ),
        ("binary.csv", &to[..2], &[2]),
        ("nothing.csv", &to[..2], &[1, 3]),
        ("missing.csv", &to[..2], &[1, 2]),
    ] {
        for format in ["table", "json"] {
            let mut arguments = vec!["import", file, "--output", format];
            arguments.extend(more);
            let done = heard.run(binary, &arguments, b"");
            // The second time the file is known; that is 4.
            let codes: Vec<i32> = codes.iter().copied().chain([4]).collect();
            let shown = format!("{arguments:?}: {} {}", done.stdout, done.stderr);
            assert!(codes.contains(&done.code), "{}: {shown}", done.code);
        }
    }
    // The exception, and proof that the rows were malformed as they should be.
    let rejects = read(&binary.directory().join("people.rejects.csv"));
    assert!(
        rejects.lines().count() > 8 && rejects.contains("zq7marker"),
        "{rejects}"
    );

    let long = "zq7marker".repeat(20_000);
    for (stdin, code) in [
        (ADDRESS.as_bytes(), 0),
        (b"zq7marker", 2),
        (b"@zq7marker", 2),
        (b"zq7marker\xFF@example.org", 2),
        (b"zq7marker@example.org\nzq7marker@example.org\n", 2),
        (b"Zq7marker <zq7marker@example.org>\n", 2),
        (b"mailto:zq7marker@example.org", 2),
        (b"zq7marker@example.org, other@example.org", 2),
        (b"zq7marker\0@example.org", 2),
        (b"zq7marker zq7marker@example.org", 2),
        (b"unknown.zq7marker@example.org", 0),
        (long.as_bytes(), 2),
    ] {
        let unsubscribe = ["unsubscribe", "--tenant", "example"];
        let done = heard.run(binary, &unsubscribe, stdin);
        assert_eq!(done.code, code, "{}", done.stderr);
    }
    for arguments in [
        &["suppression", "check", "--tenant", "example"][..],
        &[
            "suppression",
            "check",
            "--tenant",
            "example",
            "--output",
            "json",
        ],
    ] {
        let mut stdin = b"zq7marker@example.org\nzq7marker\nzq7marker\xFF@x\n@zq7marker\n".to_vec();
        stdin.extend(b"other+zq7marker@example.org\nzq7marker\0@x\n");
        stdin.extend(b"Zq7marker <zq7marker@example.org>\n");
        let done = heard.run(binary, arguments, &stdin);
        assert!(done.stdout.contains("suppressed"), "{}", done.stdout);
    }
}

/// Secrets in the wrong place, or in a form that cannot be read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e10_secrets_that_are_malformed_are_not_shown() {
    let world = World::new(
        crate::support::scratch(crate::support::Backend::Sqlite).await,
        "2024-04-02T00:00:00Z",
    )
    .await;
    let mut heard = Heard::new(&world);
    let port = crate::support::free_port().port();
    for url in [
        format!("postgres://ann:zq7marker@127.0.0.1:{port}/platform"),
        format!("mysql://ann:zq7marker@127.0.0.1:{port}/platform"),
        format!("postgres://127.0.0.1:{port}/platform?user=ann&password=zq7marker"),
        "postgres://ann:zq7marker@db:port/platform".to_owned(),
        "postgres://ann:zq7marker#zq7marker@db/platform".to_owned(),
        "mysql://ann:zq7marker?zq7marker@db/platform".to_owned(),
        "zq7marker://ann@db/platform".to_owned(),
        "zq7marker".to_owned(),
    ] {
        let binary = talkative(&world)
            .env("RETENTIOND__DATABASE__URL", &url)
            .env("RETENTIOND__DATABASE__CONNECT_TIMEOUT", "1s");
        for arguments in [
            &["run"][..],
            &["plan"],
            &["config", "check"],
            &["config", "show"],
        ] {
            let done = heard.run(&binary, arguments, b"");
            assert!(
                done.code != 0 || arguments[0] == "config",
                "{}",
                done.stdout
            );
        }
    }
    for keyring in [
        "zq7marker".to_owned(),
        "version = 1\nactive = \"k1\"\n[[key]]\nid = \"k1\"\nsecret = \"zq7marker\"\n".to_owned(),
        format!(
            "version = 1\nactive = \"k1\"\n[[key]]\nid = \"k1\"\ncreated_at = \"zq7marker\"\nsecret = \"{}\"\n",
            hex::encode(master_key(7))
        ),
        format!(
            "version = 1\nactive = \"k2\"\n[[key]]\nsecret = \"{}\"\n",
            hex::encode(master_key(7)).repeat(2)
        ),
        format!("secret = \"{}\n", hex::encode(master_key(7))),
    ] {
        let binary = talkative(&world);
        write(&binary, "retentiond.keyring", &keyring);
        for arguments in [
            &["run"][..],
            &["keys", "check"],
            &["keys", "rotate"],
            &["serve"],
        ] {
            let done = heard.run(&binary, arguments, b"");
            assert_eq!(
                done.code, 2,
                "{arguments:?} with {keyring}: {}",
                done.stderr
            );
        }
    }
    for configuration in [
        "[database]\nurl = \"postgres://ann:zq7marker@db/platform\n",
        "database = \"postgres://ann:zq7marker@db/platform\"\n",
        "[database]\nmax_connections = \"postgres://ann:zq7marker@db/platform\"\n",
        "[suppression]\nkeyring_file = [\"postgres://ann:zq7marker@db/platform\"]\n",
    ] {
        let binary = crate::support::Binary::new().env("RUST_BACKTRACE", "full");
        write(&binary, "retentiond.toml", configuration);
        for arguments in [
            &["run"][..],
            &["config", "check"],
            &["config", "show"],
            &["serve"],
        ] {
            let done = heard.run(&binary, arguments, b"");
            assert_eq!(done.code, 2, "{arguments:?}: {}", done.stdout);
        }
    }
    heard.assert_clean();
}
