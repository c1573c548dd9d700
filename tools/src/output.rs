//! Writing answers: text or one JSON document to standard output, complaints to standard error.

use std::io::{self, BufWriter, ErrorKind, Write};

use anyhow::{Context, Result};
use serde::Serialize;

/// Writes an answer. A reader that has seen enough (`| head`) is no failure.
pub fn print(text: &str) -> Result<()> {
    stream(|out| out.write_all(text.as_bytes()))
}

/// Writes an answer as one JSON document, part by part.
pub fn print_json(answer: &impl Serialize) -> Result<()> {
    stream(|out| {
        serde_json::to_writer_pretty(&mut *out, answer)?;
        out.write_all(b"\n")
    })
}

/// Writes an answer part by part. A reader that has seen enough ends it and is no failure.
pub fn stream(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("the answer cannot be written to standard output"),
    }
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
