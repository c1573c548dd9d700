//! `florin-bench`: measures a running Florin, with the floors of the same machine beside it.
//!
//! [`capture`] loads a server over its protocol, [`floor`] measures what the disk and the loopback device give without
//! Florin. Both print medians of interleaved rounds with their range, and never an average of percentiles.

mod capture;
mod cli;
mod floor;
mod machine;
mod report;
mod server;
mod statistics;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Floor(arguments) => floor::run(&arguments),
        Command::Capture(arguments) => capture::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::complain(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}
