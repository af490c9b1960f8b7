//! Variables of other programs that the database drivers would read. The driver of PostgreSQL takes host,
//! user, password, TLS and settings of the session from `PGHOST`, `PGSSLMODE`, `PGOPTIONS` and their like,
//! wherever the URL says nothing, and offers no way to do without. A shell that is set up for `psql` would
//! so decide which database is erased, and how the connection is protected.

use std::convert::Infallible;
use std::env;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::exit::Failure;

const PREFIX: &[u8] = b"PG";

/// Starts this program anew without them, in the same process, if there are any: a process cannot safely
/// remove its own variables.
///
/// # Errors
///
/// Exit code 2 when it cannot be started anew.
pub(super) fn leave_behind() -> Result<(), Failure> {
    let foreign: Vec<OsString> = env::vars_os()
        .map(|(name, _)| name)
        .filter(|name| name.as_bytes().starts_with(PREFIX))
        .collect();
    let Some(first) = foreign.first() else {
        return Ok(());
    };
    match start_anew(&foreign) {
        Ok(never) => match never {},
        Err(error) => Err(Failure::usage(format_args!(
            "{} is set, which is for other programs of PostgreSQL, and this program cannot start itself without \
             it ({}); unset all variables that begin with PG",
            first.display(),
            error.kind()
        ))),
    }
}

fn start_anew(without: &[OsString]) -> std::io::Result<Infallible> {
    let mut arguments = env::args_os();
    let mut command = Command::new(env::current_exe()?);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    command.args(arguments);
    for name in without {
        command.env_remove(name);
    }
    Err(command.exec())
}
