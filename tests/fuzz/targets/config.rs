//! Configuration: any TOML, and any variables of the environment. No panic, and no error, no
//! `Debug` and no `config show` holds the password of the database.
//!
//! An input has four parts, each after a line of `---`: text before and after the line that sets the
//! URL, variables as `NAME=value`, and the end of the URL, after the password. The URL stands in the
//! file, then in the environment, and then in a file of its own.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;
use std::{env, fs};

use libfuzzer_sys::fuzz_target;
use retentiond::config::Config;
use tempfile::TempDir;

const PASSWORD: &str = "Zq7correct-horseWx";

const SCHEMES: [&str; 4] = ["postgres", "postgresql", "mysql", "mariadb"];

/// The working directory, so that no relative path leads anywhere else.
static DIRECTORY: LazyLock<TempDir> = LazyLock::new(|| {
    let directory = TempDir::new().expect("a temporary folder");
    env::set_current_dir(directory.path()).expect("entered");
    directory
});

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    // A path that never ends would be read for ever.
    if text.contains(PASSWORD)
        || ["dev", "proc", "sys"]
            .iter()
            .any(|name| text.contains(name))
    {
        return;
    }
    let mut parts = text.split("---\n");
    let mut part = || parts.next().unwrap_or_default();
    let (before, after, variables, end_of_url) = (part(), part(), part(), part());
    let variables: Vec<(String, String)> = variables
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let scheme = SCHEMES[bytes.len() % SCHEMES.len()];
    let url = format!(
        "{scheme}://ann:{PASSWORD}{}",
        end_of_url.trim_end_matches('\n')
    );

    let file = DIRECTORY.path().join("retentiond.toml");
    let in_file = format!("{before}url = \"{url}\"\n{after}");
    load(&file, &in_file, variables.iter().cloned());

    let without = format!("{before}{after}");
    let variable = ("RETENTIOND__DATABASE__URL".to_owned(), url.clone());
    load(&file, &without, variables.iter().cloned().chain([variable]));

    let url_file = DIRECTORY.path().join("database_url");
    fs::write(&url_file, url).expect("written");
    let url_file = url_file.display().to_string();
    let variable = ("RETENTIOND__DATABASE__URL_FILE".to_owned(), url_file);
    load(&file, &without, variables.into_iter().chain([variable]));
});

fn load(file: &Path, toml: &str, environment: impl Iterator<Item = (String, String)>) {
    fs::write(file, toml).expect("written");
    let shown = match Config::load(Some(file), environment) {
        Ok(config) => format!("{config:?} {} {:?}", config.effective(), config.settings()),
        Err(error) => format!("{error} {error:?}"),
    };
    assert!(!shown.contains(PASSWORD), "the password shows");
}
