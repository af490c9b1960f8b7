//! The help of every command, compared with the stored one: whoever changes it sees it whole.

use std::path::Path;

use crate::support::Binary;

/// Set to anything, the stored help is written anew.
const UPDATE: &str = "RETENTIOND_UPDATE_SNAPSHOTS";

/// Appends the help of the command at `path` and of all below it.
fn collect(binary: &Binary, path: &[&str], collected: &mut String) {
    let mut arguments = path.to_vec();
    arguments.push("--help");
    let help = binary.run(&arguments).expect_code(0);
    assert_eq!(help.stderr, "", "{path:?}");
    collected.push_str(&format!(
        "$ retentiond {}\n\n{}\n",
        arguments.join(" "),
        help.stdout
    ));
    for name in commands_of(&help.stdout) {
        if name != "help" {
            let mut below = path.to_vec();
            below.push(name);
            collect(binary, &below, collected);
        }
    }
}

/// The names in the section `Commands:`, which an empty line ends.
fn commands_of(help: &str) -> Vec<&str> {
    help.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        // A long description goes on further to the right.
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split_whitespace().next())
        .collect()
}

#[test]
fn the_help_of_every_command_is_as_stored() {
    let mut collected = String::new();
    collect(&Binary::new(), &[], &mut collected);
    for command in [
        "keys generate",
        "migrate status",
        "config show",
        "runs show",
        "man",
    ] {
        assert!(
            collected.contains(&format!("$ retentiond {command} --help")),
            "{command}"
        );
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots/help.txt");
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&file, &collected).expect("the snapshot can be written");
        return;
    }
    let stored = std::fs::read_to_string(&file).unwrap_or_default();
    let difference = collected
        .lines()
        .zip(stored.lines().chain(std::iter::repeat("")))
        .position(|(now, then)| now != then)
        .unwrap_or_else(|| stored.lines().count().min(collected.lines().count()));
    assert!(
        collected == stored,
        "the help differs from tests/it/snapshots/help.txt from line {} on; if that is meant, run \
         the test once with {UPDATE}=1 and commit the file. Now:\n{}",
        difference + 1,
        collected
            .lines()
            .skip(difference)
            .take(20)
            .collect::<Vec<_>>()
            .join("\n")
    );
}

/// They load nothing: a broken configuration is no obstacle.
#[test]
fn completions_and_the_manual_page_need_no_configuration() {
    let binary = Binary::new().env("RETENTIOND_CONFIG", "no/such/file.toml");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = binary.run(&["completions", shell]).expect_code(0);
        assert!(script.stdout.contains("generate"), "{shell}");
        assert_eq!(script.stderr, "");
    }
    binary.run(&["completions", "cobol"]).expect_code(2);
    let page = binary.run(&["man"]).expect_code(0).stdout;
    assert!(page.contains(".TH retentiond 1"), "{page}");
    for command in ["keys generate", "migrate up", "runs show"] {
        assert!(page.contains(&format!("retentiond {command}")), "{command}");
    }
    let checked = binary.run(&["config", "check"]).expect_code(2);
    assert_eq!(checked.stderr.lines().count(), 1);
}

#[test]
fn the_configuration_is_checked_and_shown_without_secrets() {
    let url = "postgres://ann:hunter2@db.internal/platform";
    let binary = Binary::new().env("RETENTIOND__DATABASE__URL", url);
    assert_eq!(
        binary.run(&["config", "check"]).expect_code(0).stdout,
        "ok\n"
    );
    let table = binary.run(&["config", "show"]).expect_code(0).stdout;
    let json = binary
        .run(&["config", "show", "--output", "json"])
        .expect_code(0)
        .stdout;
    for shown in [&table, &json] {
        assert!(shown.contains("postgres://db.internal/platform"), "{shown}");
        assert!(
            !shown.contains("hunter2") && !shown.contains("ann"),
            "{shown}"
        );
    }
    let document: serde_json::Value = serde_json::from_str(&json).expect("one JSON document");
    assert_eq!(document["schedule"]["hour"], 0);
    let bad = Binary::new().env("RETENTIOND__ENGINE__BATCH_ROW", "5");
    let refused = bad.run(&["config", "check"]).expect_code(2);
    assert!(refused.stderr.starts_with("error: ") && refused.stderr.lines().count() == 1);
    assert!(refused.stderr.contains("BATCH_ROW"), "{}", refused.stderr);
}
