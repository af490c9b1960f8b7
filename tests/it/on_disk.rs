//! What "removed" means in the databases' files, after each tier of `[database] reclaim`: exactly what
//! `docs/operating.md` says, in both directions.
//!
//! Every value of every column that a run erases is marked, and so are those that it keeps. The files
//! are searched byte by byte, before and after. Where the page says that values are left, the search
//! finds them; where it says that nothing is left, the same search finds all that was to be kept, and
//! nothing else. Nothing is claimed of a file that is not searched here: logs, undo, backups.

mod files;
mod mariadb;
mod people;
mod postgres;
mod refusals;
mod servers;
mod sqlite;
