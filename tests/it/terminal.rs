//! What others named on a terminal: a name that holds an escape sequence, a line break or a mark of direction
//! forges no row and moves no cursor.

use crate::support::{Backend, World, scratch};

/// Each is a name that somebody with rights on the platform's tables could store.
const NAMES: &[&str] = &[
    "two\nother   2024-04   0   ok",
    "clear\u{1b}[2K\u{1b}[1Agone",
    "turned\u{202e}round",
    "csi\u{9b}31m",
    "return\rother",
    "hidden\u{200b}",
];

fn is_harmless(text: &str) -> bool {
    !text.chars().any(|character| {
        (character.is_control() && character != '\n')
            || matches!(character, '\u{200b}' | '\u{202e}' | '\u{2066}')
    })
}

#[tokio::test]
async fn a_name_from_the_database_forges_no_row() {
    let world = World::new(scratch(Backend::Sqlite).await, "2024-04-02T00:00:00Z").await;
    for (number, name) in NAMES.iter().enumerate() {
        let tenant = world.tenant(&format!("tenant-{number}"), "UTC").await;
        world
            .policy(tenant, Some(1), Some(12), "2020-01-01T00:00:00Z")
            .await;
        world
            .sql(&format!(
                "UPDATE tenant SET name = '{name}', slug = 's{number}{name}' WHERE id = {}",
                tenant.0
            ))
            .await;
    }
    world.sql("UPDATE policy SET reason = 'r' || char(10) || char(27) || '[2J', created_by = 'a' || char(13)").await;
    let binary = world.binary();
    let run = binary.run(&["run"]).expect_code(0);
    let rows = NAMES.len();
    for command in [
        &["tenant", "list"][..],
        &["runs", "list"],
        &["verify"],
        &["plan"],
    ] {
        let shown = binary.run(command);
        assert_eq!(shown.code, 0, "{command:?}: {}", shown.stderr);
        assert!(
            is_harmless(&shown.stdout),
            "{command:?}: {:?}",
            shown.stdout
        );
        let lines = shown.stdout.lines().filter(|line| line.starts_with('s'));
        let lines = if command == ["runs", "list"] {
            shown.stdout.lines().skip(1).count()
        } else {
            lines.count()
        };
        assert_eq!(lines, rows, "{command:?}: {}", shown.stdout);
    }
    assert!(is_harmless(&run.stdout), "{:?}", run.stdout);
    let slug = format!("s0{}", NAMES[0]);
    for command in [
        &["tenant", "show"][..],
        &["policy", "history"],
        &["policy", "show"],
    ] {
        let shown = binary
            .run(&[command, &[slug.as_str()][..]].concat())
            .expect_code(0);
        assert!(
            is_harmless(&shown.stdout),
            "{command:?}: {:?}",
            shown.stdout
        );
        assert!(
            !shown.stdout.contains("\nother"),
            "{command:?}: {}",
            shown.stdout
        );
    }
    // And from the command line, by whoever was given it to paste.
    for name in NAMES {
        let refused = binary.run(&["plan", "--tenant", name]);
        assert_ne!(refused.code, 0, "{name:?}");
        assert!(
            is_harmless(&refused.stderr),
            "{name:?}: {:?}",
            refused.stderr
        );
        assert_eq!(refused.stderr.lines().count(), 1, "{:?}", refused.stderr);
        let missing = binary.run(&["import", "--tenant", "x", name]);
        assert!(
            is_harmless(&missing.stderr),
            "{name:?}: {:?}",
            missing.stderr
        );
        let config = binary.run(&["--config", name, "config", "check"]);
        assert_eq!(config.stderr.lines().count(), 1, "{:?}", config.stderr);
    }
}
