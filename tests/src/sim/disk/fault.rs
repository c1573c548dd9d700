//! What goes wrong with one operation: by chance, or because a test asked for it.

use std::path::Path;

use florin_engine::io::DiskOperation;
use florin_engine::model::Position;
use rand_chacha::ChaCha8Rng;

use super::config::{DiskFaults, happens};

/// What goes wrong with one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails with `EIO`; it may have had its effect, in part or in full.
    Fail,
    /// It finds no space; it may have had its effect, in part or in full.
    NoSpace,
    /// A write ends early.
    Short,
    /// A durable write is reported and still volatile.
    Lie,
    /// A write is reported and never happens.
    Lost,
    /// A write is reported and lands elsewhere in its file, where the seed chooses.
    Misdirect,
    /// A write is reported and lands at this position of its file.
    MisdirectTo(Position),
    /// It takes this much longer.
    Slow {
        /// How much.
        by_ns: u64,
    },
}

/// A fault that strikes once.
#[derive(Clone, Debug)]
pub struct Injection {
    /// The operation it strikes.
    pub operation: DiskOperation,
    /// It strikes only paths that contain this.
    pub path_contains: String,
    /// How many such operations it lets pass before.
    pub skip_count: u64,
    /// What goes wrong.
    pub fault: Fault,
}

impl Fault {
    /// How lies are counted: only a world that is told to has them.
    pub const LIE_NAME: &str = "lying_writes";
}

impl DiskFaults {
    /// What goes wrong by chance with `operation` on `path`.
    pub(super) fn draw(&self, operation: DiskOperation, path: &Path, random: &mut ChaCha8Rng) -> Option<Fault> {
        let candidates: &[(u32, Fault)] = match operation {
            DiskOperation::Create => &[(self.create_fail_ppm, Fault::Fail), (self.create_no_space_ppm, Fault::NoSpace)],
            DiskOperation::Read => &[(self.read_fail_ppm, Fault::Fail)],
            DiskOperation::Write => &[
                (self.write_fail_ppm, Fault::Fail),
                (self.write_no_space_ppm, Fault::NoSpace),
                (self.write_short_ppm, Fault::Short),
                (self.write_lie_ppm, Fault::Lie),
                (self.write_lost_ppm, Fault::Lost),
                (self.write_misdirect_ppm, Fault::Misdirect),
            ],
            DiskOperation::Sync => &[(self.sync_fail_ppm, Fault::Fail)],
            DiskOperation::Open
            | DiskOperation::List
            | DiskOperation::Rename
            | DiskOperation::Remove
            | DiskOperation::SyncDirectory => &[(self.name_fail_ppm, Fault::Fail)],
        };
        if candidates.iter().all(|(ppm, _)| *ppm == 0) || !contains(path, &self.path_contains) {
            return None;
        }
        candidates.iter().find(|(ppm, _)| happens(random, *ppm)).map(|(_, fault)| *fault)
    }
}

/// Takes the first injection whose turn it is, and counts down the others that match.
pub(super) fn take(injections: &mut Vec<Injection>, operation: DiskOperation, path: &Path) -> Option<Fault> {
    let mut struck = None;
    injections.retain_mut(|injection| {
        if injection.operation != operation || !contains(path, &injection.path_contains) {
            return true;
        }
        if injection.skip_count > 0 {
            injection.skip_count -= 1;
            return true;
        }
        if struck.is_some() {
            return true;
        }
        struck = Some(injection.fault);
        false
    });
    struck
}

fn contains(path: &Path, part: &str) -> bool {
    part.is_empty() || path.to_string_lossy().contains(part)
}
