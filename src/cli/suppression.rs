//! `suppression check`: addresses on stdin, answers by line number.

use std::io::{self, BufRead, Read};

use clap::{Args, Subcommand};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::domain::address::NotBare;
use crate::intake::check::{self, Checker, Suppression};
use crate::keyring;
use crate::store::keys;

use super::command_context::CommandContext;
use super::exit::{Exit, Failure};
use super::output::{self, Format};

/// Lines looked up at a time.
const LINES_MAX: usize = 500;

/// A longer line is no address.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// Verbs of `suppression`.
#[derive(Debug, Subcommand)]
pub enum SuppressionCommand {
    /// Say which addresses belong to people who unsubscribed; write nothing
    Check(CheckArguments),
}

/// Arguments of `suppression check`.
#[derive(Debug, Args)]
#[command(
    after_help = "Reads addresses from standard input, one a line. Prints for each its line \
    number, a tab, and `suppressed`, `clear` or `invalid`; never the address. `invalid` means: \
    not one bare address, such as `Name <address>`."
)]
pub struct CheckArguments {
    /// The tenant
    #[arg(long, value_name = "SLUG")]
    tenant: String,
}

/// `suppression`.
pub async fn suppression(
    context: &CommandContext,
    command: SuppressionCommand,
) -> Result<Exit, Failure> {
    let SuppressionCommand::Check(arguments) = command;
    let config = context.config()?;
    let database = context.database(&config).await?;
    let tenant = context.intake_tenant(&database, &arguments.tenant).await?;
    // Compared, but not registered: this command writes nothing.
    let keyring = keyring::load(&config.suppression.keyring_file)?;
    keys::check(&database, &keyring).await?;
    let mut checker = Checker::begin(&database, &keyring, &tenant).await?;
    let mut input = io::BufReader::new(io::stdin());
    let mut line = 0;
    let mut answers = Vec::new();
    loop {
        let lines = read_lines(&mut input)?;
        if lines.is_empty() {
            break;
        }
        let texts: Vec<Option<&str>> = lines
            .iter()
            .map(|line| std::str::from_utf8(line).ok())
            .collect();
        for check::Answer { state, not_bare } in checker.check(&texts).await? {
            line += 1;
            match context.format {
                Format::Table => output::print_line(&format!("{line}\t{}", state.as_str()))?,
                Format::Json => answers.push(Answer {
                    line,
                    state,
                    not_bare,
                }),
            }
        }
    }
    if context.format == Format::Json {
        output::print_json(&CheckDocument {
            tenant: &tenant.slug,
            addresses: &answers,
        })?;
    }
    database.close().await;
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct CheckDocument<'a> {
    tenant: &'a str,
    addresses: &'a [Answer],
}

#[derive(Serialize)]
struct Answer {
    line: u64,
    state: Suppression,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_bare: Option<NotBare>,
}

/// As many lines as are at hand, up to [`LINES_MAX`], but at least one unless the input has ended: on
/// a terminal each line is answered at once. What follows [`LINE_BYTES_MAX`] of a line is left out.
fn read_lines(input: &mut io::BufReader<impl Read>) -> Result<Vec<Zeroizing<Vec<u8>>>, Failure> {
    let failed = |error: io::Error| {
        Failure::failed(format_args!("cannot read standard input: {}", error.kind()))
    };
    let mut lines = Vec::new();
    while lines.len() < LINES_MAX {
        let mut line = Zeroizing::new(Vec::new());
        let read = input
            .by_ref()
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut line)
            .map_err(failed)?;
        if read == 0 {
            break;
        }
        let ended =
            line.last() == Some(&b'\n') || u64::try_from(read).is_ok_and(|n| n < LINE_BYTES_MAX);
        if !ended {
            skip_line(input).map_err(failed)?;
            // Not an address, whatever it begins with.
            line.clear();
        }
        lines.push(line);
        if input.buffer().is_empty() {
            break;
        }
    }
    Ok(lines)
}

fn skip_line(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        match buffer.iter().position(|byte| *byte == b'\n') {
            Some(position) => {
                input.consume(position + 1);
                return Ok(());
            }
            None => {
                let length = buffer.len();
                input.consume(length);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_as_they_stand() {
        let mut text = b"a@b\n\n".to_vec();
        text.extend(vec![b'x'; 200_000]);
        text.extend(b"\nc@d");
        let mut input = io::BufReader::new(&text[..]);
        let mut found = Vec::new();
        loop {
            let lines = read_lines(&mut input).expect("read");
            if lines.is_empty() {
                break;
            }
            found.extend(
                lines
                    .iter()
                    .map(|line| String::from_utf8_lossy(line).into_owned()),
            );
        }
        assert_eq!(found, ["a@b\n", "\n", "", "c@d"]);
    }
}
