//! No core dump of this process: it would hold the master keys, the database's password and whatever personal
//! data is in memory.

use std::io;

use rustix::process::{Resource, Rlimit, setrlimit};

/// Forbids core dumps for good: the limit keeps the kernel from writing a file, and a process that is not dumpable
/// is not handed to a crash handler either (prctl(2), core(5)). Other processes of the same user cannot attach
/// to it, or read its memory, any more.
///
/// # Errors
///
/// The operating system's; a core dump may still be written.
pub fn forbid() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    }
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)?;
    Ok(())
}
