//! C11: encrypted connections that do not come about say why: an expired certificate, another name, an
//! authority that nobody knows, a file that is not there, a server without TLS.

use std::path::Path;
use std::time::Duration;

use crate::support::certificates::Place;
use crate::support::database::connect;
use crate::support::own_server::OwnServer;
use crate::support::{Backend, Binary, holds_within, scratch};
use sea_orm::ConnectionTrait;

const LONG: Duration = Duration::from_secs(60);

/// How each database calls the parameters.
struct Words {
    /// Verified, host name included.
    verified: &'static str,
    authority: &'static str,
    encrypted: &'static str,
    certificate: &'static str,
    key: &'static str,
}

const POSTGRES: Words = Words {
    verified: "sslmode=verify-full",
    authority: "sslrootcert",
    encrypted: "sslmode=require",
    certificate: "sslcert",
    key: "sslkey",
};

const MARIADB: Words = Words {
    verified: "ssl-mode=VERIFY_IDENTITY",
    authority: "ssl-ca",
    encrypted: "ssl-mode=REQUIRED",
    certificate: "ssl-cert",
    key: "ssl-key",
};

fn status(url: &str, parameters: &str) -> crate::support::Finished {
    let url = format!("{url}?{parameters}");
    let ended = Binary::new()
        .env("RETENTIOND__DATABASE__URL", &url)
        .run(&["migrate", "status"]);
    for words in [
        "os error",
        "rustls",
        "Tls",
        "UnknownIssuer",
        "please report",
    ] {
        assert!(!ended.stderr.contains(words), "{ended:?}");
    }
    ended
}

fn refused(url: &str, parameters: &str, why: &str) {
    let ended = status(url, parameters).expect_code(1);
    assert!(ended.stderr.contains(why), "{parameters}: {ended:?}");
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
}

/// Each way in which it can fail, on a server that reads its certificate anew on `reload`.
async fn every_way(url: &str, words: &Words, place: &Place, reload: &str) {
    let plain = Binary::new().env("RETENTIOND__DATABASE__URL", url);
    plain.run(&["migrate", "up"]).expect_code(0);
    // A connection that is made before anything is broken.
    let db = connect(url).await;
    let reload = async || {
        db.execute_unprepared(reload).await.expect("reloaded");
    };
    let Words {
        verified,
        authority,
        ..
    } = words;
    let known = format!(
        "{verified}&{authority}={}",
        place.authority.file().display()
    );
    let succeeds = async |parameters: &str| {
        // PostgreSQL reloads when its postmaster comes to it.
        let good = holds_within(LONG, async || status(url, parameters).code == 0);
        assert!(good.await, "{:?}", status(url, parameters));
    };
    succeeds(&known).await;

    let unknown = "not signed by an authority";
    refused(url, verified, unknown);
    let other = place.other.file();
    refused(
        url,
        &format!("{verified}&{authority}={}", other.display()),
        unknown,
    );

    let of_file = |name: &str, file: &Path| format!("{verified}&{name}={}", file.display());
    let missing = Path::new("/no/such/file.pem");
    refused(
        url,
        &of_file(authority, missing),
        "/no/such/file.pem, which cannot be read",
    );
    let empty = place.authority.write("empty.pem", "");
    refused(
        url,
        &of_file(authority, &empty),
        "empty.pem, which holds nothing in PEM",
    );
    let client = format!(
        "{known}&{}={}&{}=/no/such/file.key",
        words.certificate,
        place.right.certificate.display(),
        words.key
    );
    refused(url, &client, "/no/such/file.key, which cannot be read");
    let of_another = format!(
        "{known}&{}={}&{}={}",
        words.certificate,
        place.right.certificate.display(),
        words.key,
        place.expired.key.display()
    );
    refused(url, &of_another, "the key of this certificate");

    for (certificate, why) in [
        (&place.expired, "has expired"),
        (&place.elsewhere, "for another host name"),
    ] {
        place.serve(certificate);
        reload().await;
        let told = holds_within(LONG, async || status(url, &known).stderr.contains(why));
        assert!(told.await, "{why}: {:?}", status(url, &known));
        refused(url, &known, why);
        // Encrypted, and nothing is verified, as was asked for.
        status(url, words.encrypted).expect_code(0);
    }

    // A daemon that began in such a time goes on when the certificate has been renewed.
    place.serve(&place.expired);
    reload().await;
    let told = holds_within(LONG, async || {
        status(url, &known).stderr.contains("has expired")
    });
    assert!(told.await, "{:?}", status(url, &known));
    plain.run(&["keys", "generate"]).expect_code(0);
    let binary = plain.env("RETENTIOND__DATABASE__URL", &format!("{url}?{known}"));
    let serving = binary.serve();
    let told = holds_within(LONG, async || serving.log().contains("has expired"));
    assert!(told.await, "{}", serving.log());
    place.serve(&place.right);
    reload().await;
    serving.wait_ready(LONG).await;
    serving.terminate(LONG).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_encrypted_connection_to_postgres_says_why_it_failed() {
    let place = Place::new("postgres");
    let server = place.start_postgres().await;
    every_way(&server.url(), &POSTGRES, &place, "SELECT pg_reload_conf()").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_encrypted_connection_to_mariadb_says_why_it_failed() {
    let place = Place::new("mysql");
    let server = place.start_mariadb().await;
    every_way(&server.url(), &MARIADB, &place, "FLUSH SSL").await;
    // The other way round: the server wants what the URL does not ask for.
    server
        .execute(&["SET GLOBAL require_secure_transport = ON"])
        .await;
    refused(
        &server.url(),
        "ssl-mode=DISABLED",
        "lets this user in without TLS",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_tls_is_told_from_one_that_is_down() {
    for (backend, words) in [(Backend::Postgres, POSTGRES), (Backend::MariaDb, MARIADB)] {
        let database = scratch(backend).await;
        Binary::on(&database).run(&["migrate", "up"]).expect_code(0);
        status(database.url(), "").expect_code(0);
        for parameters in [words.verified, words.encrypted] {
            refused(database.url(), parameters, "the server offers no TLS");
        }
    }
}
