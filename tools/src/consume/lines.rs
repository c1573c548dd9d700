//! Lines of records on their way to standard output.

use std::io::{self, ErrorKind, Write};

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::print::Shown;
use crate::cli::records::OutputFormat;

/// Bytes of lines that are gathered before they are written.
const WRITE_BYTES: usize = 64 * 1024;

/// Lines that are gathered and written.
#[derive(Debug)]
pub struct Lines {
    format: OutputFormat,
    bytes: Vec<u8>,
    /// Records that may still be shown.
    left_count: u64,
    /// Whether nobody reads any more.
    closed: bool,
}

impl Lines {
    /// No more than so many lines.
    pub fn new(format: OutputFormat, left_count: u64) -> Self {
        Self { format, bytes: Vec::new(), left_count, closed: false }
    }

    /// Whether nothing more is to be shown.
    pub fn is_done(&self) -> bool {
        self.closed || self.left_count == 0
    }

    /// Puts a record, unless nothing more is to be shown.
    pub fn put(&mut self, shown: &Shown<'_>) -> Result<()> {
        if self.is_done() {
            return Ok(());
        }
        match self.format {
            OutputFormat::Plain => shown.put_plain(&mut self.bytes),
            OutputFormat::Json => shown.put_json(&mut self.bytes),
        }
        self.left_count -= 1;
        if self.bytes.len() >= WRITE_BYTES { self.write() } else { Ok(()) }
    }

    /// Writes what was gathered. A reader that has seen enough is no failure.
    pub fn write(&mut self) -> Result<()> {
        let mut out = io::stdout().lock();
        let written = out.write_all(&self.bytes).and_then(|()| out.flush());
        self.bytes.clear();
        match written {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            other => other.context("records cannot be written to standard output"),
        }
    }

    /// Notices that nobody reads also while there is nothing to write.
    pub fn look_for_reader(&mut self) {
        let out = io::stdout();
        let mut asked = [PollFd::new(&out, PollFlags::empty())];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        if poll(&mut asked, Some(&at_once)).is_ok_and(|count| count > 0) {
            self.closed |= asked[0].revents().intersects(PollFlags::ERR | PollFlags::HUP);
        }
    }
}
