//! How far damage may reach: what the page on durability says of each kind of file, for the bytes that differ.

#![allow(clippy::disallowed_methods, reason = "files of two directories are compared as they are")]

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;

use florin_engine::format::identity::IDENTITY_BYTES;
use florin_engine::format::layout::Copy;
use florin_engine::format::superblock::{FileUse, SUPERBLOCK_BYTES};

use super::layout::{FileName, Layout, SegmentLayout, Span};

/// What may and must become of a damaged directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// Shards that must be refused. If these are all, the whole start is.
    pub refused: BTreeSet<u16>,
    /// Shards that may be refused: nothing needs the bytes, but a start looks at them.
    pub may_be_refused: BTreeSet<u16>,
    /// Offsets that cannot be read any more, unless the journal has them as well.
    pub spans: BTreeSet<Span>,
    /// What the log says of damage that is survived, each of them.
    pub notes: BTreeSet<String>,
    /// How the log calls what is refused, one of them at least.
    pub names: BTreeSet<String>,
}

/// A file before and after the damage; nothing where there is none.
struct Change {
    before: Vec<u8>,
    after: Option<Vec<u8>>,
}

impl Change {
    fn read(sound: &Path, damaged: &Path, file: FileName) -> Result<Self, String> {
        let text = |error: std::io::Error| format!("{}: {error}", file.text());
        let before = std::fs::read(file.path(sound)).map_err(text)?;
        let after = match std::fs::read(file.path(damaged)) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(text(error)),
        };
        Ok(Self { before, after })
    }

    /// Whether the file is not there, or of another size.
    fn is_resized(&self) -> bool {
        self.after.as_ref().is_none_or(|after| after.len() != self.before.len())
    }

    /// Whether a range reads as before.
    fn keeps(&self, from: u64, to: u64) -> bool {
        let range = |bytes: &[u8]| {
            let (from, to) = (usize::try_from(from).ok()?, usize::try_from(to).ok()?);
            bytes.get(from..to).map(<[u8]>::to_vec)
        };
        self.after.as_ref().is_some_and(|after| range(&self.before) == range(after))
    }

    fn is_same(&self) -> bool {
        self.after.as_ref() == Some(&self.before)
    }
}

impl Expected {
    /// For a directory in which these files are not what they are in the sound one.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn of(layout: &Layout, sound: &Path, damaged: &Path, files: &[FileName]) -> Result<Self, String> {
        let mut expected = Self::default();
        for file in files {
            let change = Change::read(sound, damaged, *file)?;
            match *file {
                FileName::Identity => expected.identity(layout, &change),
                FileName::Superblock(shard, copy) => expected.superblock(sound, damaged, shard, copy, &change)?,
                FileName::Manifest(shard, slot) => expected.manifest(layout, shard, slot, &change),
                FileName::Ring(shard, number) => expected.ring(layout, shard, number, &change),
                FileName::Segment(shard, id) => {
                    expected.segment(&layout.shards[usize::from(shard)].segments[&id], id, &change);
                }
            }
        }
        Ok(expected)
    }

    fn refuse(&mut self, shard: u16, names: &[String]) {
        self.refused.insert(shard);
        self.names.extend(names.iter().cloned());
    }

    /// Two copies in one file: one is enough.
    fn identity(&mut self, layout: &Layout, change: &Change) {
        let bytes = IDENTITY_BYTES as u64;
        if !change.keeps(0, bytes) && !change.keeps(bytes, 2 * bytes) {
            let all = u16::try_from(layout.shards.len()).unwrap_or(u16::MAX);
            (0..all).for_each(|shard| self.refuse(shard, &["identity".to_owned(), "not empty".to_owned()]));
        }
    }

    /// Two copies in two files: one is enough, but both files must be there.
    fn superblock(
        &mut self,
        sound: &Path,
        damaged: &Path,
        shard: u16,
        copy: Copy,
        change: &Change,
    ) -> Result<(), String> {
        let other = Change::read(sound, damaged, FileName::Superblock(shard, copy.other()))?;
        let bytes = SUPERBLOCK_BYTES;
        let is_usable = |after: Option<&Vec<u8>>| {
            let now = after.and_then(|after| after.get(..bytes));
            now.is_some_and(|now| [&change.before, &other.before].iter().any(|before| before.get(..bytes) == Some(now)))
        };
        let letter = if copy == Copy::A { 'a' } else { 'b' };
        if change.after.is_none() || !is_usable(change.after.as_ref()) && !is_usable(other.after.as_ref()) {
            self.refuse(shard, &["superblock".to_owned()]);
        } else if !is_usable(change.after.as_ref()) {
            self.notes.insert(format!("superblock {letter} "));
        }
        Ok(())
    }

    /// Every slot has its size; of the one in force one copy is enough, the others mean nothing.
    fn manifest(&mut self, layout: &Layout, shard: u16, slot: u8, change: &Change) {
        let layout = &layout.shards[usize::from(shard)];
        let is_in_force = layout.superblock.manifest.slot == slot;
        let kept = [0, layout.superblock.geometry.manifest_bytes]
            .into_iter()
            .filter(|at| change.keeps(*at, at + layout.manifest_bytes))
            .count();
        if change.is_resized() || is_in_force && kept == 0 {
            self.refuse(shard, &["manifest".to_owned()]);
        } else if is_in_force && kept == 1 {
            self.notes.insert("copy of the manifest".to_owned());
        }
    }

    /// Every file has its size; what the superblock vouches for must be there. Behind it, in a file that is open, a
    /// start finds what no client was told of, or what a block behind it states.
    fn ring(&mut self, layout: &Layout, shard: u16, number: u16, change: &Change) {
        let file = layout.shards[usize::from(shard)].ring_file(number);
        let names = [format!("journal file {number}"), format!("journal-{number:03}")];
        let is_needed = file.state != FileUse::Free && file.confirmed_bytes > 0;
        if change.is_resized() || is_needed && !change.keeps(0, file.confirmed_bytes) {
            self.refuse(shard, &names);
        } else if file.state == FileUse::Open && !change.is_same() {
            self.may_be_refused.insert(shard);
            self.names.extend(names);
        }
    }

    /// Only offsets, and only those that stand in the bytes.
    fn segment(&mut self, layout: &SegmentLayout, id: u64, change: &Change) {
        let length = change.after.as_ref().map_or(0, |after| after.len() as u64);
        let cut = layout.extents.iter().filter(|extent| extent.end > length);
        let broken = layout.pieces.iter().filter(|piece| !change.keeps(piece.begin, piece.end));
        let spans: BTreeSet<Span> = cut.chain(broken).map(|piece| piece.span).collect();
        if !spans.is_empty() {
            self.names.extend([format!("segment={id}"), format!("segment file {id} ")]);
        }
        self.spans.extend(spans);
    }
}
