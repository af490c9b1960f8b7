use super::*;

#[test]
fn a_url_is_shown_without_its_secrets() {
    for (url, shown) in [
        (
            "postgres://ann:hunter2@db.internal:5432/platform",
            "postgres://db.internal:5432/platform",
        ),
        (
            "postgres://ann:hunter2@db/platform?sslmode=require&password=hunter2&application_name=hunter2",
            "postgres://db/platform?sslmode=require",
        ),
        (
            "mariadb://ann:hunter2@[::1]/platform",
            "mysql://[::1]/platform",
        ),
        (
            "mysql://ann:hunt%40er2@db/platform?ssl-mode=REQUIRED",
            "mysql://db/platform?ssl-mode=REQUIRED",
        ),
        (
            "sqlite://retentiond.db?mode=rwc",
            "sqlite://retentiond.db?mode=rwc",
        ),
        ("sqlite:///var/lib/a@b.db", "sqlite:///var/lib/a@b.db"),
        ("sqlite::memory:", "sqlite::memory:"),
        (
            "postgres:///platform?host=/run/postgresql&user=ann&password=hunter2",
            "postgres:///platform",
        ),
    ] {
        let parsed = DatabaseUrl::parse(url).unwrap_or_else(|_| panic!("{url} is a URL"));
        assert_eq!(parsed.to_string(), shown, "{url}");
        assert_eq!(format!("{parsed:?}"), format!("DatabaseUrl({shown})"));
        assert_eq!(serde_json::to_value(&parsed).unwrap(), shown);
    }
}

#[test]
fn a_postgres_url_names_its_host() {
    for url in [
        "postgres:///platform",
        "postgres://ann@/platform",
        "postgresql://ann:pw@:5432/platform",
        "postgres://?user=ann",
        "postgres:///platform?host=",
    ] {
        let error = DatabaseUrl::parse(url).unwrap_err();
        assert_eq!(error, UrlError::NoHost, "{url}");
        assert!(error.allowed("").contains("?host=/var/run/postgresql"));
    }
    for url in [
        "postgres:///platform?host=/var/run/postgresql",
        "postgres://ann@[::1]/platform",
        "postgres:///platform?hostaddr=127.0.0.1",
        "mysql:///platform",
    ] {
        assert!(DatabaseUrl::parse(url).is_ok(), "{url}");
    }
}

#[test]
fn a_password_that_was_not_encoded_shows_in_no_part() {
    for (url, expected) in [
        (
            "mysql://ann:hunter2@hunter3@db/platform",
            "mysql://db/platform",
        ),
        (
            "mysql://ann:hunter2/hunter3@db/platform",
            "mysql://db/platform",
        ),
        (
            "mysql://ann:hunter2#hunter3@db/platform",
            "mysql://db/platform",
        ),
        ("mysql://ann:hunter2?hunter3@db/platform", "mysql://***"),
        (
            "mysql://ann:hunter2?mode=hunter3&x@db/platform",
            "mysql://***",
        ),
        (
            "mysql://db/platform?user=ann&password=hunter2@hunter3",
            "mysql://***",
        ),
    ] {
        // Whether or not it can be used.
        let shown = DatabaseUrl(SecretString::from(url)).to_string();
        assert_eq!(shown, expected, "{url}");
    }
}

#[test]
fn d10_what_is_not_percent_encoded_is_refused_and_named() {
    for (url, character) in [
        ("postgres://u:p@ss#word@h/d", '#'),
        ("postgres://u:pass#word@h/d", '#'),
        ("postgres://u#x:pass@h/d", '#'),
        ("mysql://u:12#3@h/d", '#'),
        ("postgres://h/d#x", '#'),
        ("postgres://u:p@ss@h/d", '@'),
        ("mysql://u@x:pass@h/d", '@'),
        ("postgres://u:12/3@h/d", '/'),
        ("postgres://u/x:3@h/d", '/'),
        ("postgres://u:p@s/s@h/d", '@'),
        ("postgres://u:12?3@h/d", '?'),
        ("postgres://u:12?x=3@h/d", '?'),
        ("postgres://u:12?password=3@h/d", '?'),
        ("postgres://u@x?3@h/d", '?'),
        ("postgres://u:12/x?password=3@h/d", '?'),
        ("postgres://u:50%@h/d", '%'),
        ("mysql://u:50%zz@h/d", '%'),
        ("mariadb://u:a%2@h/d", '%'),
    ] {
        let error = DatabaseUrl::parse(url).expect_err(url);
        assert_eq!(error, UrlError::NotEncoded(character), "{url}");
        let shown = error.found();
        assert!(!shown.contains("word") && !shown.contains("ss"), "{shown}");
    }
    for url in [
        "postgres://u:p%40ss%23word%2F%3F%25@h/d",
        "postgres://h/d",
        "postgres://u@h",
        "postgres://u:p@[::1]:5432/d?sslmode=require",
        "postgres:///d?host=/run/postgresql&user=a@b&password=p@ss",
        "postgres://h:5432/d?user=ann&password=p@ss",
        "mysql://u:p@h:3306/d?ssl-mode=REQUIRED",
        "sqlite:///var/lib/a@b.db",
    ] {
        assert!(DatabaseUrl::parse(url).is_ok(), "{url}");
    }
}

#[test]
fn only_a_sqlite_file_can_be_missing() {
    for (url, missing) in [
        ("postgres://db/platform", false),
        ("mysql://db/platform", false),
        ("sqlite://no/such.db?mode=rwc", true),
        ("sqlite://Cargo.toml?mode=ro", false),
    ] {
        let parsed = DatabaseUrl::parse(url).unwrap_or_else(|_| panic!("{url} is a URL"));
        assert_eq!(parsed.names_missing_file(), missing, "{url}");
    }
}

#[test]
fn a_url_that_sqlx_could_not_read_is_refused() {
    for url in [
        "",
        "postgres",
        "oracle://db/platform",
        "postgres://db:port/platform",
        "postgres://db:99999/platform",
        "sqlite://my data.db",
        "sqlite://x.db?mode=sometimes",
        "postgres://db/platform?sslmode=sometimes",
        "/var/lib/retentiond.db",
    ] {
        assert_eq!(DatabaseUrl::parse(url), Err(UrlError::Unreadable), "{url}");
    }
}

/// C11: a typo in `sslmode` connected in clear.
#[test]
fn an_unknown_parameter_is_refused_with_the_one_that_was_meant() {
    for (url, name, nearest) in [
        ("postgres://h/d?sslmod=verify-full", "sslmod", "sslmode"),
        ("postgres://h/d?SSLMODE=require", "SSLMODE", "sslmode"),
        ("postgres://h/d?ssl_mode=require", "ssl_mode", "ssl-mode"),
        ("postgres://h/d?ssl=true", "ssl", "sslmode"),
        ("postgres://h/d?sslca=/ca.pem", "sslca", "ssl-ca"),
        ("postgres://h/d?username=ann", "username", "user"),
        (
            "postgres://h/d?applicationname=x",
            "applicationname",
            "application_name",
        ),
        ("mysql://h/d?useSSL=true", "useSSL", "ssl-mode"),
        ("mysql://h/d?requireSSL=true", "requireSSL", "ssl-mode"),
        ("mysql://h/d?tls=true", "tls", "ssl-mode"),
        ("mariadb://h/d?ssl_ca=/ca.pem", "ssl_ca", "ssl-ca"),
        (
            "mysql://h/d?ssl-mode=REQUIRED&sslrootcert=/ca.pem",
            "sslrootcert",
            "ssl-ca",
        ),
        ("mysql://h/d?charsett=utf8mb4", "charsett", "charset"),
        ("sqlite://x.db?modee=rwc", "modee", "mode"),
    ] {
        let error = DatabaseUrl::parse(url).expect_err(url);
        let found = error.found();
        assert!(found.contains(&format!("`{name}`")), "{url}: {found}");
        assert!(found.contains(&format!("`{nearest}`")), "{url}: {found}");
        let allowed = error.allowed(FORMS);
        assert!(allowed.contains(nearest), "{url}: {allowed}");
    }
    for (url, instead) in [
        (
            "postgres://h/d?target_session_attrs=read-write",
            "follows the primary",
        ),
        (
            "postgres://h/d?load_balance_hosts=random",
            "follows the primary",
        ),
        (
            "postgres://h/d?connect_timeout=3",
            "connect_timeout of [database]",
        ),
        (
            "mysql://h/d?connectTimeout=3",
            "connect_timeout of [database]",
        ),
    ] {
        let error = DatabaseUrl::parse(url).expect_err(url);
        let said = format!("{}; {}", error.found(), error.allowed(FORMS));
        assert!(said.contains(instead), "{url}: {said}");
    }
}

#[test]
fn every_parameter_that_sqlx_reads_is_accepted() {
    for url in [
        "postgres://h/d?sslmode=verify-full&sslrootcert=/a&sslcert=/b&sslkey=/c",
        "postgres://h/d?ssl-mode=require&ssl-root-cert=/a&ssl-cert=/b&ssl-key=/c",
        "postgres://h/d?ssl-ca=/a&statement-cache-capacity=0&application_name=x",
        "postgres:///d?host=/run/postgresql&port=5433&user=ann&password=x&dbname=e",
        "postgres:///d?hostaddr=127.0.0.1&options=-c%20work_mem%3D4MB&options[search_path]=x",
        "mysql://h/d?sslmode=VERIFY_CA&sslca=/a&sslcert=/b&sslkey=/c&socket=/run/s",
        "mysql://h/d?ssl-mode=VERIFY_CA&ssl-ca=/a&ssl-cert=/b&ssl-key=/c&charset=utf8mb4",
        "mysql://h/d?collation=utf8mb4_bin&timezone=UTC&time-zone=UTC&statement-cache-capacity=9",
        "sqlite://x.db?mode=ro&cache=private&immutable=1&vfs=unix",
        "postgres://h/d?",
        "postgres://h/d?sslmode=require&",
    ] {
        assert!(DatabaseUrl::parse(url).is_ok(), "{url}");
    }
}

#[test]
fn a_certificate_without_its_key_is_refused() {
    for (url, missing) in [
        ("postgres://h/d?sslcert=/a", "sslkey"),
        ("postgres://h/d?ssl-key=/a", "ssl-cert"),
        ("mysql://h/d?ssl-cert=/a", "ssl-key"),
    ] {
        let error = DatabaseUrl::parse(url).expect_err(url);
        assert!(error.allowed(FORMS).contains(missing), "{url}: {error:?}");
    }
}

#[test]
fn several_hosts_are_refused_with_what_to_name_instead() {
    for url in [
        "postgres://ann:x@h1,h2/d",
        "postgres://h1:5432,h2:5433/d?target_session_attrs=read-write",
        "postgres:///d?host=h1,h2",
        "postgres:///d?host=h1%2Ch2",
        "postgres://h/d?port=5432,5433",
        "mysql://h1,h2/d",
    ] {
        let error = DatabaseUrl::parse(url).expect_err(url);
        assert_eq!(error, UrlError::SeveralHosts, "{url}");
        assert!(error.allowed(FORMS).contains("writer endpoint"), "{url}");
    }
    assert!(DatabaseUrl::parse("postgres://ann:a,b@h/d").is_ok());
    assert!(DatabaseUrl::parse("sqlite://a,b.db").is_ok());
}

/// What stands after a password in which an `&` was not encoded may be the rest of it.
#[test]
fn a_parameters_name_that_may_be_a_secret_is_not_shown() {
    for url in [
        "postgres://h/d?user=ann&password=x&hunter2=y",
        "postgres://h/d?hunter2",
        "postgres://h/d?hunter2!=y",
        "postgres://h/d?options=x&hunter2=y",
        "postgres://h/d?x=1&password=hunter2",
        "postgres://h/d?hunter2hunter2hunter2hunter2hunter2hunter2=y",
        "sqlite://x.db?hunter2",
    ] {
        let error = DatabaseUrl::parse(url).expect_err(url);
        let said = format!("{} {} {error:?}", error.found(), error.allowed(FORMS));
        assert!(!said.contains("hunter2"), "{url}: {said}");
    }
}
