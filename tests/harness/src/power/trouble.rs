//! What else happens to a server and its disk while clients work: it is stopped for a while, the disk does not answer for
//! a while, or the disk is full for a while.

#![allow(clippy::disallowed_methods, reason = "a harness of real processes has real threads and a real clock")]

use std::sync::PoisonError;
use std::thread;
use std::time::{Duration, Instant};

use super::disk::Disk;
use crate::served::load::Scene;
use crate::served::server::Server;

/// How long it may take until something is noticed, or until everything goes on.
const WITHIN: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(5);
/// Acknowledgements that show that everything goes on.
const ACKS: u64 = 20;

/// What happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing.
    #[default]
    None,
    /// The process is stopped where it is for so long, and then goes on.
    ProcessFreezes(Duration),
    /// The disk takes no request and reports nothing for so long, and then goes on.
    DiskFreezes(Duration),
    /// The disk has so many bytes left, until clients are refused.
    DiskFills(usize),
}

impl Trouble {
    /// Before the server is started.
    pub(super) fn prepare(self, disk: &Disk) {
        if let Self::DiskFills(spare_bytes) = self {
            disk.set_capacity(disk.used_bytes() + spare_bytes);
        }
    }

    /// Before a server is started on what a cut left: a disk that was about to be full is so.
    pub(super) fn remain(self, disk: &Disk) {
        if let Self::DiskFills(_) = self {
            disk.set_capacity(disk.used_bytes());
        }
    }

    /// While clients work; returns the event of the disk at which it began.
    pub(super) fn happen(self, disk: &Disk, server: &Server, scene: &Scene<'_>) -> Result<u64, String> {
        let text = |error: std::io::Error| error.to_string();
        let mut begun = disk.events().count();
        match self {
            Self::None => return Ok(begun),
            Self::ProcessFreezes(pause) => {
                server.pause().map_err(text)?;
                thread::sleep(pause);
                server.resume().map_err(text)?;
            }
            Self::DiskFreezes(pause) => {
                disk.freeze();
                begun = disk.events().count();
                thread::sleep(pause);
                let is_still = disk.events().count() == begun;
                disk.thaw();
                if !is_still {
                    return Err("something happened on a disk that was frozen".to_owned());
                }
            }
            Self::DiskFills(_) => {
                wait("a client is refused because the journal is full", || scene.is_full())?;
                if disk.refused_for_space() == 0 {
                    return Err("the journal was full before the disk".to_owned());
                }
                begun = disk.events().count();
                disk.set_capacity(usize::MAX);
            }
        }
        let before = acked(scene);
        wait("captures go on", || acked(scene) >= before + ACKS)?;
        Ok(begun)
    }
}

fn acked(scene: &Scene<'_>) -> u64 {
    scene.ledger.lock().unwrap_or_else(PoisonError::into_inner).totals().acked
}

fn wait(what: &str, holds: impl Fn() -> bool) -> Result<(), String> {
    let give_up_at = Instant::now() + WITHIN;
    while !holds() {
        if Instant::now() > give_up_at {
            return Err(format!("{what}: not within {WITHIN:?}"));
        }
        thread::sleep(LOOK);
    }
    Ok(())
}
