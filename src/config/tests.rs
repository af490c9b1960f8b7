use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;

mod limits;

const SAMPLE: &str = include_str!("../../deploy/retentiond.toml");

/// Loads from this text of a file and these variables; nothing of the machine gets in.
fn load(file: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let directory = tempfile::tempdir().unwrap();
    load_in(directory.path(), file, variables)
}

fn load_in(
    directory: &Path,
    file: &str,
    variables: &[(&str, &str)],
) -> Result<Config, ConfigError> {
    let path = directory.join("retentiond.toml");
    // A file without a word is refused, whatever the variables say.
    let text = if file.is_empty() {
        "# nothing set\n"
    } else {
        file
    };
    fs::write(&path, text).unwrap();
    Config::load_searching(None, pairs(variables), &[path])
}

/// A secret in a file of its own.
fn write_secret(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    set_mode(path, 0o600);
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn pairs(variables: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
    let owned: Vec<_> = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    owned.into_iter()
}

fn defaults() -> Config {
    Config::load_searching(None, pairs(&[]), &[]).unwrap()
}

/// The error's sentence, in which `FILE` stands for the file.
fn refusal(file: &str, variables: &[(&str, &str)]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let error = load_in(directory.path(), file, variables).unwrap_err();
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    let sentence = error.to_string();
    assert!(!sentence.contains("hunter2"), "{sentence}");
    assert!(!sentence.contains('\n'), "one sentence: {sentence}");
    let path = directory.path().join("retentiond.toml");
    sentence.replace(path.to_str().unwrap(), "FILE")
}

#[test]
fn without_anything_the_defaults_apply() {
    let config = defaults();
    assert_eq!(
        config.database.url.expose(),
        "sqlite://retentiond.db?mode=rwc"
    );
    assert_eq!(config.schedule.hour, 0);
    assert_eq!(config.schedule.clock_skew_max, Duration::from_secs(300));
    assert_eq!(config.engine.workers, 1);
    assert_eq!(config.engine.batch_rows, 250);
    assert_eq!(config.engine.lease_duration, Duration::from_secs(60));
    assert_eq!(config.engine.rows_per_second_max, None);
    assert_eq!(
        config.suppression.keyring_file,
        Path::new("retentiond.keyring")
    );
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:9464");
    assert_eq!(config.log.format, None);
}

#[test]
fn the_sample_changes_nothing_and_shows_every_default() {
    let of_sample = load(SAMPLE, &[]).unwrap();
    assert_eq!(of_sample.effective(), defaults().effective());

    // A setting begins right after the `#`; prose and examples begin with a space.
    let uncommented: String = SAMPLE
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if setting.starts_with(|first: char| first.is_ascii_lowercase()) => {
                format!("{setting}\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    let of_uncommented = load(&uncommented, &[]).unwrap();
    assert_eq!(of_uncommented.effective(), defaults().effective());

    for (section, keys) in raw::SECTIONS {
        assert!(SAMPLE.contains(&format!("[{section}]\n")), "{section}");
        for key in *keys {
            let shown = uncommented.contains(&format!("\n{key} = "));
            let example = uncommented.contains(&format!("\n# {key} = "));
            assert!(shown ^ example, "{section}.{key} stands in the sample once");
        }
    }
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
    let file = "[engine]\nworkers = 3\nbatch_rows = 50\n[schedule]\nsweep_interval = \"90s\"";
    let config = load(
        file,
        &[
            ("RETENTIOND__ENGINE__WORKERS", "4"),
            ("RETENTIOND__LOG__FORMAT", "json"),
            ("RETENTIOND__ENGINE__ROWS_PER_SECOND_MAX", "250"),
            ("RETENTIOND_CONFIGURE", "is none of ours"),
            ("PATH", "/bin"),
        ],
    )
    .unwrap();
    assert_eq!(config.engine.workers, 4);
    assert_eq!(config.engine.batch_rows, 50);
    assert_eq!(config.engine.rows_per_second_max, Some(250));
    assert_eq!(config.schedule.sweep_interval, Duration::from_secs(90));
    assert_eq!(config.log.format, Some(LogFormat::Json));
    assert_eq!(config.log.level, LogLevel::Info);
}

#[test]
fn a_named_file_must_be_there_and_wins_over_the_searched_ones() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, workers: u16| {
        let path = directory.path().join(name);
        fs::write(&path, format!("[engine]\nworkers = {workers}")).unwrap();
        path
    };
    let (explicit, variable, first, second) =
        (file("a", 5), file("b", 6), file("c", 7), file("d", 8));
    let missing = directory.path().join("missing.toml");
    let workers = |named: Option<&Path>, variables: &[(&str, &str)], searched: &[PathBuf]| {
        Config::load_searching(named, pairs(variables), searched)
            .map(|config| config.engine.workers)
    };
    let from_variable = [("RETENTIOND_CONFIG", variable.to_str().unwrap())];
    let searched = [missing.clone(), first, second];
    assert_eq!(
        workers(Some(&explicit), &from_variable, &searched).unwrap(),
        5
    );
    assert_eq!(workers(None, &from_variable, &searched).unwrap(), 6);
    assert_eq!(workers(None, &[], &searched).unwrap(), 7);
    assert_eq!(
        workers(None, &[], std::slice::from_ref(&missing)).unwrap(),
        1
    );

    let refused = workers(Some(&missing), &[], &searched)
        .unwrap_err()
        .to_string();
    assert_eq!(
        refused,
        format!(
            "cannot read the configuration file {}: entity not found",
            missing.display()
        )
    );
    let variable = [("RETENTIOND_CONFIG", missing.to_str().unwrap())];
    assert!(workers(None, &variable, &searched).is_err());
}

#[test]
fn s09_an_hour_outside_of_the_day_is_refused() {
    assert_eq!(
        load("[schedule]\nhour = 23", &[]).unwrap().schedule.hour,
        23
    );
    assert_eq!(
        refusal("[schedule]\nhour = 24", &[]),
        "schedule.hour in FILE is 24; allowed: a whole number from 0 to 23"
    );
    assert_eq!(
        refusal("", &[("RETENTIOND__SCHEDULE__HOUR", "-1")]),
        "RETENTIOND__SCHEDULE__HOUR is \"-1\"; allowed: a whole number from 0 to 23"
    );
    for hour in ["1.5", "true", "300", "[1]", "1e1", "'noon'", "2024-01-01"] {
        let sentence = refusal(&format!("[schedule]\nhour = {hour}"), &[]);
        assert!(
            sentence.ends_with("allowed: a whole number from 0 to 23"),
            "{sentence}"
        );
    }
}

#[test]
fn a_value_out_of_its_range_is_refused_with_the_range() {
    for (file, sentence) in [
        (
            "[engine]\nbatch_rows = 10001",
            "engine.batch_rows in FILE is 10001; allowed: a whole number from 1 to 10000",
        ),
        (
            "[engine]\nlease_duration = \"999ms\"",
            "engine.lease_duration in FILE is \"999ms\"; allowed: a duration such as \"5m\" or \
             \"50ms\", from 1s to 1h",
        ),
        (
            "[engine]\nlease_duration = 60",
            "engine.lease_duration in FILE is 60; allowed: a duration such as \"5m\" or \"50ms\", \
             from 1s to 1h",
        ),
        (
            "[log]\nlevel = \"loud\"",
            "log.level in FILE is \"loud\"; allowed: error, warn, info, debug, trace",
        ),
        (
            "[http]\nlisten = 9464",
            "http.listen in FILE is 9464; allowed: an IP address and a port, such as \
             \"127.0.0.1:9464\"",
        ),
        (
            "[engine]\nretry_backoff_initial = \"1s\"\nretry_backoff_max = \"10ms\"",
            "engine.retry_backoff_max is shorter than engine.retry_backoff_initial; make it at \
             least as long",
        ),
    ] {
        assert_eq!(refusal(file, &[]), sentence);
    }
}

#[test]
fn an_unknown_key_is_refused_by_name() {
    assert_eq!(
        refusal("[schedule]\nhuor = 3", &[]),
        "schedule.huor in FILE is no setting; allowed here: hour, sweep_interval, clock_skew_max"
    );
    assert_eq!(
        refusal("", &[("RETENTIOND__SCHEDULE__HUOR", "3")]),
        "RETENTIOND__SCHEDULE__HUOR is no setting; allowed here: hour, sweep_interval, \
         clock_skew_max"
    );
    assert_eq!(
        refusal("[scheduler]\nhour = 3", &[]),
        "scheduler in FILE is no setting; allowed here: [database], [schedule], [engine], \
         [safety], [suppression], [http], [log], [shutdown]"
    );
    assert_eq!(
        refusal(
            "",
            &[("RETENTIOND__DATABASE", "postgres://ann:hunter2@db/x")]
        ),
        "RETENTIOND__DATABASE is a section of settings and cannot have a value of its own"
    );
}

#[test]
fn no_error_shows_a_secret() {
    let unclosed = "[database]\nurl = \"postgres://ann:hunter2@db/platform\n";
    assert_eq!(
        refusal(unclosed, &[]),
        "FILE is not valid TOML at line 2, column 42"
    );
    let bad = "postgres://ann:hunter2@db:port/platform";
    let sentence = refusal("", &[("RETENTIOND__DATABASE__URL", bad)]);
    assert!(
        sentence.starts_with("RETENTIOND__DATABASE__URL is no database URL that can be read; "),
        "{sentence}"
    );
    for file in [
        format!("[database]\nurl = [\"{bad}\"]"),
        format!("[database]\nurl_file = [\"{bad}\"]"),
        format!("database = \"{bad}\""),
        format!("[log]\nlevel = \"{bad}\""),
        format!("[database]\nmax_connections = \"{bad}\""),
        format!("[database]\nurl = \"{bad}\"\nurl = \"{bad}\""),
        bad.to_owned(),
    ] {
        refusal(&file, &[]);
    }
    for (name, value) in [
        ("RETENTIOND__", bad),
        ("RETENTIOND__DATABASE__URL[0]", bad),
        ("RETENTIOND__DATABASE__URL__", bad),
        ("RETENTIOND__DATA BASE", bad),
    ] {
        refusal("", &[(name, value)]);
    }
}

#[test]
fn a_database_url_can_come_from_a_file_but_not_from_two_places() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("url");
    write_secret(&file, "postgres://ann:hunter2@db/platform\n");
    let variables = [("RETENTIOND__DATABASE__URL_FILE", file.to_str().unwrap())];
    let config = load("", &variables).unwrap();
    assert_eq!(
        config.database.url.expose(),
        "postgres://ann:hunter2@db/platform"
    );
    assert!(
        refusal("[database]\nurl = \"sqlite://x.db\"", &variables)
            .starts_with("database.url and database.url_file are both set")
    );

    fs::write(&file, "hunter2").unwrap();
    let refused = load("", &variables).unwrap_err().to_string();
    assert!(
        refused.contains("no database URL") && !refused.contains("hunter2"),
        "{refused}"
    );
    fs::remove_file(&file).unwrap();
    let refused = load("", &variables).unwrap_err().to_string();
    assert!(
        refused.starts_with("cannot read the file of the database URL "),
        "{refused}"
    );
}

#[test]
fn a_secret_that_others_can_reach_is_refused_with_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    for (key, text) in [
        ("url_file", "postgres://ann:hunter2@db/platform"),
        ("replica_urls_file", "mysql://ann:hunter2@db/platform"),
    ] {
        let secret = directory.path().join(key);
        write_secret(&secret, text);
        let main = match key {
            "url_file" => "",
            _ => "url = 'mysql://db/platform'\n",
        };
        let file = format!("[database]\n{main}{key} = '{}'", secret.display());
        for (mode, part) in [
            (0o644, "mode 0644, so that others can reach the secrets"),
            (0o604, "defaultMode: 0440"),
            (0o666, "mode 0666, so that others may write it"),
            (0o460, "chmod go-w"),
        ] {
            set_mode(&secret, mode);
            let sentence = refusal(&file, &[]);
            assert!(sentence.contains(part), "{mode:o}: {sentence}");
        }
        for mode in [0o600, 0o400, 0o440, 0o640] {
            set_mode(&secret, mode);
            assert!(load(&file, &[]).is_ok(), "{mode:o}");
        }
    }
    // A credential, and whatever the driver of the database is told to read.
    let credential = directory.path().join("database_url");
    write_secret(&credential, "sqlite://x.db");
    set_mode(&credential, 0o604);
    let variables = [("CREDENTIALS_DIRECTORY", directory.path().to_str().unwrap())];
    assert!(refusal("", &variables).contains("mode 0604"));

    let (certificate, key) = (directory.path().join("cert"), directory.path().join("key"));
    for file in [&certificate, &key] {
        write_secret(file, "-----BEGIN ");
    }
    let (certificate_name, key_name) = (certificate.display(), key.display());
    for url in [
        format!(
            "postgres://db/x?sslrootcert={certificate_name}&sslcert={certificate_name}&sslkey={key_name}"
        ),
        format!(
            "mysql://db/x?ssl-ca={certificate_name}&ssl-cert={certificate_name}&ssl-key={key_name}"
        ),
    ] {
        let variables = [("RETENTIOND__DATABASE__URL", url.as_str())];
        set_mode(&certificate, 0o644);
        set_mode(&key, 0o640);
        assert!(load("", &variables).is_ok());
        set_mode(&key, 0o644);
        assert!(refusal("", &variables).contains("key` in the database URL, "));
        set_mode(&key, 0o600);
        set_mode(&certificate, 0o664);
        assert!(refusal("", &variables).contains("mode 0664"));
    }
}

#[test]
fn a_configuration_that_others_may_write_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("retentiond.toml");
    fs::write(&path, "[log]\nlevel = 'warn'\n").unwrap();
    let load = || Config::load_searching(None, pairs(&[]), std::slice::from_ref(&path));
    for mode in [0o666, 0o664, 0o646, 0o606] {
        set_mode(&path, mode);
        let sentence = load().unwrap_err().to_string();
        assert!(sentence.contains(&format!("mode {mode:04o}")), "{sentence}");
        assert!(sentence.contains("chmod go-w"), "{sentence}");
    }
    set_mode(&path, 0o644);
    assert!(load().is_ok());
    set_mode(directory.path(), 0o777);
    let sentence = load().unwrap_err().to_string();
    assert!(
        sentence.contains("has mode 0777, so that others may put another file"),
        "{sentence}"
    );
}

#[test]
fn what_lets_somebody_else_in_has_its_warning() {
    let about = |file: &str, variables: &[(&str, &str)]| -> Vec<&'static str> {
        let config = load(file, variables).unwrap();
        let all = format!("{:?}", config.warnings);
        assert!(!all.contains("hunter2"), "{all}");
        config
            .warnings
            .iter()
            .map(|warning| warning.about)
            .collect()
    };
    let quiet: [&str; 0] = [];
    assert_eq!(about("[database]\nurl = 'postgres://ann@db/x'", &[]), quiet);
    assert_eq!(
        about("[database]\nurl = 'postgres://ann:hunter2@db/x'", &[]),
        ["configuration_file"]
    );
    assert_eq!(
        about(
            "[database]\nurl = 'mysql://db/x'\nreplica_urls = ['mysql://ann:hunter2@db2/x?ssl-mode=REQUIRED']",
            &[]
        ),
        ["configuration_file", "tls"]
    );
    // A password of the environment is in no file.
    let variables = [(
        "RETENTIOND__DATABASE__URL",
        "postgres://ann:hunter2@db/x?sslmode=prefer",
    )];
    assert_eq!(about("", &variables), ["tls"]);

    let directory = tempfile::tempdir().unwrap();
    let people = directory.path().join("people.db");
    let url = format!("sqlite://{}?mode=rwc", people.display());
    let variables = [("RETENTIOND__DATABASE__URL", url.as_str())];
    assert_eq!(about("", &variables), quiet);
    write_secret(&people, "");
    assert_eq!(about("", &variables), quiet);
    set_mode(&people, 0o644);
    assert_eq!(about("", &variables), ["database_file"]);
}

#[test]
fn systemd_credentials_are_found_unless_told_otherwise() {
    let directory = tempfile::tempdir().unwrap();
    let variables = [("CREDENTIALS_DIRECTORY", directory.path().to_str().unwrap())];
    let without = load("", &variables).unwrap();
    assert_eq!(without.effective(), defaults().effective());

    write_secret(
        &directory.path().join("database_url"),
        "mysql://ann:hunter2@db/platform",
    );
    fs::write(directory.path().join("keyring"), "").unwrap();
    let config = load("", &variables).unwrap();
    assert_eq!(config.database.url.to_string(), "mysql://db/platform");
    assert_eq!(
        config.suppression.keyring_file,
        directory.path().join("keyring")
    );

    let file = "[database]\nurl = \"sqlite://x.db\"\n[suppression]\nkeyring_file = \"k\"";
    let config = load(file, &variables).unwrap();
    assert_eq!(config.database.url.expose(), "sqlite://x.db");
    assert_eq!(config.suppression.keyring_file, Path::new("k"));
}

#[test]
fn what_is_shown_holds_no_secret_and_every_setting() {
    let url = "postgres://ann:hunter2@db/platform?sslmode=require";
    let config = load("", &[("RETENTIOND__DATABASE__URL", url)]).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
    let effective = config.effective();
    assert!(!effective.to_string().contains("hunter2"));
    assert_eq!(
        effective["database"]["url"],
        "postgres://db/platform?sslmode=require"
    );
    assert_eq!(effective["schedule"]["sweep_interval"], "5m");

    let settings = config.settings();
    let keys: usize = raw::SECTIONS.iter().map(|(_, keys)| keys.len()).sum();
    assert_eq!(settings.len(), keys - 2, "all but the files of URLs");
    assert_eq!(settings[0].0, "database.url");
    assert!(settings.contains(&("engine.rows_per_second_max".to_owned(), None)));
    assert!(settings.contains(&("engine.workers".to_owned(), Some("1".to_owned()))));
}

#[test]
fn a_file_that_somebody_is_writing_is_no_configuration() {
    for text in [" ", "\n\n\t"] {
        assert_eq!(
            refusal(
                text,
                &[("RETENTIOND__DATABASE__URL", "postgres://db/platform")]
            ),
            "FILE is empty; write the configuration again (deploy/retentiond.toml shows the form), or \
             remove the file"
        );
    }
    let named = load("[database]\nurl = \"postgres://db/platform\"\n", &[]).unwrap();
    assert!(named.require_named_database().is_ok());
    let by_environment = [("RETENTIOND__DATABASE__URL", "postgres://db/platform")];
    assert!(
        load("", &by_environment)
            .unwrap()
            .require_named_database()
            .is_ok()
    );
    assert!(matches!(
        load("[log]\nlevel = \"info\"\n", &[])
            .unwrap()
            .require_named_database(),
        Err(ConfigError::NoDatabase { .. })
    ));
    assert!(
        defaults().require_named_database().is_ok(),
        "without a file the service may be tried"
    );
    // Whoever reads it again stays where the service is.
    let other = load("[database]\nurl = \"postgres://db/other\"\n", &[]).unwrap();
    let other = Config {
        file: named.file.clone(),
        ..other
    };
    assert!(matches!(
        other.for_reload_of(&named),
        Err(ConfigError::Moved { .. })
    ));
    assert!(matches!(
        defaults().for_reload_of(&named),
        Err(ConfigError::Moved { .. })
    ));
    let changed = load("[database]\nurl = \"postgres://ann@db/platform\"\n", &[]).unwrap();
    let changed = Config {
        file: named.file.clone(),
        ..changed
    };
    assert!(changed.for_reload_of(&named).is_ok());
}
