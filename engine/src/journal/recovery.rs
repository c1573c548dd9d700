//! What a journal holds after a restart: every confirmed block, the blocks behind them that are whole and in order,
//! and a name for everything that is wrong.

use std::fmt;
use std::path::Path;

use bytes::Bytes;

use super::decision::Harm;
use super::scan::{FileImage, read_front};
use crate::format::batch::Keep;
use crate::format::block::{BLOCK_HEADER_BYTES, CheckedHead};
use crate::format::checksum::Chain;
use crate::format::superblock::{FileUse, RingFile, Superblock};
use crate::io::{Disk, DiskError, UNIT_BYTES};
use crate::model::{Epoch, FileIndex, Lap, Position, Sequence};

/// Batches are kept as slices of a file of which all but one of so many parts are kept.
const SLICED_PARTS: usize = 8;

mod confirmed;
mod salvage;
mod tail;

pub use salvage::{Salvage, SalvageError, salvage};

/// A block that recovery accepted.
#[derive(Clone, Debug)]
pub struct RecoveredBlock {
    /// Its number.
    pub sequence: Sequence,
    /// The epoch it was written in.
    pub epoch: Epoch,
    /// Where it stands.
    pub file: FileIndex,
    /// Where it stands in the file.
    pub position: Position,
    /// How far it states the journal to be durable.
    pub durable_sequence: Sequence,
    /// Entries in the payload.
    pub entry_count: u32,
    /// Bytes of the entries.
    pub payload_bytes: usize,
    /// The whole block, a slice of its file as it was read.
    pub bytes: Bytes,
    /// Whether batches are kept as slices or copied.
    pub keep: Keep,
}

impl RecoveredBlock {
    /// The entries.
    pub fn payload(&self) -> Bytes {
        self.bytes.slice(BLOCK_HEADER_BYTES..BLOCK_HEADER_BYTES + self.payload_bytes)
    }
}

/// What is wrong with a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// A unit behind the confirmed part is damage.
    Unit(Harm),
    /// A unit that a superblock vouches for is not the block that must stand there.
    Confirmed(String),
    /// A ring file cannot be read at all.
    File(DiskError),
    /// Blocks that were durable are nowhere.
    Missing {
        /// The first of them.
        first: Sequence,
        /// The last of them.
        last: Sequence,
    },
}

/// One finding, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The ring file, if it is about one.
    pub file: Option<FileIndex>,
    /// Where in it.
    pub position: Option<Position>,
    /// What is wrong.
    pub wrong: Wrong,
}

/// Something that was cut off: the remains of a write that nobody was told about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CutUnit {
    /// The ring file.
    pub file: FileIndex,
    /// Where in it.
    pub position: Position,
    /// The block's number, when its header can be read.
    pub sequence: Option<Sequence>,
}

/// Everything that recovery found.
#[derive(Clone, Debug)]
pub struct Recovery {
    /// Accepted blocks, in order. Only those in files that are not free.
    pub blocks: Vec<RecoveredBlock>,
    /// The last accepted block, or the last confirmed one if its file is free by now.
    pub last_sequence: Sequence,
    /// Its chain link.
    pub last_chain: Chain,
    /// The ring files, with the ends that were found.
    pub files: Vec<RingFile>,
    /// The open file that ends with `last_sequence`: writing can go on there if the journal was closed in order.
    pub tail_file: Option<FileIndex>,
    /// What was cut off.
    pub cuts: Vec<CutUnit>,
    /// What is wrong. The journal is refused unless this is empty.
    pub damage: Vec<Damage>,
}

impl Recovery {
    /// Accepted blocks that nothing on disk states to be durable: they may have been in a cache only.
    pub fn unconfirmed(&self, superblock: &Superblock) -> impl Iterator<Item = &RecoveredBlock> {
        let stated =
            self.blocks.iter().map(|block| block.durable_sequence).fold(superblock.confirmed_sequence, Sequence::max);
        self.blocks.iter().filter(move |block| block.sequence > stated)
    }
}

/// What manifests say of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// The last block whose entries the manifest in force holds: blocks up to it may be gone with freed files, later
    /// ones may not.
    pub included: Sequence,
    /// A block that was durable when some manifest was written, in force or not.
    pub durable: Sequence,
}

impl Told {
    /// By the manifest in force alone.
    pub fn by(included: Sequence) -> Self {
        Self { included, durable: included }
    }

    /// The same by others as well, of which the newest includes `sequence`.
    #[must_use]
    pub fn and(self, sequence: Sequence) -> Self {
        Self { durable: self.durable.max(sequence), ..self }
    }
}

/// Reads what of the files may hold blocks, and examines it.
pub async fn recover<D: Disk>(disk: &D, shard_directory: &Path, superblock: &Superblock, told: Told) -> Recovery {
    let mut images = Vec::new();
    let mut unread: Vec<Damage> =
        later_laps(disk, shard_directory, superblock).await.map(Damage::of_later_lap).collect();
    for (index, file) in superblock.geometry.files().zip(&superblock.files) {
        let front_bytes = examined_bytes(superblock, file);
        if front_bytes == 0 {
            continue;
        }
        match read_front(disk, shard_directory, index, superblock.geometry.file_bytes, front_bytes).await {
            Ok(image) => images.push(image),
            Err(error) => unread.push(Damage { file: Some(index), position: None, wrong: Wrong::File(error) }),
        }
    }
    let mut recovery = examine(superblock, told, &images);
    images.iter().for_each(|image| keep_slices(image, told.included, &mut recovery.blocks));
    recovery.damage.splice(0..0, unread);
    recovery
}

/// Free files that were taken into use after the superblock was written, with the laps that they are in. A file is
/// written to only when both superblock copies say that it is open, so the superblock that this was read from is too old.
pub async fn later_laps<D: Disk>(
    disk: &D,
    shard_directory: &Path,
    superblock: &Superblock,
) -> impl Iterator<Item = (FileIndex, Lap)> + use<D> {
    let mut later = Vec::new();
    for (index, file) in superblock.geometry.files().zip(&superblock.files) {
        if file.state != FileUse::Free {
            continue;
        }
        let (file_bytes, unit_bytes) = (superblock.geometry.file_bytes, UNIT_BYTES as u64);
        // What cannot be read of a file that nobody needs says nothing.
        let Ok(image) = read_front(disk, shard_directory, index, file_bytes, unit_bytes).await else { continue };
        let found = image.look(superblock.name, file.lap, Position(0));
        let begins = |block: &CheckedHead| block.head.place.file == index && block.head.place.position == Position(0);
        let lap = found.block.filter(begins).map(|block| block.head.place.lap);
        later.extend(lap.filter(|lap| *lap > file.lap).map(|lap| (index, lap)));
    }
    later.into_iter()
}

/// Bytes of a file, from the front, that [`recover`] reads: none of one that is free, and of one that was still empty when
/// the journal was closed in order only the first block, which is there if a server went on that knew later superblocks.
pub fn examined_bytes(superblock: &Superblock, file: &RingFile) -> u64 {
    match file.state {
        FileUse::Free => 0,
        FileUse::Open if superblock.clean && file.confirmed_bytes == 0 => superblock.geometry.block_bytes_max() as u64,
        FileUse::Open | FileUse::Sealed => superblock.geometry.file_bytes,
    }
}

/// Has batches of a file kept as slices if entries that the manifest does not include are nearly all of it.
fn keep_slices(image: &FileImage, included: Sequence, blocks: &mut [RecoveredBlock]) {
    let news = blocks.iter().filter(|block| block.file == image.file && block.sequence > included);
    let kept_bytes: usize = news.map(|block| block.payload_bytes).sum();
    if kept_bytes >= image.bytes.len() / SLICED_PARTS * (SLICED_PARTS - 1) {
        blocks.iter_mut().filter(|block| block.file == image.file).for_each(|block| block.keep = Keep::Slice);
    }
}

/// Examines the images of all ring files that are not free.
pub fn examine(superblock: &Superblock, told: Told, images: &[FileImage]) -> Recovery {
    let mut recovery = Recovery {
        blocks: Vec::new(),
        last_sequence: superblock.confirmed_sequence,
        last_chain: superblock.confirmed_chain,
        files: superblock.files.clone(),
        tail_file: None,
        cuts: Vec::new(),
        damage: Vec::new(),
    };
    confirmed::check(superblock, told.included, images, &mut recovery);
    tail::walk(superblock, told.durable, images, &mut recovery);
    recovery
}

impl Damage {
    /// A file that the superblock calls free was taken into use.
    pub fn of_later_lap((file, _): (FileIndex, Lap)) -> Self {
        Self { file: Some(file), position: Some(Position(0)), wrong: Wrong::Unit(Harm::SuperblockBehind) }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = self.file {
            write!(f, "journal file {file}")?;
            if let Some(position) = self.position {
                write!(f, " at byte {position}")?;
            }
            write!(f, ": ")?;
        }
        match &self.wrong {
            Wrong::Unit(harm) => write!(f, "{}", harm.describe()),
            Wrong::Confirmed(what) => write!(f, "confirmed block damaged: {what}"),
            Wrong::File(error) => write!(f, "{error}"),
            Wrong::Missing { first, last } => write!(f, "blocks {first} to {last} were durable and are gone"),
        }
    }
}

impl Harm {
    /// What is wrong, in words.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Unreadable => "the disk cannot read this unit, so nobody knows what it held",
            Self::Misplaced => "a block of this journal that belongs to another place",
            Self::SuperblockBehind => "a block that no superblock announced: the superblocks are too old",
            Self::DuplicateSequence => "a second block with the number of an accepted one",
            Self::Displaced => "the next block stands where it was not written to",
            Self::ChainBroken => "the next block continues another block than the last one here",
            Self::ConfirmedBlockLost => "a block that was durable is lost",
            Self::AfterCleanEnd => "a block behind the end of a journal that was closed in order",
            Self::Garbage => "bytes that this journal never wrote",
        }
    }
}

#[cfg(test)]
mod tests;
