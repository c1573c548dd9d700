//! One way over 127.0.0.1, as much as goes through: writes of 64 KiB, and a thread that reads what comes.

#![allow(clippy::disallowed_methods, reason = "a bench measures with the host's clock")]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

use super::loopback::{ANSWER_WAIT, pair};
use crate::machine::on_core;

/// Bytes of one write, and of one read.
pub const PIECE_BYTES: usize = 64 << 10;

/// What went through.
#[derive(Clone, Copy, Debug)]
pub struct StreamSample {
    /// Bytes that arrived.
    pub bytes: u64,
    /// From the first write until the last byte had arrived.
    pub seconds: f64,
}

/// Sends for so long, from a thread on `core` to one on `peer_core`.
pub fn stream(duration: Duration, core: Option<usize>, peer_core: Option<usize>) -> Result<StreamSample> {
    let (near, far) = pair()?;
    far.set_read_timeout(Some(ANSWER_WAIT))?;
    near.set_write_timeout(Some(ANSWER_WAIT))?;
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let read = on_core(peer_core, || read_until_end(&far));
            // A sender is not left with nobody who reads.
            let _ = far.shutdown(Shutdown::Both);
            read
        });
        let sent = on_core(core, || send_until_end(&near, begun, duration));
        // The other end reads what is under way and then an end.
        let _ = near.shutdown(Shutdown::Write);
        let read = reading.join().map_err(|_| anyhow!("the thread that reads the stream is gone"))?;
        let bytes = read?;
        sent?;
        Ok(StreamSample { bytes, seconds: begun.elapsed().as_secs_f64() })
    })
}

fn send_until_end(mut stream: &TcpStream, begun: Instant, duration: Duration) -> Result<()> {
    let piece = vec![0x35; PIECE_BYTES];
    while begun.elapsed() < duration {
        stream.write_all(&piece).context("a stream over loopback was not taken")?;
    }
    Ok(())
}

fn read_until_end(mut stream: &TcpStream) -> Result<u64> {
    let mut piece = vec![0; PIECE_BYTES];
    let mut bytes = 0;
    loop {
        match stream.read(&mut piece).context("a stream over loopback cannot be read")? {
            0 => return Ok(bytes),
            read => bytes += read as u64,
        }
    }
}
