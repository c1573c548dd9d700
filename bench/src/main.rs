//! `florin-bench`: measures a running Florin, with the floors of the same machine beside it.
//!
//! [`scenario`] has the measurements, [`client`] the load that they put on a server, [`target`] who is measured. What
//! the machine gives without Florin is measured by [`floor`], and by the servers of [`bare`]. [`report`] shows what
//! came out. One scenario measures nothing: `crash-verify` kills and damages, and judges what is left.

mod bare;
mod cli;
mod client;
mod floor;
mod machine;
mod report;
mod scenario;
mod server;
mod statistics;
mod target;
mod watch;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Floor(arguments) => scenario::floor::run(&arguments),
        Command::Capture(arguments) => scenario::capture::run(&arguments),
        Command::E2e(arguments) => scenario::e2e::run(&arguments),
        Command::Fanout(arguments) => scenario::fanout::run(&arguments),
        Command::Catchup(arguments) => scenario::catchup::run(&arguments),
        Command::Mixed(arguments) => scenario::mixed::run(&arguments),
        Command::Partitions(arguments) => scenario::partitions::run(&arguments),
        Command::Instructions(arguments) => scenario::instructions::run(&arguments),
        Command::StateCore(arguments) => scenario::instructions::state_core(&arguments),
        Command::Keys(arguments) => scenario::keys::run(&arguments),
        Command::Transactions(arguments) => scenario::transactions::run(&arguments),
        Command::Sustained(arguments) => scenario::sustained::run(&arguments),
        Command::Recover(arguments) => scenario::recover::run(&arguments),
        Command::Idle(arguments) => scenario::idle::run(&arguments),
        Command::CrashVerify(arguments) => scenario::crash_verify::run(&arguments),
        Command::BareServer(arguments) => bare::serve(arguments.bare, &arguments.directory, arguments.core),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::complain(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}
