//! `unsubscribe`: the address comes on stdin, so that no process list and no shell history keeps it.

use std::io::Read;

use clap::Args;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::domain::email::NormalizedEmail;
use crate::intake::unsubscribe::{self, Unsubscribed};

use super::exit::{Exit, Failure};
use super::output::{self, Format};
use super::session::Session;

/// More is no address.
const INPUT_BYTES_MAX: u64 = 64 * 1024;

/// Arguments of `unsubscribe`.
#[derive(Debug, Args)]
#[command(
    after_help = "Reads one address from standard input and never prints it. Stores its keyed hash, \
    marks every participant of the tenant that has the address (however it is written), and expires \
    their queued invitations. Running it twice changes nothing."
)]
pub struct UnsubscribeArguments {
    /// The tenant
    #[arg(long, value_name = "SLUG")]
    tenant: String,
}

/// `unsubscribe`.
pub async fn unsubscribe(
    session: &Session,
    arguments: UnsubscribeArguments,
) -> Result<Exit, Failure> {
    let config = session.config()?;
    let database = session.database(&config).await?;
    let tenant = session.intake_tenant(&database, &arguments.tenant).await?;
    let keyring = session.keyring(&config, &database).await?;
    let intake = session.intake(&config, database, keyring);
    let address = read_address(std::io::stdin().lock())?;
    let done = unsubscribe::unsubscribe(&intake, &tenant, &address).await?;
    intake.database.close().await;
    print(session.format, &tenant.slug, done)?;
    Ok(Exit::Done)
}

fn read_address(input: impl Read) -> Result<NormalizedEmail, Failure> {
    let mut bytes = Zeroizing::new(Vec::new());
    input
        .take(INPUT_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| {
            Failure::usage(format_args!("cannot read standard input: {}", error.kind()))
        })?;
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
    NormalizedEmail::normalize(line).ok_or_else(|| {
        Failure::usage("what stands on standard input is no address: it has no `@`, or nothing on one side of it")
    })
}

#[derive(Serialize)]
struct UnsubscribeDocument<'a> {
    tenant: &'a str,
    newly_suppressed: bool,
    marked: u64,
    invitations_expired: u64,
}

fn print(format: Format, tenant: &str, done: Unsubscribed) -> Result<(), Failure> {
    match format {
        Format::Json => output::print_json(&UnsubscribeDocument {
            tenant,
            newly_suppressed: done.newly_suppressed,
            marked: done.marked,
            invitations_expired: done.invitations_expired,
        }),
        Format::Table => {
            let hash = if done.newly_suppressed {
                "suppressed now"
            } else {
                "suppressed before"
            };
            output::print_line(&format!(
                "{tenant}: address {hash}; participants marked: {}; invitations expired: {}",
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
        ] {
            let failure = read_address(input).expect_err("refused");
            assert!(failure.sentence.contains(part), "{}", failure.sentence);
        }
        assert!(read_address(&b"\n Ann@example.be \r\n"[..]).is_ok());
    }
}
