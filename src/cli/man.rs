//! `man`: the manual page, every command included.

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use super::Cli;
use super::exit::{Exit, Failure};
use super::output;

/// `man`.
pub fn man() -> Result<Exit, Failure> {
    let failed = |_| Failure::failed("the manual page cannot be made");
    let mut command = Cli::command();
    // Gives every command its whole name, and the global options.
    command.build();
    let mut page = Vec::new();
    let man = Man::new(command.clone());
    man.render_title(&mut page).map_err(failed)?;
    man.render_name_section(&mut page).map_err(failed)?;
    man.render_synopsis_section(&mut page).map_err(failed)?;
    man.render_description_section(&mut page).map_err(failed)?;
    man.render_options_section(&mut page).map_err(failed)?;
    render_commands(&command, &mut page).map_err(failed)?;
    man.render_extra_section(&mut page).map_err(failed)?;
    output::print(&String::from_utf8_lossy(&page))?;
    Ok(Exit::Done)
}

/// One section, not one page a command: there is one file to install.
fn render_commands(command: &Command, page: &mut Vec<u8>) -> std::io::Result<()> {
    let mut section = Roff::new();
    section.control("SH", ["COMMANDS"]);
    for path in leaves(command) {
        let usage = path.clone().render_usage().to_string();
        let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage).to_owned();
        section.control("TP", []);
        section.text([clap_mangen::roff::bold(usage)]);
        section.text([roman(
            path.get_about()
                .map(ToString::to_string)
                .unwrap_or_default(),
        )]);
        for argument in path.get_arguments() {
            if argument.is_hide_set() || argument.is_global_set() || is_of_clap(argument) {
                continue;
            }
            section.control("RS", []);
            section.control("TP", []);
            section.text([clap_mangen::roff::bold(argument.to_string())]);
            section.text([roman(
                argument
                    .get_help()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
            )]);
            section.control("RE", []);
        }
        if let Some(more) = path.get_after_help() {
            section.control("RS", []);
            section.text([roman(more.to_string())]);
            section.control("RE", []);
        }
    }
    section.to_writer(page)
}

/// The commands that do something, in the order of the help.
fn leaves(command: &Command) -> Vec<Command> {
    let mut found = Vec::new();
    for child in command.get_subcommands() {
        if child.get_name() == "help" || child.is_hide_set() {
            continue;
        }
        if child.has_subcommands() {
            found.extend(leaves(child));
        } else {
            found.push(child.clone());
        }
    }
    found
}

fn is_of_clap(argument: &clap::Arg) -> bool {
    matches!(argument.get_id().as_str(), "help" | "version")
}
