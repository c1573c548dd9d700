//! What is left of a damaged journal: every block that is whole and not stale, and the sequences that are gone.
//!
//! Only an operator who accepts the loss is served with this; a start never is.

use std::collections::BTreeMap;

use super::confirmed::accepted;
use super::{RecoveredBlock, Recovery, Told};
use crate::format::block::CheckedHead;
use crate::format::checksum::Chain;
use crate::format::superblock::{FileUse, Superblock};
use crate::journal::decision::{Body, Header};
use crate::journal::scan::{FileImage, Found};
use crate::model::{Epoch, FileIndex, Position, Sequence};

/// What is left.
#[derive(Clone, Debug)]
pub struct Salvage {
    /// The blocks that are left, in order.
    pub blocks: Vec<RecoveredBlock>,
    /// Stretches of blocks behind the manifest that were durable and are gone: first and last.
    pub lost: Vec<(Sequence, Sequence)>,
    /// Where the damaged journal ends: no later block was ever acknowledged, unless `end_is_unknown`.
    pub last_sequence: Sequence,
    /// Chain link of that block, as far as anybody states it.
    pub last_chain: Chain,
    /// Blocks behind the last one may have been acknowledged and are gone without a trace.
    pub end_is_unknown: bool,
    /// Bytes of the ring in which the lost blocks can have stood.
    pub lost_bytes: u64,
}

/// Why a journal is not salvaged: something else must be done first.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SalvageError {
    /// The disk does not give a unit, so nobody knows what is lost.
    #[error(
        "journal file {file} at byte {position} cannot be read: copy the directory to a sound device with a tool that retries, then repair the copy"
    )]
    Unreadable {
        /// The ring file.
        file: FileIndex,
        /// Where in it.
        position: Position,
    },
    /// A block of an epoch that no superblock announced.
    #[error(
        "journal file {file} at byte {position} has a block of epoch {found}, the superblocks know of {known}: they are older than the journal; restore the whole directory from one point in time"
    )]
    SuperblockBehind {
        /// The ring file.
        file: FileIndex,
        /// Where in it.
        position: Position,
        /// The block's epoch.
        found: Epoch,
        /// That of the superblock.
        known: Epoch,
    },
    /// A file holds blocks of another file.
    #[error(
        "journal file {file} holds blocks of journal file {of}: files were swapped; put them back, then verify again"
    )]
    Swapped {
        /// The ring file.
        file: FileIndex,
        /// Whose blocks it holds.
        of: FileIndex,
    },
    /// Blocks that do not belong together.
    #[error(
        "block {0} does not continue the block before it: files of two histories are mixed; restore the whole directory from one point in time"
    )]
    Histories(Sequence),
}

/// A block that is whole.
struct Candidate<'a> {
    image: &'a FileImage,
    found: Found,
}

impl Candidate<'_> {
    fn block(&self) -> &CheckedHead {
        self.found.block.as_ref().expect("a candidate is a block")
    }
}

/// Takes what is left in the images of all ring files that are not free and can be read. `recovery` is what
/// [`super::examine`] made of them, with the files that could not be read.
pub fn salvage(
    superblock: &Superblock,
    told: Told,
    images: &[FileImage],
    recovery: &Recovery,
) -> Result<Salvage, SalvageError> {
    let mut candidates = Vec::new();
    for image in images {
        candidates.extend(whole_blocks(superblock, image)?);
    }
    let blocks = living(superblock, candidates)?;
    let stated = blocks.values().map(|block| block.block().head.durable_sequence);
    let durable = stated.fold(superblock.confirmed_sequence.max(told.durable), Sequence::max);
    // A block that is whole may have been acknowledged although those before it are gone.
    let last = blocks.last_key_value().map_or(durable, |(last, _)| *last);
    let end = if superblock.clean { durable } else { durable.max(last) };
    let kept: BTreeMap<Sequence, Candidate<'_>> = blocks.into_iter().filter(|(sequence, _)| *sequence <= end).collect();
    check_links(&kept)?;
    let last_chain = match kept.get(&end) {
        Some(last) => last.block().chain,
        None if end == superblock.confirmed_sequence => superblock.confirmed_chain,
        None => Chain(0),
    };
    let blocks: Vec<RecoveredBlock> = kept.values().map(|block| accepted(block.image, &block.found)).collect();
    let kept_bytes: u64 = blocks.iter().map(|block| block.bytes.len() as u64).sum();
    let needed = superblock.files.iter().filter(|file| file.state != FileUse::Free);
    let needed_bytes: u64 = needed.map(|file| used_bytes(superblock, file.state, file.confirmed_bytes)).sum();
    Ok(Salvage {
        lost: lost(&blocks, told.included, end),
        blocks,
        last_sequence: end,
        last_chain,
        // Whatever damaged one place may have taken the last blocks without a trace.
        end_is_unknown: !recovery.damage.is_empty() && !superblock.clean,
        lost_bytes: needed_bytes.saturating_sub(kept_bytes),
    })
}

/// Bytes from the start of a ring file in which blocks can stand.
fn used_bytes(superblock: &Superblock, state: FileUse, confirmed_bytes: u64) -> u64 {
    if state == FileUse::Sealed || superblock.clean { confirmed_bytes } else { superblock.geometry.file_bytes }
}

/// Every whole block of a ring file.
fn whole_blocks<'a>(superblock: &Superblock, image: &'a FileImage) -> Result<Vec<Candidate<'a>>, SalvageError> {
    let described = &superblock.files[usize::from(image.file.0)];
    let end = used_bytes(superblock, described.state, described.confirmed_bytes);
    if let Some(position) = image.unreadable.iter().find(|position| position.0 < end) {
        return Err(SalvageError::Unreadable { file: image.file, position: *position });
    }
    let mut candidates = Vec::new();
    let mut foreign: BTreeMap<FileIndex, usize> = BTreeMap::new();
    let mut position = Position(0);
    while position.0 < end {
        let found = image.look(superblock.name, described.lap, position);
        let mut next = position.plus(crate::limits::UNIT_BYTES as u64);
        match (found.header, &found.block) {
            (Header::Misplaced, Some(block)) => *foreign.entry(block.head.place.file).or_default() += 1,
            (Header::Block, Some(block)) if found.body == Body::Good => {
                if block.head.epoch > superblock.epoch {
                    let (file, found, known) = (image.file, block.head.epoch, superblock.epoch);
                    return Err(SalvageError::SuperblockBehind { file, position, found, known });
                }
                next = position.plus(found.reach_bytes);
                candidates.push(Candidate { image, found });
            }
            _ => {}
        }
        position = next;
    }
    // One block in a wrong place is a write that went astray; more of them are another file.
    match foreign.into_iter().find(|(of, count)| *of != image.file && *count > 1) {
        Some((of, _)) => Err(SalvageError::Swapped { file: image.file, of }),
        None => Ok(candidates),
    }
}

/// The blocks that no later epoch put behind its begin, one of each sequence.
fn living<'a>(
    superblock: &Superblock,
    candidates: Vec<Candidate<'a>>,
) -> Result<BTreeMap<Sequence, Candidate<'a>>, SalvageError> {
    let mut begins: BTreeMap<Epoch, Sequence> = BTreeMap::from([(superblock.epoch, superblock.epoch_first_sequence)]);
    for candidate in &candidates {
        let head = &candidate.block().head;
        begins.insert(head.epoch, head.epoch_first_sequence);
    }
    let is_stale = |epoch: Epoch, sequence: Sequence| {
        begins.range(epoch.next()..).any(|(_, first_sequence)| *first_sequence <= sequence)
    };
    let mut living = BTreeMap::new();
    for candidate in candidates {
        let head = candidate.block().head;
        if is_stale(head.epoch, head.sequence) {
            continue;
        }
        if living.insert(head.sequence, candidate).is_some() {
            return Err(SalvageError::Histories(head.sequence));
        }
    }
    Ok(living)
}

/// Blocks that follow each other must continue each other.
fn check_links(blocks: &BTreeMap<Sequence, Candidate<'_>>) -> Result<(), SalvageError> {
    for ((before, first), (after, second)) in blocks.iter().zip(blocks.iter().skip(1)) {
        if before.next() == *after && second.block().head.previous != first.block().chain {
            return Err(SalvageError::Histories(*after));
        }
    }
    Ok(())
}

/// The stretches between `included` and `durable` that are gone.
fn lost(blocks: &[RecoveredBlock], included: Sequence, durable: Sequence) -> Vec<(Sequence, Sequence)> {
    let mut expected = included.next();
    let mut lost = Vec::new();
    let present = blocks.iter().map(|block| block.sequence).filter(|sequence| *sequence > included);
    for sequence in present.chain([durable.max(included).next()]) {
        if sequence > expected {
            lost.push((expected, Sequence(sequence.0 - 1)));
        }
        expected = expected.max(sequence.next());
    }
    lost
}
