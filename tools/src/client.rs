//! The connection of a command to its server, and what is said when the server says no.

use anyhow::{Error, Result};
use florin_engine::shard::Action;
use florin_net::client::{Client, ClientError, ClientSettings};
use florin_net::protocol::{Code, code_row};

use crate::cli::network::ServerArguments;

#[cfg(test)]
mod tests;

/// Connects.
pub fn connect(at: &ServerArguments) -> Result<Client> {
    let mut settings = ClientSettings::new(at.server.as_str());
    settings.name = format!("florin/{}", env!("CARGO_PKG_VERSION"));
    Client::connect(settings).map_err(|error| match error {
        ClientError::Connect { .. } => Error::new(error).context(
            "the server cannot be asked: start one with `florin serve`, or say with --server or FLORIN_SERVER where it is",
        ),
        other => other.into(),
    })
}

/// Whether the command may have done what it was asked to do or not.
pub fn is_unknown(error: &Error) -> bool {
    matches!(error.downcast_ref(), Some(ClientError::OutcomeUnknown { .. }))
}

/// What to do about a refusal, in a sentence without an end.
pub fn advice(action: Action) -> &'static str {
    match action {
        Action::Retry => "try again later",
        Action::Refresh => "look with `florin topic list` for what is there, and try again",
        Action::Fenced => "another producer took over: stop this one",
        Action::FixRequest => "trying again does not help: correct what was asked for",
        Action::Fatal => "nothing that a client does helps: ask the operator of the server",
        Action::OutcomeUnknown => "read what is stored before trying again",
    }
}

/// A code with its name: `journal_full (5)`.
pub fn code_name(code: u16) -> String {
    match code_row(Code(code)) {
        Some(row) => format!("{} ({code})", row.name),
        None => format!("code {code}"),
    }
}
