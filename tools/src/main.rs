//! `florin`: makes, shows and checks data directories. It never runs a shard and never changes what one stores.
//!
//! [`cli`] says what can be asked; [`mod@format`], [`inspect`] and [`verify`] answer. Everything is read through the
//! engine's own readers, so that what is shown is what recovery would see.

mod cli;
mod directory;
#[cfg(test)]
mod faulty;
mod format;
mod host;
mod inspect;
mod output;
mod sections;
mod size;
mod table;
mod time;
mod verify;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

/// Exit code of a `format` that was refused or failed.
const EXIT_FORMAT_FAILED: u8 = 1;
/// Exit code of whatever could not be read well enough to answer.
const EXIT_CANNOT_TELL: u8 = 2;

fn main() -> ExitCode {
    let (result, code_of_failure) = match Cli::parse().command {
        Command::Format(arguments) => (format::run(&arguments), EXIT_FORMAT_FAILED),
        Command::Inspect { what } => (inspect::run(&what), EXIT_CANNOT_TELL),
        Command::Verify(arguments) => (verify::run(&arguments), EXIT_CANNOT_TELL),
    };
    result.unwrap_or_else(|error| {
        output::complain(&format!("{error:#}"));
        ExitCode::from(code_of_failure)
    })
}
