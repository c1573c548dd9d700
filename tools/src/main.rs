//! `florin`: the server, what makes, shows and checks data directories, and what moves records to and from a server.
//!
//! [`cli`] says what can be asked. [`serve`] runs the server with its [`settings`]. [`mod@format`], [`inspect`] and [`verify`] answer from a
//! directory, through the engine's own readers, so that what is shown is what recovery would see, and so does [`dump`],
//! which shows the records in one. [`disk_check`] says whether a disk is fit for one. [`topic`], [`key`], [`txn`],
//! [`group`], [`shards`], [`produce`] and [`consume`] ask a server through the client library, as any program would; [`demo`]
//! starts one of its own.

mod base64;
mod cli;
mod client;
mod consume;
mod demo;
mod directory;
mod disk_check;
mod dump;
mod duration;
#[cfg(test)]
mod faulty;
mod format;
mod group;
mod host;
mod inspect;
mod interrupt;
mod key;
mod latency;
mod output;
mod produce;
mod progress;
mod repair;
mod sections;
mod serve;
mod settings;
mod shards;
mod size;
mod table;
mod time;
mod topic;
mod topic_settings;
mod txn;
mod verify;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

/// Exit code of what was refused or failed.
const EXIT_FAILED: u8 = 1;
/// Exit code of whatever could not be read well enough to answer, or may have been done or not.
const EXIT_CANNOT_TELL: u8 = 2;
/// Exit code of arguments that cannot be meant.
const EXIT_WRONG_ARGUMENTS: u8 = 2;

fn main() -> ExitCode {
    let (result, code_of_failure) = match Cli::parse().command {
        Command::Format(arguments) => (format::run(&arguments), EXIT_FAILED),
        Command::Serve(arguments) => (serve::run(&arguments), EXIT_FAILED),
        Command::Inspect { what } => (inspect::run(&what), EXIT_CANNOT_TELL),
        Command::Verify(arguments) => (verify::run(&arguments), EXIT_CANNOT_TELL),
        Command::Repair(arguments) => (repair::run(&arguments), EXIT_CANNOT_TELL),
        Command::Topic { what } => (topic::run(&what), EXIT_FAILED),
        Command::Key { what } => (key::run(&what), EXIT_CANNOT_TELL),
        Command::Txn { what } => (txn::run(&what), EXIT_FAILED),
        Command::Group { what } => (group::run(&what), EXIT_FAILED),
        Command::Shard { what } => (shards::run(&what), EXIT_FAILED),
        Command::Clock { what } => (shards::run_clock(&what), EXIT_FAILED),
        Command::Produce(arguments) => (produce::run(&arguments), EXIT_FAILED),
        Command::Consume(arguments) => (consume::run(&arguments), EXIT_FAILED),
        Command::DiskCheck(arguments) => (disk_check::run(&arguments), EXIT_CANNOT_TELL),
        Command::Dump(arguments) => (dump::run(&arguments), EXIT_CANNOT_TELL),
        Command::Demo(arguments) => (demo::run(&arguments), EXIT_FAILED),
    };
    result.unwrap_or_else(|error| {
        output::complain(&format!("{error:#}"));
        ExitCode::from(if client::is_unknown(&error) { EXIT_CANNOT_TELL } else { code_of_failure })
    })
}
