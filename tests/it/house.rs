//! The house keeps its own rules: what can destroy data stands in one place.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::support;
use crate::support::statements::sources;

/// Whoever looks for everything that can erase a person's data opens `engine/erase.rs`. A key
/// rotation replaces a hash by another.
#[test]
fn statements_that_erase_stand_in_one_room() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 40, "the sources were not found");
    let mut erasing = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a source file");
        let code: String = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect::<Vec<_>>()
            .join("\n");
        let words = [
            "DELETE FROM",
            "DELETE {table}",
            "delete_by_ids(",
            "delete_many(",
            "delete_by_id(",
            ".delete(",
            "TRUNCATE TABLE",
            "DROP TABLE",
            "anonymized_at = :",
        ];
        if words.iter().any(|word| code.contains(word)) {
            let name = file.strip_prefix(&root).expect("below src");
            erasing.push(name.to_string_lossy().into_owned());
        }
    }
    erasing.sort();
    assert_eq!(erasing, ["engine/erase.rs", "store/tables/suppressions.rs"]);
}

/// The command line shows what the rooms below it find out.
#[test]
fn the_command_line_contains_no_sql() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 30, "the sources were not found");
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a source file");
        for word in [
            "SELECT ",
            "INSERT INTO",
            "UPDATE ",
            "DELETE FROM",
            "sea_orm",
            "FromQueryResult",
        ] {
            assert!(!text.contains(word), "{} contains {word:?}", file.display());
        }
        assert_eq!(
            support::statements::names_in(&text),
            [""; 0],
            "{}",
            file.display()
        );
    }
}

/// Whoever sees a statement in a server's log finds by its name where it is sent from: each place has one name,
/// and begins it with its own file or folder.
#[test]
fn each_statement_has_a_name_of_its_own() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut places: BTreeMap<String, PathBuf> = BTreeMap::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a source file");
        for name in support::statements::names_in(&text) {
            let (room, what) = name.split_once('.').expect("a room, and what it does");
            let of_a_word = |part: &str| {
                !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c == '_')
            };
            assert!(
                of_a_word(room) && of_a_word(what),
                "{name} in {}",
                file.display()
            );
            let path = file
                .strip_prefix(&root)
                .expect("below src")
                .with_extension("");
            assert!(
                path.components().any(|part| part.as_os_str() == room),
                "{name} stands in {}",
                file.display()
            );
            if let Some(other) = places.insert(name.clone(), file.clone()) {
                panic!(
                    "{name} stands in {} and {}",
                    other.display(),
                    file.display()
                );
            }
        }
    }
    assert!(places.len() > 100, "{places:?}");
}

/// A reader of `store` learns from its first page which of its files delete rows.
#[test]
fn the_page_of_the_store_names_each_file_of_it_that_deletes() {
    let store = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let page = std::fs::read_to_string(store.join("mod.rs")).expect("the page");
    let page: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with("//!"))
        .collect();
    let page = page.join(" ");
    assert!(!page.contains("no statement here erases"), "{page}");
    let mut files = Vec::new();
    sources(&store, &mut files);
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a source file");
        let name = file
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        // The dialect only knows how such a statement is spelled.
        if name != "dialect" && text.contains("DELETE FROM") {
            assert!(page.contains(&format!("`{name}`")), "{name}: {page}");
        }
    }
}

/// Whoever has just cloned the repository waits for the build of the first command: it optimises nothing.
#[test]
fn the_first_command_of_the_readme_is_quick_to_build_and_promises_nothing_for_later() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name| std::fs::read_to_string(root.join(name)).expect("a file of ours");
    let (readme, manifest) = (read("README.md"), read("Cargo.toml"));
    let first = readme.lines().find(|line| line.starts_with("cargo run"));
    assert!(
        first
            .expect("a command")
            .starts_with("cargo run --profile quick -- demo"),
        "{first:?}"
    );
    let profiles: toml::Table = manifest.parse().expect("TOML");
    let quick = &profiles["profile"]["quick"];
    assert_eq!(quick["opt-level"].as_integer(), Some(0));
    assert_eq!(quick["debug"].as_bool(), Some(false));
    assert!(!readme.contains("Later work"), "it is there");
}

/// The fuzzer's crate stands outside of the workspace and has a lock file of its own. It must fuzz
/// what is shipped: of each package that both know, the same versions.
#[test]
fn the_fuzzer_builds_the_versions_that_are_shipped() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let versions = |lock: &str| {
        let text = std::fs::read_to_string(root.join(lock)).expect("a lock file");
        let mut packages: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut name = String::new();
        for line in text.lines() {
            if let Some(quoted) = line.strip_prefix("name = ") {
                quoted.clone_into(&mut name);
            } else if let Some(version) = line.strip_prefix("version = ") {
                let versions = packages.entry(name.clone()).or_default();
                versions.insert(version.to_owned());
            }
        }
        packages
    };
    let shipped = versions("Cargo.lock");
    let fuzzed = versions("tests/fuzz/Cargo.lock");
    assert!(shipped.len() > 100, "the lock file was not understood");
    for (name, versions) in fuzzed {
        if let Some(shipped) = shipped.get(&name) {
            assert!(
                versions.is_subset(shipped),
                "{name}: fuzzed {versions:?}, shipped {shipped:?}; see docs/development.md"
            );
        }
    }
}

/// The fuzzer takes the crates that it does not look into from those that the tests were built with.
/// That needs the same profile; with another one it would build 400 crates more, and nobody would see why.
#[test]
fn the_fuzzer_shares_the_profile_of_the_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let profile = |manifest: &str| {
        let text = std::fs::read_to_string(root.join(manifest)).expect("a manifest");
        let table: toml::Table = text.parse().expect("TOML");
        table["profile"]["dev"]
            .as_table()
            .expect("a profile")
            .clone()
    };
    let packages = |profile: &toml::Table| {
        let packages = profile["package"].as_table().expect("packages");
        packages.clone()
    };
    let (tests, mut fuzzer) = (profile("Cargo.toml"), profile("tests/fuzz/Cargo.toml"));
    let (of_tests, mut of_fuzzer) = (packages(&tests), packages(&fuzzer));
    // What is instrumented, and has to be a build of its own.
    of_fuzzer.retain(|name, _| of_tests.contains_key(name));
    fuzzer.insert("package".to_owned(), of_fuzzer.into());
    assert_eq!(tests, fuzzer);
}

/// What the page promises is tried by a test, and the page says by which.
#[test]
fn every_test_that_the_threat_model_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("tests/it"), &mut files);
    let read = |file: &PathBuf| std::fs::read_to_string(file).expect("a source file");
    let code: String = files.iter().map(read).collect();
    let page = std::fs::read_to_string(root.join("docs/threat-model.md")).expect("the page");
    let mut named = 0;
    for line in page.lines().filter(|line| line.matches(" | ").count() == 3) {
        let (_, tests) = line
            .trim_end_matches(" |")
            .rsplit_once(" | ")
            .expect("a column");
        for name in tests.split('`').skip(1).step_by(2) {
            let of_module = root
                .join("tests/it")
                .join(format!("{}.rs", name.replace("::", "/")));
            let function = name.rsplit("::").next().unwrap_or(name);
            assert!(
                root.join(name).exists()
                    || of_module.exists()
                    || code.contains(&format!("fn {function}(")),
                "{name}: docs/threat-model.md names it, and there is no such test"
            );
            named += 1;
        }
    }
    assert!(named > 20, "{named} tests are named");
}
