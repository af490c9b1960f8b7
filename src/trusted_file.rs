//! Whether a file is to be believed: it tells the service what to do, holds its secrets, or holds people.
//!
//! Whoever can write such a file, or put another one in its place, decides which database is erased and
//! where people's data goes. So a file counts only if root or the user of this process owns it and nobody
//! else may write it, and the same holds of each folder on the way to it and of each link. A folder that
//! everybody may write is no danger if it is sticky, as `/tmp` is: what root or the user of this process
//! has there, nobody else can move.
//!
//! The way is walked once, link by link, and the file is judged when it is open. Nothing can be exchanged in
//! between: nobody else may write in any of the folders.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{OFlags, StatVfsMountFlags, statvfs};
use thiserror::Error;

use crate::file_fault::FileFault;

/// What a file holds, which decides who may read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Settings, or the certificates of authorities: nobody else may write it.
    Orders,
    /// Passwords or keys: nobody else may read it either, except for its group. Systemd's credentials and
    /// Kubernetes' secrets show 0440.
    Secrets,
}

impl Content {
    /// The bits of a mode that let somebody else do what nobody else may.
    fn forbidden(self) -> u32 {
        match self {
            Self::Orders => WRITABLE_BY_OTHERS,
            Self::Secrets => 0o037,
        }
    }
}

const WRITABLE_BY_OTHERS: u32 = 0o022;
const READABLE_BY_ALL: u32 = 0o004;
const STICKY: u32 = 0o1000;

/// Links on the way to a file; more are a circle, as for the operating system.
const LINKS_MAX: u32 = 40;

const ROOT_UID: u32 = 0;

/// Who runs this.
#[derive(Clone, Copy, Debug)]
struct Caller {
    uid: u32,
    /// A user namespace may not know us. It calls us then by the number that it has for everybody whom it does
    /// not know, and so every file of theirs would look like ours.
    is_known: bool,
}

impl Caller {
    fn is(self, uid: u32) -> bool {
        self.is_known && self.uid == uid
    }
}

fn caller() -> Caller {
    let uid = rustix::process::geteuid().as_raw();
    let is_known =
        fs::read_to_string("/proc/self/uid_map").map_or(true, |map| is_mapped(&map, uid));
    Caller { uid, is_known }
}

/// Whether a user namespace knows a user: each line holds the first number inside, the first one outside, and
/// how many there are.
fn is_mapped(map: &str, uid: u32) -> bool {
    map.lines().any(|line| {
        let mut numbers = line.split_whitespace().map(str::parse::<u64>);
        match (numbers.next(), numbers.nth(1)) {
            (Some(Ok(first)), Some(Ok(count))) => (first..first + count).contains(&u64::from(uid)),
            _ => false,
        }
    })
}

/// Why a file is not believed: a clause to follow the file's name, with what to do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Untrusted {
    /// A folder, a pipe or a device.
    #[error("it is no regular file; name one")]
    NotAFile,
    /// Another user has the file.
    #[error(
        "it belongs to user {uid}, and only files of root and of user {caller}, who runs this, \
         are trusted; look at what it holds, then change its owner with `chown`, or run this as \
         its owner"
    )]
    Owner {
        /// Whose it is. 65534 also stands for all users that a user namespace does not know.
        uid: u32,
        /// Who runs this.
        caller: u32,
    },
    /// Others may write it.
    #[error(
        "it has mode {mode:04o}, so that others may write it; look at what it holds, then run `chmod \
         go-w` on it"
    )]
    Writable {
        /// Its mode.
        mode: u32,
    },
    /// Others may read secrets.
    #[error(
        "it has mode {mode:04o}, so that others can reach the secrets in it; run `chmod 0600` on it \
         (0440 where its group reads it, defaultMode: 0440 in Kubernetes), and change the secrets if \
         somebody may have read them"
    )]
    Readable {
        /// Its mode.
        mode: u32,
    },
    /// Another user has a folder or a link on the way.
    #[error(
        "{} on the way to it belongs to user {uid}, who may put another file in its place; move it \
         below folders of root or of user {caller}, who runs this",
        place.display()
    )]
    WayOwner {
        /// The folder or link.
        place: PathBuf,
        /// Whose it is.
        uid: u32,
        /// Who runs this.
        caller: u32,
    },
    /// Others may write in a folder on the way.
    #[error(
        "the folder {} has mode {mode:04o}, so that others may put another file in its place; run \
         `chmod go-w` on the folder, or move the file",
        folder.display()
    )]
    WayWritable {
        /// The folder.
        folder: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A folder on the way cannot be looked at, though the file can be reached.
    #[error(
        "a folder on the path to it cannot be read ({fault}), so it is not known who may exchange \
         it; let this user search the folders, or move the file"
    )]
    WayUnknown {
        /// Why.
        fault: FileFault,
    },
    /// In a folder of everybody's, a file with another name elsewhere: somebody else may have put it there.
    #[error(
        "it has a second name (a hard link), and everybody may make one in the folder {}; move a copy \
         of it elsewhere",
        folder.display()
    )]
    SeveralNames {
        /// The folder.
        folder: PathBuf,
    },
}

/// Why a file is not used.
#[derive(Debug)]
pub enum Refusal {
    /// It is not there, or cannot be opened or read.
    Io(io::Error),
    /// It is there, and not believed.
    Untrusted(Untrusted),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Untrusted> for Refusal {
    fn from(reason: Untrusted) -> Self {
        Self::Untrusted(reason)
    }
}

/// A file that is believed.
#[derive(Debug)]
pub struct Opened {
    /// Open for reading.
    pub file: File,
    /// Of the open file.
    pub metadata: Metadata,
}

/// Where a path leads when all links are followed. Each folder on the way is believed.
#[derive(Debug)]
pub struct Located {
    /// Without links.
    pub path: PathBuf,
    /// What is there; `None` = nothing.
    pub metadata: Option<Metadata>,
    /// Whether everybody may make files in its folder.
    is_folder_shared: bool,
}

/// Opens a file that is believed.
///
/// # Errors
///
/// [`Refusal`]; nothing of the file is read before it is believed.
pub fn open(path: &Path, content: Content) -> Result<Opened, Refusal> {
    // Before anything is opened: opening a pipe would wait for its writer.
    if !fs::metadata(path)?.is_file() {
        return Err(Untrusted::NotAFile.into());
    }
    let located = locate(path)?;
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(&located.path)?;
    let metadata = file.metadata()?;
    located.judge(&metadata, content)?;
    Ok(Opened { file, metadata })
}

/// The text of a file that is believed.
///
/// # Errors
///
/// [`Refusal`]; text that is not UTF-8, or longer than `bytes_max`, is an I/O error.
pub fn read_to_string(path: &Path, content: Content, bytes_max: u64) -> Result<Text, Refusal> {
    let Opened { file, metadata } = open(path, content)?;
    if metadata.len() > bytes_max {
        return Err(io::Error::from(ErrorKind::FileTooLarge).into());
    }
    let mut text = String::new();
    file.take(bytes_max).read_to_string(&mut text)?;
    Ok(Text {
        text,
        mode: metadata.mode() & 0o7777,
    })
}

/// What a file holds.
#[derive(Debug)]
pub struct Text {
    /// Its content.
    pub text: String,
    /// Its mode.
    pub mode: u32,
}

/// Looks at a file that somebody else opens: a database, which must not be opened twice in one process,
/// because closing it the second time would give up all locks on it. `None` = it is not there.
///
/// # Errors
///
/// [`Refusal`].
pub fn inspect(path: &Path) -> Result<Option<Metadata>, Refusal> {
    let located = locate(path)?;
    let Some(metadata) = &located.metadata else {
        return Ok(None);
    };
    located.judge(metadata, Content::Orders)?;
    Ok(located.metadata)
}

/// Whether everybody may read a file of this mode.
#[must_use]
pub fn is_readable_by_all(mode: u32) -> bool {
    mode & READABLE_BY_ALL != 0
}

/// Where `path` leads, if each folder and each link on the way is believed.
///
/// # Errors
///
/// [`Refusal`].
pub fn locate(path: &Path) -> Result<Located, Refusal> {
    let located = locate_for(path, caller());
    located.map_err(|refusal| match refusal {
        Refusal::Io(error) if is_reachable(path, &error) => {
            let fault = FileFault::from(&error);
            Untrusted::WayUnknown { fault }.into()
        }
        other => other,
    })
}

/// Whether somebody who asks for `path` by this name gets there, although a folder above the working directory
/// could not be looked at.
fn is_reachable(path: &Path, error: &io::Error) -> bool {
    if error.kind() == ErrorKind::NotFound {
        return false;
    }
    match fs::metadata(path) {
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::NotFound,
    }
}

fn locate_for(path: &Path, caller: Caller) -> Result<Located, Refusal> {
    let absolute = match path.is_absolute() {
        true => path.to_path_buf(),
        false => std::env::current_dir()?.join(path),
    };
    let mut place = PathBuf::from("/");
    let mut is_folder_shared = believe_folder(&place, &fs::symlink_metadata(&place)?, caller)?;
    let mut ahead: VecDeque<OsString> = steps(&absolute).collect();
    let mut links = 0;
    while let Some(step) = ahead.pop_front() {
        if step == ".." {
            place.pop();
            continue;
        }
        let next = place.join(&step);
        let metadata = match fs::symlink_metadata(&next) {
            Err(error) if error.kind() == ErrorKind::NotFound && ahead.is_empty() => {
                return Ok(Located {
                    path: next,
                    metadata: None,
                    is_folder_shared,
                });
            }
            found => found?,
        };
        if metadata.is_symlink() {
            links += 1;
            if links > LINKS_MAX {
                return Err(
                    io::Error::from_raw_os_error(rustix::io::Errno::LOOP.raw_os_error()).into(),
                );
            }
            believe_owner(&next, &metadata, caller)?;
            let target = fs::read_link(&next)?;
            if target.is_absolute() {
                place = PathBuf::from("/");
            }
            for step in steps(&target).collect::<Vec<_>>().into_iter().rev() {
                ahead.push_front(step);
            }
            continue;
        }
        if ahead.is_empty() && !metadata.is_dir() {
            return Ok(Located {
                path: next,
                metadata: Some(metadata),
                is_folder_shared,
            });
        }
        is_folder_shared = believe_folder(&next, &metadata, caller)?;
        place = next;
    }
    // A folder, which is no file.
    Err(Untrusted::NotAFile.into())
}

/// The parts of a path that lead somewhere.
fn steps(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}

/// Whether everybody may make files in it.
fn believe_folder(folder: &Path, metadata: &Metadata, caller: Caller) -> Result<bool, Untrusted> {
    believe_owner(folder, metadata, caller)?;
    let mode = metadata.mode() & 0o7777;
    let is_writable = mode & WRITABLE_BY_OTHERS != 0;
    // Kubernetes mounts a ConfigMap with mode 0777, and read-only.
    if is_writable && is_mounted_read_only(folder) {
        return Ok(false);
    }
    if is_writable && mode & STICKY == 0 {
        return Err(Untrusted::WayWritable {
            folder: folder.to_owned(),
            mode,
        });
    }
    Ok(is_writable)
}

/// Whether nobody can write there, whatever the modes say, because of how it is mounted: only an administrator
/// changes that.
fn is_mounted_read_only(folder: &Path) -> bool {
    statvfs(folder).is_ok_and(|mount| mount.f_flag.contains(StatVfsMountFlags::RDONLY))
}

fn believe_owner(place: &Path, metadata: &Metadata, caller: Caller) -> Result<(), Untrusted> {
    match metadata.uid() {
        uid if uid == ROOT_UID || caller.is(uid) => Ok(()),
        uid => Err(Untrusted::WayOwner {
            place: place.to_owned(),
            uid,
            caller: caller.uid,
        }),
    }
}

impl Located {
    /// Whether the file, of which this is known, is believed.
    fn judge(&self, metadata: &Metadata, content: Content) -> Result<(), Untrusted> {
        self.judge_for(metadata, content, caller())
    }

    fn judge_for(
        &self,
        metadata: &Metadata,
        content: Content,
        caller: Caller,
    ) -> Result<(), Untrusted> {
        if !metadata.is_file() {
            return Err(Untrusted::NotAFile);
        }
        let uid = metadata.uid();
        if uid != ROOT_UID && !caller.is(uid) {
            return Err(Untrusted::Owner {
                uid,
                caller: caller.uid,
            });
        }
        let mode = metadata.mode() & 0o7777;
        if mode & WRITABLE_BY_OTHERS != 0 {
            return Err(Untrusted::Writable { mode });
        }
        if mode & content.forbidden() != 0 {
            return Err(Untrusted::Readable { mode });
        }
        if self.is_folder_shared && metadata.nlink() > 1 {
            let folder = self.path.parent().unwrap_or(Path::new("/")).to_owned();
            return Err(Untrusted::SeveralNames { folder });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
