//! A start is not refused unless a fault was injected.

use std::path::Path;

use florin_engine::format::identity::Identity;
use florin_engine::format::layout::shard_path;
use florin_engine::io::Runtime;
use florin_engine::journal::create::FormatError;
use florin_engine::journal::scan;
use florin_engine::model::ShardId;
use florin_engine::shard::open::{OpenError, read_identity, recover_shard};

use crate::world::checkers::{Checked, violation};
use crate::world::cluster::DATA;
use crate::world::run::World;

const PROMISE: &str = "healthy directory opens";

impl World {
    /// Whoever looks at the directory while nobody uses it finds what a start would find.
    pub fn verifies(&mut self) -> Checked {
        for shard in (0..self.plan.shard_count).map(ShardId) {
            let found = self.on_the_side(move |runtime| async move {
                let disk = runtime.disk();
                let identity = read_identity(disk, Path::new(DATA)).await?;
                let found = recover_shard(disk, Path::new(DATA), &identity, shard).await?;
                let (path, geometry) = (shard_path(Path::new(DATA), shard), found.superblock.geometry);
                for file in geometry.files() {
                    scan::read_file(disk, &path, file, geometry.file_bytes).await?;
                }
                Ok(found)
            });
            self.note_struck();
            match found {
                Ok(found) if found.superblock.clean && !found.cuts.is_empty() => {
                    return violation(
                        PROMISE,
                        format!("shard {shard} was closed in order and has cuts: {:?}", found.cuts),
                    );
                }
                Ok(_) => {}
                Err(error) => self.may_be_refused(shard, &error)?,
            }
        }
        Ok(())
    }

    /// A start was refused: whether a fault is to blame.
    pub fn may_be_refused(&self, shard: ShardId, error: &OpenError) -> Checked {
        let struck = self.faulty && !matches!(error, OpenError::Identity { .. });
        if struck {
            return Ok(());
        }
        violation(PROMISE, format!("shard {shard} was refused: {error}"))
    }
}

/// A directory whose identity has one sound copy is the one that it was.
pub fn is_known_by_one_copy(sound: Option<&Identity>, found: &Result<Identity, String>) -> Checked {
    match (sound, found) {
        (Some(sound), Ok(found)) if sound == found => Ok(()),
        _ => violation(PROMISE, format!("its identity was {sound:?}, and with one copy {found:?}")),
    }
}

/// A directory whose identity has no sound copy is not taken for any.
pub fn is_known_by_no_copy(found: &Result<Identity, String>) -> Checked {
    match found {
        Err(_) => Ok(()),
        Ok(found) => violation(PROMISE, format!("both copies of its identity are damaged, and it is {found:?}")),
    }
}

/// An empty place was not formatted.
pub fn is_not_formatted(error: &FormatError) -> Checked {
    violation(PROMISE, format!("it was not formatted: {error}"))
}

/// What was formatted is not there.
pub fn is_unfinished() -> Checked {
    violation(PROMISE, "it was formatted, and is unfinished".to_owned())
}

/// Whoever reads a directory and whoever formats it do not agree on whether it is one.
pub fn is_half_formatted(found: &Result<Identity, OpenError>, again: &Result<(), FormatError>) -> Checked {
    violation(PROMISE, format!("a format ended on the way: its identity is {found:?}, another format says {again:?}"))
}

/// Faults strike once, so starts do not fail for ever.
pub fn never_opens() -> Checked {
    violation(PROMISE, "too many failed starts".to_owned())
}
