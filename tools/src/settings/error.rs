//! Settings that cannot be: which source has them, what it says there, and what to write instead.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::kind::Refusal;
use super::on_one_line;

/// Why there are no settings.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// A value that cannot be.
    #[error("{place} = {given} is {refusal}")]
    Value {
        /// File, line and key, or the variable.
        place: String,
        /// What stands there.
        given: String,
        /// What it is, and what to write instead.
        refusal: Refusal,
    },
    /// A setting that does not exist.
    #[error("{place} is no setting: {advice}; `florin serve --print-config` lists all of them")]
    Unknown {
        /// File, line and key, or the variable.
        place: String,
        /// What to do about it.
        advice: String,
    },
    /// Settings that do not go together.
    #[error("{0}")]
    Relation(String),
    /// The file is not there, or cannot be read.
    #[error(
        "the settings file {}, which {named_by} names, cannot be read ({error}): name a file that is there, or make one \
         with `florin serve --print-config > florin.toml`",
        on_one_line(path)
    )]
    File {
        /// The file.
        path: PathBuf,
        /// The flag or the variable.
        named_by: &'static str,
        /// The system's own words.
        error: io::Error,
    },
    /// The file is no TOML.
    #[error("{}, line {line}: {problem}: write TOML, a setting a line, such as drain_seconds = 30", on_one_line(path))]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// A path that a file cannot have.
    #[error(
        "{0} is no text in UTF-8 and cannot stand in a settings file: choose another path, or give it as an argument"
    )]
    NoText(String),
}
