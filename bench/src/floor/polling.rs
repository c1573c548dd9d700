//! The same round trip between two threads that never sleep: what a loopback takes once nobody has to wake up.

#![allow(clippy::disallowed_methods, reason = "a bench measures with the host's clock")]

use std::hint::spin_loop;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};

use super::loopback::{ANSWER_BYTES, ANSWER_WAIT, LoopbackSample, REQUEST_BYTES, pair};
use crate::machine::on_core;
use crate::statistics::Latencies;

/// How often it is looked between two looks at the clock.
const LOOKS_PER_CLOCK: u32 = 1 << 16;

/// Goes back and forth for so long, from a thread on `core` to one on `peer_core`. Both need a core of their own.
pub fn poll_round_trips(duration: Duration, core: Option<usize>, peer_core: Option<usize>) -> Result<LoopbackSample> {
    let (near, far) = pair()?;
    for end in [&near, &far] {
        end.set_nonblocking(true)?;
    }
    std::thread::scope(|scope| {
        let answering = scope.spawn(|| {
            let answered = on_core(peer_core, || answer_until_end(&far));
            // Whoever is done, the other end then reads an end; if it is gone already, so much the better.
            let _ = far.shutdown(Shutdown::Both);
            answered
        });
        let sample = on_core(core, || ask_until_end(&near, duration));
        let _ = near.shutdown(Shutdown::Both);
        let answered = answering.join().map_err(|_| anyhow!("the thread that answers round trips is gone"))?;
        // Why it does not answer says more than that it does not.
        answered?;
        sample
    })
}

fn ask_until_end(stream: &TcpStream, duration: Duration) -> Result<LoopbackSample> {
    let request = [0x35; REQUEST_BYTES];
    let mut answer = [0; ANSWER_BYTES];
    let mut latencies = Latencies::new();
    let begun = Instant::now();
    while begun.elapsed() < duration {
        let asked = Instant::now();
        write_polling(stream, &request).context("a request over loopback was not taken")?;
        let is_whole = read_polling(stream, &mut answer).context("an answer over loopback did not come")?;
        ensure!(is_whole, "the other end of the loopback is gone");
        latencies.record(asked.elapsed());
    }
    Ok(LoopbackSample { latencies, seconds: begun.elapsed().as_secs_f64() })
}

fn answer_until_end(stream: &TcpStream) -> Result<()> {
    let mut request = [0; REQUEST_BYTES];
    while read_polling(stream, &mut request)? {
        match write_polling(stream, &[0x36; ANSWER_BYTES]) {
            Err(error) if is_end(&error) => return Ok(()),
            written => written.context("an answer over loopback was not taken")?,
        }
    }
    Ok(())
}

/// Reads all of it, or nothing and `false` if the other end is gone.
fn read_polling(mut stream: &TcpStream, buffer: &mut [u8]) -> Result<bool> {
    let mut done = 0;
    let mut patience = Patience::default();
    while done < buffer.len() {
        match stream.read(&mut buffer[done..]) {
            Ok(0) => return Ok(false),
            Ok(bytes) => done += bytes,
            Err(error) if error.kind() == ErrorKind::WouldBlock => patience.look()?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if is_end(&error) => return Ok(false),
            Err(error) => return Err(error).context("the loopback cannot be read"),
        }
    }
    Ok(true)
}

fn write_polling(mut stream: &TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        match stream.write(&bytes[done..]) {
            Ok(written) => done += written,
            Err(error) if error.kind() == ErrorKind::WouldBlock => spin_loop(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn is_end(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}

/// Looks again and again, but not for ever.
#[derive(Default)]
struct Patience {
    looks: u32,
    since: Option<Instant>,
}

impl Patience {
    fn look(&mut self) -> Result<()> {
        spin_loop();
        self.looks += 1;
        if self.looks.is_multiple_of(LOOKS_PER_CLOCK) {
            let since = *self.since.get_or_insert_with(Instant::now);
            ensure!(since.elapsed() < ANSWER_WAIT, "nothing came for {} s", ANSWER_WAIT.as_secs());
        }
        Ok(())
    }
}
