//! What runs make way for.

use super::*;

#[test]
fn limits_are_off_unless_set_and_shown_as_they_were_written() {
    let engine = defaults().engine;
    assert_eq!(engine.replica_lag_max, None);
    assert_eq!(engine.latency_max, None);
    assert_eq!(engine.wal_bytes_per_second_max, None);
    assert_eq!(engine.window, None);
    let file = "[database]\nurl = 'postgres://db/platform'\n[engine]\nreplica_lag_max = '10s'\n\
                latency_max = '20ms'\nwal_bytes_per_second_max = 50000000\n\
                window = '22:30-06:00'\nwindow_time_zone = 'Europe/Brussels'\n";
    let shown = load(file, &[]).unwrap().effective();
    for (key, value) in [
        ("replica_lag_max", "\"10s\""),
        ("latency_max", "\"20ms\""),
        ("wal_bytes_per_second_max", "50000000"),
        ("window", "\"22:30-06:00\""),
        ("window_time_zone", "\"Europe/Brussels\""),
    ] {
        assert_eq!(shown["engine"][key].to_string(), value, "{key}");
    }
}

#[test]
fn a_window_is_two_times_of_day() {
    for text in [
        "01:00",
        "1:00-06:00",
        "01:00-24:00",
        "01:00 - 06:00",
        "06:00-06:00",
        "01:00-06:00-07:00",
        "+1:00-06:00",
        "",
    ] {
        assert_eq!(
            refusal(&format!("[engine]\nwindow = '{text}'"), &[]),
            format!(
                "engine.window in FILE is {}; allowed: two different times of day such as \
                 \"01:00-06:00\" or \"22:00-05:30\", 00:00 to 23:59",
                if text.contains(':') {
                    "a text that is not shown here".to_owned()
                } else {
                    format!("{text:?}")
                }
            )
        );
    }
    assert_eq!(
        refusal("[engine]\nwindow_time_zone = 'brussels'", &[]),
        "engine.window_time_zone in FILE is \"brussels\"; allowed: the IANA name of a time zone, such \
         as \"Europe/Brussels\""
    );
}

#[test]
fn urls_of_replicas_come_as_a_list_as_text_or_from_a_file() {
    let shown = ["mysql://one/platform", "mysql://two:3307/platform"];
    let is_shown = |config: Config| {
        assert_eq!(
            serde_json::to_value(&config.database.replica_urls).unwrap(),
            serde_json::json!(shown)
        );
        let all = format!("{config:?}{:?}", config.settings());
        assert!(!all.contains("hunter2"), "{all}");
        assert_eq!(
            config.database.replica_urls[0].expose(),
            "mysql://ann:hunter2@one/platform"
        );
    };
    let list = "[database]\nurl = 'mysql://db/platform'\nreplica_urls = [\
                'mysql://ann:hunter2@one/platform', 'mariadb://ann:hunter2@two:3307/platform']\n";
    is_shown(load(list, &[]).unwrap());
    let url = "[database]\nurl = 'mysql://db/platform'\n";
    let text = "mysql://ann:hunter2@one/platform\n mysql://ann:hunter2@two:3307/platform\n";
    is_shown(load(url, &[("RETENTIOND__DATABASE__REPLICA_URLS", text)]).unwrap());
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("replica_urls");
    write_secret(&file, text);
    let named = format!("{url}replica_urls_file = '{}'\n", file.display());
    is_shown(load(&named, &[]).unwrap());
    let credentials = directory.path().to_str().unwrap();
    is_shown(load(url, &[("CREDENTIALS_DIRECTORY", credentials)]).unwrap());
    fs::write(&file, "mysql://ann:hunter2@one:port/platform").unwrap();
    let sentence = refusal(&named, &[]);
    assert!(
        sentence.contains("no list of database URLs that can be read"),
        "{sentence}"
    );
    let sentence = refusal(list, &[("RETENTIOND__DATABASE__REPLICA_URLS_FILE", "x")]);
    assert!(
        sentence.starts_with("database.replica_urls and database.replica_urls_file are both set"),
        "{sentence}"
    );
    let sentence = refusal("[database]\nreplica_urls = ['hunter2', 7]", &[]);
    assert!(
        sentence.starts_with("database.replica_urls in FILE is no list of database URLs"),
        "{sentence}"
    );
}

#[test]
fn a_limit_that_the_database_cannot_keep_is_refused() {
    for (url, setting, expected) in [
        (
            "sqlite://a.db?mode=rwc",
            "[engine]\nreplica_lag_max = '5s'",
            "engine.replica_lag_max is set, and SQLite has no replicas; remove it",
        ),
        (
            "sqlite://a.db?mode=rwc",
            "[engine]\nwal_bytes_per_second_max = 1000000",
            "engine.wal_bytes_per_second_max is set, and SQLite does not tell how much it writes; \
             remove it (engine.rows_per_second_max works on SQLite too)",
        ),
        (
            "mysql://db/platform",
            "[engine]\nreplica_lag_max = '5s'",
            "engine.replica_lag_max needs database.replica_urls on MariaDB, whose primary does not \
             know how far its replicas are behind; set it to the replicas' URLs",
        ),
        (
            "postgres://db/platform",
            "[database]\nreplica_urls = ['mysql://one/platform']",
            "database.replica_urls is for MariaDB only, whose primary does not know how far its \
             replicas are behind; remove it",
        ),
        (
            "mysql://db/platform",
            "[database]\nreplica_urls = ['postgres://one/platform']",
            "database.replica_urls holds a URL that is no MariaDB server's; each must begin with \
             mysql:// or mariadb://",
        ),
    ] {
        assert_eq!(
            refusal(setting, &[("RETENTIOND__DATABASE__URL", url)]),
            expected
        );
    }
    let works = "[engine]\nlatency_max = '5ms'\nwindow = '01:00-02:00'";
    load(works, &[]).expect("SQLite has a latency and a clock");
}
