use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, chown, symlink};

use tempfile::TempDir;

use super::*;

const NOBODY: u32 = 65_534;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// A file of this mode in a folder of its own.
fn file(mode: u32) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    fs::write(&path, "text").unwrap();
    set_mode(&path, mode);
    (directory, path)
}

fn untrusted(result: Result<Text, Refusal>) -> Untrusted {
    match result {
        Err(Refusal::Untrusted(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

fn orders(path: &Path) -> Result<Text, Refusal> {
    read_to_string(path, Content::Orders, 100)
}

fn secrets(path: &Path) -> Result<Text, Refusal> {
    read_to_string(path, Content::Secrets, 100)
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn each_mode_that_lets_somebody_else_in_is_refused_and_no_other() {
    let (_directory, path) = file(0o600);
    for bits in 0..0o100 {
        let mode = 0o400 | bits;
        set_mode(&path, mode);
        match orders(&path) {
            Ok(read) => {
                assert_eq!(bits & 0o022, 0, "{mode:o}");
                assert_eq!((read.text.as_str(), read.mode), ("text", mode));
            }
            Err(_) => assert_ne!(bits & 0o022, 0, "{mode:o}"),
        }
        assert_eq!(secrets(&path).is_ok(), bits & 0o037 == 0, "{mode:o}");
    }
    set_mode(&path, 0o666);
    assert_eq!(
        untrusted(orders(&path)),
        Untrusted::Writable { mode: 0o666 }
    );
    set_mode(&path, 0o644);
    assert_eq!(
        untrusted(secrets(&path)),
        Untrusted::Readable { mode: 0o644 }
    );
}

#[test]
fn a_folder_that_others_may_write_is_refused_wherever_it_stands_on_the_way() {
    let (directory, _) = file(0o600);
    let deep = directory.path().join("one/two");
    fs::create_dir_all(&deep).unwrap();
    let path = deep.join("file");
    fs::write(&path, "text").unwrap();
    for folder in [directory.path(), deep.parent().unwrap(), &deep] {
        for (mode, good) in [
            (0o777, false),
            (0o775, false),
            (0o757, false),
            (0o755, true),
            (0o700, true),
            (0o1777, true),
        ] {
            set_mode(folder, mode);
            match orders(&path) {
                Ok(_) => assert!(good, "{folder:?} {mode:o}"),
                Err(Refusal::Untrusted(reason)) => {
                    assert!(!good, "{folder:?} {mode:o}");
                    let folder = folder.to_owned();
                    assert_eq!(reason, Untrusted::WayWritable { folder, mode });
                }
                Err(error) => panic!("{error:?}"),
            }
            // A file that is to be made there is refused as it is.
            assert_eq!(
                inspect(&deep.join("new")).is_ok(),
                good,
                "{folder:?} {mode:o}"
            );
        }
        set_mode(folder, 0o700);
    }
}

#[test]
fn what_another_user_has_is_refused_file_folder_or_link() {
    if !is_root() {
        return;
    }
    let (directory, path) = file(0o600);
    chown(&path, Some(NOBODY), None).unwrap();
    let caller = 0;
    let owner = Untrusted::Owner {
        uid: NOBODY,
        caller,
    };
    assert_eq!(untrusted(orders(&path)), owner);
    assert!(matches!(inspect(&path), Err(Refusal::Untrusted(reason)) if reason == owner));
    chown(&path, Some(0), None).unwrap();

    let link = directory.path().join("link");
    symlink("file", &link).unwrap();
    assert!(orders(&link).is_ok());
    std::os::unix::fs::lchown(&link, Some(NOBODY), None).unwrap();
    let of_nobody = |place: &Path| Untrusted::WayOwner {
        place: place.to_owned(),
        uid: NOBODY,
        caller,
    };
    assert_eq!(untrusted(orders(&link)), of_nobody(&link));

    chown(directory.path(), Some(NOBODY), None).unwrap();
    assert_eq!(untrusted(orders(&path)), of_nobody(directory.path()));
    // By way of a link from a good folder, too.
    let elsewhere = tempfile::tempdir().unwrap();
    let link = elsewhere.path().join("link");
    symlink(&path, &link).unwrap();
    assert_eq!(untrusted(orders(&link)), of_nobody(directory.path()));
}

#[test]
fn another_users_process_believes_root_and_itself() {
    let (_directory, path) = file(0o644);
    let located = locate(&path).unwrap();
    let metadata = located.metadata.as_ref().unwrap();
    let me = metadata.uid();
    for (uid, is_known, good) in [
        (me, true, true),
        (me, false, me == 0),
        (NOBODY, true, me == 0),
        (1000, true, me == 0),
    ] {
        let caller = Caller { uid, is_known };
        assert_eq!(
            located.judge_for(metadata, Content::Orders, caller).is_ok(),
            good
        );
    }
}

#[test]
fn a_user_whom_a_namespace_does_not_know_owns_nothing() {
    let of_host = "         0          0 4294967295\n";
    let of_container = "         0     100000      65536\n     70000       1000          1\n";
    for (map, uid, known) in [
        (of_host, 0, true),
        (of_host, NOBODY, true),
        (of_container, NOBODY, true),
        (of_container, 65_536, false),
        (of_container, 70_000, true),
        (of_container, 70_001, false),
        ("", NOBODY, false),
        ("0 0", 0, false),
    ] {
        assert_eq!(is_mapped(map, uid), known, "{map} {uid}");
    }
    assert!(caller().is(rustix::process::geteuid().as_raw()));
}

/// Kubernetes mounts a secret as links into a folder that is exchanged as a whole, in a folder with the
/// sticky bit; with fsGroup the files are its group's.
#[test]
fn the_mounts_of_kubernetes_are_believed() {
    for (folder_mode, file_mode) in [(0o1777, 0o440), (0o3777, 0o440), (0o1777, 0o400)] {
        let mount = tempfile::tempdir().unwrap();
        set_mode(mount.path(), folder_mode);
        let data = mount.path().join("..2026_11_28");
        fs::create_dir(&data).unwrap();
        set_mode(&data, 0o2755);
        fs::write(data.join("database_url"), "text").unwrap();
        set_mode(&data.join("database_url"), file_mode);
        symlink("..2026_11_28", mount.path().join("..data")).unwrap();
        let path = mount.path().join("database_url");
        symlink("..data/database_url", &path).unwrap();
        assert_eq!(secrets(&path).unwrap().text, "text");
        set_mode(&data.join("database_url"), 0o644);
        assert!(secrets(&path).is_err());
        assert!(orders(&path).is_ok(), "as a ConfigMap");
    }
}

#[test]
fn in_a_folder_of_everybodys_a_hard_link_is_not_believed() {
    let (directory, path) = file(0o600);
    let shared = directory.path().join("shared");
    fs::create_dir(&shared).unwrap();
    set_mode(&shared, 0o1777);
    let there = shared.join("file");
    fs::hard_link(&path, &there).unwrap();
    let folder = shared.clone();
    assert_eq!(
        untrusted(orders(&there)),
        Untrusted::SeveralNames { folder }
    );
    assert!(orders(&path).is_ok(), "by its own name");
}

#[test]
fn what_is_no_file_is_told_from_what_is_not_there() {
    let (directory, path) = file(0o600);
    for other in [directory.path(), Path::new("/dev/null"), Path::new("/")] {
        assert_eq!(untrusted(orders(other)), Untrusted::NotAFile, "{other:?}");
    }
    let missing = |result: Result<Text, Refusal>| match result {
        Err(Refusal::Io(error)) => error.kind() == ErrorKind::NotFound,
        other => panic!("{other:?}"),
    };
    assert!(missing(orders(&directory.path().join("none"))));
    assert!(missing(orders(&directory.path().join("no/such"))));
    let circle = directory.path().join("circle");
    symlink("circle", &circle).unwrap();
    assert!(matches!(orders(&circle), Err(Refusal::Io(_))));
    assert!(matches!(locate(&circle), Err(Refusal::Io(_))));
    assert!(inspect(&directory.path().join("none")).unwrap().is_none());
    // Up and down again, and a link to a path from the root.
    let around = directory
        .path()
        .join("../")
        .join(directory.path().file_name().unwrap());
    assert!(orders(&around.join("./file")).is_ok());
    let absolute = directory.path().join("absolute");
    symlink(&path, &absolute).unwrap();
    assert!(orders(&absolute).is_ok());
    assert_eq!(
        locate(&absolute).unwrap().path,
        fs::canonicalize(&path).unwrap()
    );
    assert!(matches!(
        read_to_string(&path, Content::Orders, 3),
        Err(Refusal::Io(_))
    ));
}
