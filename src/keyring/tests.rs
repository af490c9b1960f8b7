use rand::SeedableRng;
use rand::rngs::StdRng;
use tempfile::TempDir;

use super::*;

const SECRET: &str = "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00";

fn now() -> DateTime<Utc> {
    "2026-11-23T20:59:00.123456Z".parse().unwrap()
}

fn random() -> StdRng {
    StdRng::seed_from_u64(1)
}

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("retentiond.keyring");
    (directory, path)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

fn entry(id: &str, secret: &str) -> String {
    format!(
        "[[key]]\nid = \"{id}\"\ncreated_at = \"2026-01-01T00:00:00Z\"\nsecret = \"{secret}\"\n"
    )
}

fn names(directory: &TempDir) -> Vec<std::ffi::OsString> {
    let entries = fs::read_dir(directory.path()).unwrap();
    entries.map(|entry| entry.unwrap().file_name()).collect()
}

#[test]
fn u08_generated_file_is_private_whole_and_loads() {
    let (directory, path) = place();
    let id = generate(&path, &mut random(), now()).unwrap();
    assert!(id.as_str().starts_with("k20261123-"), "{id}");
    assert_eq!(mode(&path), 0o600);
    assert_eq!(names(&directory), ["retentiond.keyring"]);

    let keyring = load(&path).unwrap();
    assert_eq!(keyring.active_id(), &id);
    assert_eq!(keyring.key_ids().count(), 1);
    assert_eq!(
        load(&path).unwrap().check_value(&id),
        keyring.check_value(&id)
    );
}

#[test]
fn u08_an_existing_file_is_never_overwritten() {
    let (directory, path) = place();
    write(&path, "precious");
    assert_eq!(
        generate(&path, &mut random(), now()),
        Err(KeyringFileError::AlreadyExists { path: path.clone() })
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");

    let dangling = directory.path().join("dangling");
    std::os::unix::fs::symlink("nowhere", &dangling).unwrap();
    assert!(matches!(
        generate(&dangling, &mut random(), now()),
        Err(KeyringFileError::AlreadyExists { .. })
    ));
    assert_eq!(names(&directory).len(), 2, "no temporary file stays");

    assert!(matches!(
        generate(&directory.path().join("no/such"), &mut random(), now()),
        Err(KeyringFileError::Unwritable { .. })
    ));
}

#[test]
fn u08_modes_with_any_of_the_bits_0037_are_refused() {
    let (_directory, path) = place();
    generate(&path, &mut random(), now()).unwrap();
    for bits in 0..0o100 {
        let mode = 0o400 | bits;
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        match load(&path) {
            Ok(_) => assert_eq!(bits & 0o037, 0, "{mode:o} was accepted"),
            Err(error) => {
                assert_ne!(bits & 0o037, 0, "{mode:o}: {error}");
                let message = error.to_string();
                assert!(message.contains("chmod 0600"), "{message}");
                assert!(message.contains(&format!("{mode:04o}")), "{message}");
            }
        }
    }
}

#[test]
fn u08_what_is_no_file_is_refused() {
    let (directory, path) = place();
    for result in [
        load(&path).map(|_| ()),
        rotate(&path, &mut random(), now()).map(|_| ()),
    ] {
        assert_eq!(
            result,
            Err(KeyringFileError::Missing { path: path.clone() })
        );
    }
    assert!(matches!(
        load(directory.path()),
        Err(KeyringFileError::NotAFile { .. })
    ));
    assert!(matches!(
        load(Path::new("/dev/null")),
        Err(KeyringFileError::NotAFile { .. })
    ));
}

#[test]
fn u08_a_broken_file_is_refused_without_repeating_it() {
    let (_directory, path) = place();
    let good = entry("k1", SECRET);
    let at = |line| KeyringFileError::Unparsable {
        path: path.clone(),
        line,
    };
    let bad = |number, reason| KeyringFileError::BadKey {
        path: path.clone(),
        number,
        reason,
    };
    let short = KeyringError::KeyTooShort { bytes: 31 };
    let head = "version = 1\nactive = \"k1\"\n";
    let cases = [
        (String::new(), at(Some(1))),
        (SECRET.to_owned(), at(Some(1))),
        (format!("{head}{SECRET} = 1\n{good}"), at(Some(3))),
        (
            format!("{head}{good}{SECRET} = \"{SECRET}\"\n"),
            at(Some(7)),
        ),
        (format!("{head}[[key]]\nid = \"{SECRET}\n"), at(Some(4))),
        (
            format!("{head}{}", good.replace("created_at", SECRET)),
            at(Some(5)),
        ),
        (
            format!("{head}{}", good.replace("2026-01-01T00:00:00Z", SECRET)),
            at(Some(5)),
        ),
        (
            format!("{head}{}", good.replace(&format!("\"{SECRET}\""), "7")),
            at(Some(6)),
        ),
        (
            format!("version = 2\nkeys = \"{SECRET}\"\n"),
            KeyringFileError::UnknownVersion {
                path: path.clone(),
                version: 2,
            },
        ),
        (
            format!("{head}{}", entry("k1", &SECRET[2..])),
            bad(1, short),
        ),
        (
            format!("{head}{good}{}", entry(&format!("{SECRET}00"), SECRET)),
            bad(2, KeyringError::InvalidKeyId),
        ),
        (
            format!("{head}{good}{good}"),
            bad(2, KeyringError::DuplicateKeyId),
        ),
        (
            format!("{head}{}", entry("k1", &format!("{SECRET}xy"))),
            KeyringFileError::SecretNotHexadecimal {
                path: path.clone(),
                number: 1,
            },
        ),
        (
            format!("version = 1\nactive = \"{SECRET}\"\n{good}"),
            KeyringFileError::UnknownActive { path: path.clone() },
        ),
        (
            format!("{head}key = []\n"),
            KeyringFileError::UnknownActive { path: path.clone() },
        ),
        (
            " ".repeat(1024 * 1024 + 1),
            KeyringFileError::TooLarge { path: path.clone() },
        ),
    ];
    for (text, expected) in cases {
        write(&path, &text);
        let error = load(&path).expect_err("the keyring is broken");
        assert_eq!(error, expected, "{text}");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("c0ffee"), "{shown}");
        assert!(error.to_string().contains(path.to_str().unwrap()));
        assert!(!error.to_string().contains('\n'));
        assert!(rotate(&path, &mut random(), now()).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }

    fs::write(&path, [0xff, 0xfe]).unwrap();
    assert_eq!(load(&path).map(|_| ()), Err(at(None)));
}

#[test]
fn u09_rotation_adds_an_active_key_and_keeps_all_others() {
    let (directory, path) = place();
    let mut random = random();
    let mut ids = vec![generate(&path, &mut random, now()).unwrap()];
    let first = load(&path).unwrap();
    for days in 1..=3 {
        let later = now() + chrono::TimeDelta::days(days);
        ids.insert(0, rotate(&path, &mut random, later).unwrap());
        let keyring = load(&path).unwrap();
        assert!(keyring.key_ids().eq(&ids));
        assert_eq!(keyring.active_id(), &ids[0]);
    }
    let last = load(&path).unwrap();
    assert_eq!(last.check_value(&ids[3]), first.check_value(&ids[3]));
    assert_ne!(last.check_value(&ids[0]), last.check_value(&ids[3]));
    assert_eq!(mode(&path), 0o600);
    assert_eq!(names(&directory), ["retentiond.keyring"]);
}

#[test]
fn u09_rotation_keeps_the_mode_and_the_link() {
    let (directory, path) = place();
    generate(&path, &mut random(), now()).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let id = rotate(&link, &mut random(), now()).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(mode(&path), 0o640);
    assert_eq!(load(&path).unwrap().active_id(), &id);
}

#[test]
fn u09_the_same_random_numbers_still_give_another_id() {
    let (_directory, path) = place();
    let first = generate(&path, &mut random(), now()).unwrap();
    let second = rotate(&path, &mut random(), now()).unwrap();
    assert_ne!(first, second);
    assert_eq!(load(&path).unwrap().key_ids().count(), 2);
}

#[test]
fn u09_two_rotations_at_a_time_lose_no_key() {
    let (_directory, path) = place();
    generate(&path, &mut random(), now()).unwrap();
    let (holder, _) = open(&path).unwrap();
    holder.lock().unwrap();
    assert_eq!(
        rotate(&path, &mut random(), now()),
        Err(KeyringFileError::Busy { path: path.clone() })
    );
    drop(holder);
    assert!(rotate(&path, &mut random(), now()).is_ok());
}

#[test]
fn u08_an_active_key_that_is_not_random_is_refused_and_a_rotation_mends_it() {
    let (_directory, path) = place();
    for secret in ["00".repeat(32), "c0ffee00".repeat(8)] {
        write(
            &path,
            &format!("version = 1\nactive = \"k1\"\n{}", entry("k1", &secret)),
        );
        let error = load(&path).unwrap_err();
        assert_eq!(error, KeyringFileError::PatternedKey { path: path.clone() });
        assert!(
            error.to_string().contains("retentiond keys rotate"),
            "{error}"
        );

        let old = load_to_rotate(&path).unwrap();
        let id = rotate(&path, &mut random(), now()).unwrap();
        let keyring = load(&path).unwrap();
        assert_eq!(keyring.active_id(), &id);
        // Hashes that were made with it are found as before.
        let k1 = "k1".parse().unwrap();
        assert!(keyring.check_value(&k1).is_some());
        assert_eq!(keyring.check_value(&k1), old.check_value(&k1));
    }
}
