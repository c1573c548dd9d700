//! What is done with arbitrary bytes: the bodies of the fuzz targets in `tests/fuzz`, and the inputs that they begin with.
//!
//! A target reads an input as production reads what comes from a disk or a socket, and asserts what must hold of whatever
//! is accepted: it is within the limits, and written again it gives the same bytes. Decoding takes memory within a bound
//! that the target states. Whatever is refused must be refused with an error: a panic is a finding.
//!
//! The first byte of every input holds flags. With [`REPAIR`] the target makes checksums, names and lengths right before
//! it decodes, so that a change to an input gets behind them; without it, it is decoded as it is. The targets compile
//! with the workspace; only libFuzzer around them needs a nightly toolchain.

use florin_engine::format::block::JournalName;
use florin_engine::io::UNIT_BYTES;
use florin_engine::model::{Id128, ShardId};

pub mod batches;
pub mod blocks;
pub mod extents;
pub mod frames;
pub mod manifest;
pub mod memory;
pub mod superblock;

pub use memory::Memory;

/// Checksums, names and lengths are made right before anything is decoded.
pub const REPAIR: u8 = 1;

const DIRECTORY_ID: Id128 = Id128([0xd1; 16]);
const NAME: JournalName = JournalName { journal_id: Id128([0x4a; 16]), shard: ShardId(1) };

/// A fuzz target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, which is that of its file in `tests/fuzz/fuzz_targets`.
    pub name: &'static str,
    /// Reads an input, and returns how many frames, batches, blocks, copies or tables in it were accepted.
    ///
    /// # Panics
    /// If something that must hold does not: a finding.
    pub run: fn(Memory, &[u8]) -> usize,
    /// Inputs of every kind that is accepted, which the fuzzer changes.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All targets.
pub const TARGETS: [Target; 6] = [
    Target { name: "frames", run: frames::run, seeds: frames::seeds },
    Target { name: "batches", run: batches::run, seeds: batches::seeds },
    Target { name: "blocks", run: blocks::run, seeds: blocks::seeds },
    Target { name: "superblock", run: superblock::run, seeds: superblock::seeds },
    Target { name: "manifest", run: manifest::run, seeds: manifest::seeds },
    Target { name: "extents", run: extents::run, seeds: extents::seeds },
];

/// The bytes with zeros behind them up to whole units, at least one: inputs need not be so long.
fn whole_units(bytes: &[u8]) -> Vec<u8> {
    let mut units = bytes.to_vec();
    units.resize(bytes.len().max(1).next_multiple_of(UNIT_BYTES), 0);
    units
}

/// The bytes without zeros at their end: [`whole_units`] puts them back.
fn without_padding(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    &bytes[..end]
}

/// Writes bytes into `target` at `at`.
fn put(target: &mut [u8], at: usize, bytes: &[u8]) {
    target[at..at + bytes.len()].copy_from_slice(bytes);
}

/// The little-endian number at `at`.
fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(*bytes[at..].first_chunk().expect("whoever asks knows that it is there"))
}
