//! Writing answers: text or one JSON document to standard output, complaints to standard error.

use std::io::{self, ErrorKind, Write};

use anyhow::{Context, Result};
use serde::Serialize;

/// Writes an answer. A reader that has seen enough (`| head`) is no failure.
pub fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("the answer cannot be written to standard output"),
    }
}

/// Writes an answer as one JSON document.
pub fn print_json(answer: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(answer).context("the answer cannot be put into JSON")?;
    text.push('\n');
    print(&text)
}

/// Says on standard error what went wrong.
pub fn complain(what: &str) {
    // There is nobody left to tell if this fails.
    let _ = writeln!(io::stderr().lock(), "florin: {what}");
}

/// Asks on standard error: the answer is typed behind it.
pub fn ask(question: &str) {
    let mut err = io::stderr().lock();
    let _ = write!(err, "{question}").and_then(|()| err.flush());
}

/// Says on standard error how it went.
pub fn report(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
