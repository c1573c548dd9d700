//! A server that is killed and started again on its ports while others work with it.

#![allow(clippy::disallowed_methods, reason = "a harness of real processes has real threads and a real clock")]

use std::ops::Range;
use std::thread;
use std::time::Duration;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::server::{Server, Start};

/// How long it runs between two kills, and how long it is down at most.
pub(super) struct Rests {
    pub(super) up_ms: Range<u64>,
    pub(super) down_ms_max: u64,
}

/// Starts it.
///
/// # Errors
/// What it said if it does not start.
pub(super) fn begin(start: &Start) -> Result<Server, String> {
    Server::start(start).map_err(|ended| format!("not started: {}", ended.log))
}

/// Kills it so many times, and starts it again after each.
///
/// # Errors
/// If it ended by itself, or does not start.
pub(super) fn kill_again(
    mut server: Server,
    start: &Start,
    (kill_count, rests): (u32, &Rests),
    random: &mut ChaCha8Rng,
) -> Result<Server, String> {
    for _ in 0..kill_count {
        thread::sleep(Duration::from_millis(random.random_range(rests.up_ms.clone())));
        if !server.is_running() {
            return Err(format!("it ended by itself: {}", server.log()));
        }
        server.kill();
        thread::sleep(Duration::from_millis(random.random_range(0..rests.down_ms_max)));
        server = begin(start)?;
    }
    Ok(server)
}

/// Stops it in order.
///
/// # Errors
/// If it does not end so.
pub(super) fn stop(server: Server) -> Result<(), String> {
    let ended = server.stop();
    match ended.status.success() {
        true => Ok(()),
        false => Err(format!("it ended with {}: {}", ended.status, ended.log)),
    }
}
