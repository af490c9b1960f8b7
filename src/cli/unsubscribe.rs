//! `unsubscribe`: the address comes on stdin, so that no process list and no shell history keeps it.

use std::io::{self, BufRead, IsTerminal, Read};

use clap::Args;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::config::Config;
use crate::domain::address::{NotBare, read_bare};
use crate::domain::email::NormalizedEmail;
use crate::intake::unsubscribe::{self, Unsubscribed};

use super::changed;
use super::command_context::CommandContext;
use super::exit::{Exit, Failure};
use super::output::say;
use super::output::{self, Format};

/// More is no address.
const INPUT_BYTES_MAX: u64 = 64 * 1024;

/// Arguments of `unsubscribe`.
#[derive(Debug, Args)]
#[command(
    after_help = "Reads one address from standard input and never prints it. Stores its keyed hash, \
    marks every participant of the tenant that has the address (however it is written), and expires \
    their queued invitations. Running it twice changes nothing. The address stands alone: with a name, \
    with mailto: or in quotation marks it is refused (exit code 2). On a terminal, the command asks \
    before it suppresses an address that no participant has."
)]
pub struct UnsubscribeArguments {
    /// The tenant
    #[arg(long, value_name = "SLUG")]
    tenant: String,
}

/// `unsubscribe`.
pub async fn unsubscribe(
    context: &CommandContext,
    arguments: UnsubscribeArguments,
) -> Result<Exit, Failure> {
    let config = context.config()?;
    let database = context.database(&config).await?;
    let tenant = context.intake_tenant(&database, &arguments.tenant).await?;
    let keyring = context.keyring(&config, &database).await?;
    let intake = context.intake(&config, database, keyring);
    let asks = io::stdin().is_terminal() && io::stderr().is_terminal();
    let address = if asks {
        // One line, so that the answer to a question can follow.
        say(&format!(
            "Address to unsubscribe at {} ({}):",
            tenant.slug,
            changed::database(&config)
        ));
        read_address(io::Cursor::new(read_line()?))?
    } else {
        read_address(io::stdin().lock())?
    };
    if asks {
        let known = unsubscribe::look(&intake, &tenant, &address).await?;
        if known.participants == 0 && !known.suppressed && !confirmed(&tenant.slug)? {
            return Err(Failure::refused(format_args!(
                "not confirmed; nothing was changed at {}",
                tenant.slug
            )));
        }
    }
    let done = unsubscribe::unsubscribe(&intake, &tenant, &address).await?;
    intake.database.close().await;
    if done.newly_suppressed && done.participants == 0 {
        say(&format!(
            "warning: no participant of {} has this address; it is suppressed for later uploads",
            tenant.slug
        ));
    }
    changed::tell(&config);
    print(context.format, &config, &tenant.slug, done)?;
    Ok(Exit::Done)
}

/// Whether the person at the terminal wants to suppress an address that nobody has.
fn confirmed(tenant: &str) -> Result<bool, Failure> {
    say(&format!(
        "No participant of {tenant} has this address. Suppress it all the same? [y/N]"
    ));
    let mut answer = read_line()?;
    if answer.is_empty() {
        // Ctrl-D after the address, as an input that is no terminal ends.
        answer = read_line()?;
    }
    let answer = String::from_utf8_lossy(&answer);
    Ok(["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()))
}

/// A line of standard input; empty at its end.
fn read_line() -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut line = Zeroizing::new(Vec::new());
    io::stdin()
        .lock()
        .take(INPUT_BYTES_MAX + 1)
        .read_until(b'\n', &mut line)
        .map_err(|error| unreadable(&error))?;
    Ok(line)
}

fn read_address(input: impl Read) -> Result<NormalizedEmail, Failure> {
    let mut bytes = Zeroizing::new(Vec::new());
    input
        .take(INPUT_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(&error))?;
    let too_long = u64::try_from(bytes.len()).is_ok_and(|length| length > INPUT_BYTES_MAX);
    let text = std::str::from_utf8(&bytes)
        .ok()
        .filter(|_| !too_long)
        .ok_or_else(|| Failure::usage("standard input is no address; pass one, in UTF-8"))?;
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let line = lines.next().ok_or_else(|| {
        Failure::usage("standard input is empty; pass the address to unsubscribe on it")
    })?;
    if lines.next().is_some() {
        return Err(Failure::usage(
            "standard input holds several lines; pass one address at a time",
        ));
    }
    read_bare(line).map_err(not_bare)
}

/// Says what stands there, and never the text.
fn not_bare(kind: NotBare) -> Failure {
    Failure::usage(format_args!(
        "what stands on standard input is not one bare address: it holds {kind}; pass the address \
         alone, for example ann@example.org (nothing was changed)"
    ))
}

fn unreadable(error: &io::Error) -> Failure {
    Failure::usage(format_args!("cannot read standard input: {}", error.kind()))
}

#[derive(Serialize)]
struct UnsubscribeDocument<'a> {
    tenant: &'a str,
    newly_suppressed: bool,
    participants: u64,
    marked: u64,
    invitations_expired: u64,
}

fn print(format: Format, config: &Config, tenant: &str, done: Unsubscribed) -> Result<(), Failure> {
    match format {
        Format::Json => {
            let document = UnsubscribeDocument {
                tenant,
                newly_suppressed: done.newly_suppressed,
                participants: done.participants,
                marked: done.marked,
                invitations_expired: done.invitations_expired,
            };
            changed::print_json(config, &document)
        }
        Format::Table => {
            let hash = if done.newly_suppressed {
                "suppressed now"
            } else {
                "suppressed before"
            };
            let nobody = if done.participants == 0 {
                "; no participant has this address"
            } else {
                ""
            };
            output::print_line(&format!(
                "{tenant}: address {hash}; participants marked: {}; invitations expired: {}{nobody}",
                done.marked, done.invitations_expired
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn u05_one_address_and_nothing_else_is_read() {
        for (input, part) in [
            (&b""[..], "empty"),
            (b" \n\n", "empty"),
            (b"a@b\nc@d\n", "several lines"),
            (b"ann\n", "no `@`"),
            (b"\xFF@b\n", "UTF-8"),
            (b"Ann <a@b>\n", "a name beside the address"),
            (b"mailto:a@b\n", "a prefix"),
            (b"a@b,c@d", "several addresses"),
            (b"a\0@b", "a NUL character"),
        ] {
            let failure = read_address(input).expect_err("refused");
            assert!(failure.sentence.contains(part), "{}", failure.sentence);
        }
        assert!(read_address(&b"\n Ann@example.be \r\n"[..]).is_ok());
    }
}
