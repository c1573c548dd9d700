//! One case: what is damaged, where, and in which of the sound directories. It follows from the seed and its number.

#![allow(clippy::disallowed_methods, reason = "files of a sound directory are read as they are")]

use std::path::Path;

use florin_engine::format::identity::IDENTITY_BYTES;
use florin_engine::format::superblock::{FileUse, SUPERBLOCK_BYTES};
use rand::seq::IndexedRandom;
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::harm::{Harm, HarmKind};
use super::layout::{FileKind, FileName, Layout};

/// Stretches in ring files stay inside a unit of this size: one unit is of one block, and what hits two blocks may hit
/// the last one and the one that states it to be durable, which nobody can tell from a write that a crash interrupted.
const UNIT_BYTES: u64 = 4096;
/// The longest stretch in other files.
const STRETCH_BYTES_MAX: u64 = 16 * 1024;
/// The most that a file is made longer by.
const MORE_BYTES_MAX: u64 = 2 * UNIT_BYTES;
/// How often, of ten times, a place is chosen that is needed.
const NEEDED_OF_TEN: u32 = 8;

/// Kinds of damage that are played more often: most of a directory is journal and segments.
const MORE: [(FileKind, HarmKind); 10] = [
    (FileKind::Ring, HarmKind::Flip),
    (FileKind::Segment, HarmKind::Flip),
    (FileKind::Ring, HarmKind::Noise),
    (FileKind::Segment, HarmKind::Noise),
    (FileKind::Ring, HarmKind::Zero),
    (FileKind::Segment, HarmKind::Zero),
    (FileKind::Segment, HarmKind::Truncate),
    (FileKind::Ring, HarmKind::Flip),
    (FileKind::Segment, HarmKind::Flip),
    (FileKind::Segment, HarmKind::Swap),
];

/// What is damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Its number, from 0.
    pub number: u32,
    /// The kind of file.
    pub file: FileKind,
    /// The kind of damage.
    pub kind: HarmKind,
    /// What is done, one after the other.
    pub harms: Vec<Harm>,
}

/// Every kind of file with every kind of damage that it can have, and some of them again.
pub fn kinds() -> Vec<(FileKind, HarmKind)> {
    let all = HarmKind::ALL.into_iter().flat_map(|kind| FileKind::ALL.map(|file| (file, kind)));
    let can_be = |(file, kind): &(FileKind, HarmKind)| match kind {
        HarmKind::FlipBoth => !matches!(file, FileKind::Ring | FileKind::Segment),
        HarmKind::Swap => *file != FileKind::Identity,
        _ => true,
    };
    all.filter(can_be).chain(MORE).collect()
}

/// Chooses damage for a sound directory.
struct Chooser<'a> {
    directory: &'a Path,
    layout: &'a Layout,
    random: ChaCha8Rng,
}

impl Case {
    /// The case of a number, in a sound directory.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub fn choose(number: u32, seed: u64, directory: &Path, layout: &Layout) -> Result<Self, String> {
        let kinds = kinds();
        let (file, kind) = kinds[number as usize % kinds.len()];
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(u64::from(number));
        let harms = Chooser { directory, layout, random }.choose(file, kind)?;
        Ok(Self { number, file, kind, harms })
    }
}

impl Chooser<'_> {
    fn choose(&mut self, file: FileKind, kind: HarmKind) -> Result<Vec<Harm>, String> {
        let name = self.file(file)?;
        let path = name.path(self.directory);
        let contents = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let length = contents.len() as u64;
        Ok(match kind {
            HarmKind::Flip => vec![self.flip(name, &contents)],
            HarmKind::FlipBoth => self.flip_both(name, &contents)?,
            HarmKind::Zero | HarmKind::Noise => vec![self.stretch(name, &contents, kind)],
            HarmKind::Truncate => vec![Harm::Resize { file: name, bytes: self.random.random_range(0..length) }],
            HarmKind::Extend => {
                let more = self.random.random_range(1..=MORE_BYTES_MAX);
                vec![Harm::Resize { file: name, bytes: length + more }]
            }
            HarmKind::Delete => vec![Harm::Delete(name)],
            HarmKind::Swap => {
                let others: Vec<_> = self.layout.files(file).into_iter().filter(|other| *other != name).collect();
                let other = others.choose(&mut self.random).ok_or("there is no file to swap with")?;
                vec![Harm::Swap(name, *other)]
            }
        })
    }

    fn is_needed(&mut self) -> bool {
        self.random.random_ratio(NEEDED_OF_TEN, 10)
    }

    /// A file of a kind, most often one that holds something.
    fn file(&mut self, kind: FileKind) -> Result<FileName, String> {
        let layout = self.layout;
        let all = layout.files(kind);
        let holds = |file: &FileName| match *file {
            FileName::Manifest(shard, slot) => layout.shards[usize::from(shard)].superblock.manifest.slot == slot,
            FileName::Ring(shard, file) => layout.shards[usize::from(shard)].ring_file(file).state != FileUse::Free,
            FileName::Identity | FileName::Superblock(..) | FileName::Segment(..) => true,
        };
        let holding: Vec<_> = all.iter().copied().filter(holds).collect();
        let from = if self.is_needed() && !holding.is_empty() { &holding } else { &all };
        from.choose(&mut self.random).copied().ok_or_else(|| format!("there is no {}", kind.name()))
    }

    /// A byte of a file, most often one that is needed.
    fn place(&mut self, file: FileName, length: u64) -> u64 {
        let shard = &self.layout.shards[usize::from(file.shard().unwrap_or(0))];
        let needed = match file {
            FileName::Manifest(..) => shard.manifest_bytes,
            FileName::Ring(_, number) => shard.ring_file(number).confirmed_bytes + 2 * UNIT_BYTES,
            FileName::Identity | FileName::Superblock(..) | FileName::Segment(..) => length,
        };
        let until = if self.is_needed() { needed.clamp(1, length) } else { length };
        self.random.random_range(0..until)
    }

    fn flip(&mut self, file: FileName, contents: &[u8]) -> Harm {
        let at = self.place(file, contents.len() as u64);
        self.flip_at(file, contents, at)
    }

    fn flip_at(&mut self, file: FileName, contents: &[u8], at: u64) -> Harm {
        let byte =
            contents[usize::try_from(at).expect("it is inside the file")] ^ (1 << self.random.random_range(0..8));
        Harm::Write { file, at, bytes: vec![byte] }
    }

    /// A bit in each of two copies, wherever these are.
    fn flip_both(&mut self, file: FileName, contents: &[u8]) -> Result<Vec<Harm>, String> {
        let (other, first, copy_bytes, second_at) = match file {
            FileName::Superblock(shard, copy) => {
                (FileName::Superblock(shard, copy.other()), file, SUPERBLOCK_BYTES as u64, 0)
            }
            FileName::Manifest(shard, _) => {
                let layout = &self.layout.shards[usize::from(shard)];
                let slot = FileName::Manifest(shard, layout.superblock.manifest.slot);
                (slot, slot, layout.manifest_bytes, layout.superblock.geometry.manifest_bytes)
            }
            _ => (file, file, IDENTITY_BYTES as u64, IDENTITY_BYTES as u64),
        };
        let read = |name: FileName| match name == file {
            true => Ok(contents.to_vec()),
            false => std::fs::read(name.path(self.directory)).map_err(|error| format!("{}: {error}", name.text())),
        };
        let (first_contents, other_contents) = (read(first)?, read(other)?);
        let (at, other_at) = (self.random.random_range(0..copy_bytes), self.random.random_range(0..copy_bytes));
        Ok(vec![self.flip_at(first, &first_contents, at), self.flip_at(other, &other_contents, second_at + other_at)])
    }

    fn stretch(&mut self, file: FileName, contents: &[u8], kind: HarmKind) -> Harm {
        let length = contents.len() as u64;
        let at = self.place(file, length);
        let most = match file {
            FileName::Ring(..) => UNIT_BYTES - at % UNIT_BYTES,
            _ => STRETCH_BYTES_MAX,
        };
        let count = self.random.random_range(1..=most.min(length - at));
        let from = usize::try_from(at).expect("it is inside the file");
        let to = from + usize::try_from(count).expect("it is inside the file");
        let mut bytes = vec![0; to - from];
        if kind == HarmKind::Noise || contents[from..to] == bytes[..] {
            self.random.fill_bytes(&mut bytes);
        }
        if contents[from..to] == bytes[..] {
            bytes[0] ^= 1;
        }
        Harm::Write { file, at, bytes }
    }
}
