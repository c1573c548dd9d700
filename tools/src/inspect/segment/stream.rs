//! The extents of a segment file, one after the other, so that no more than one is in memory.

use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::io;

use florin_engine::format::extent::{ExtentHead, examine};
use florin_engine::io::blocking::{BlockingFile, block_on};
use florin_engine::model::{Position, SegmentId};
use serde::ser::{Error, SerializeSeq};
use serde::{Serialize, Serializer};

use super::extents::{ExtentView, Level, lost_words};
use super::known::Known;
use super::walk::{FileWalk, Item, read_bytes};

/// The extents of a file, read when they are shown.
pub(super) struct Extents<'a> {
    walk: RefCell<FileWalk<'a, BlockingFile>>,
    source: &'a Source,
    level: Level,
    is_unreadable: Cell<bool>,
}

/// A file and what is known of it.
pub(super) struct Source {
    pub(super) known: Known,
    pub(super) segment: SegmentId,
    pub(super) file: BlockingFile,
    pub(super) end: Position,
}

impl Source {
    /// Its extents, to be shown once.
    pub(super) fn extents(&self, level: Level) -> Extents<'_> {
        let Self { known, segment, file, end } = self;
        let is_named = known.file(*segment).is_some();
        let walk = FileWalk::new(file, known.name(*segment), known.runs(*segment), *end, is_named);
        Extents { walk: RefCell::new(walk), source: self, level, is_unreadable: Cell::new(false) }
    }

    /// An extent whose header is right, as it is shown; whether all of it was read.
    fn view(&self, position: Position, head: &ExtentHead, level: Level) -> (ExtentView, bool) {
        let run = self.known.run_at(self.segment, position);
        match block_on(read_bytes(&self.file, position, u64::from(head.extent_bytes))) {
            Ok(bytes) => {
                let found = examine(&bytes, &self.known.name(self.segment).at(position));
                (ExtentView::of(position, &found, run, Vec::new(), level), true)
            }
            Err(why) => (ExtentView::unread(position, head, run, &why), false),
        }
    }
}

impl Extents<'_> {
    /// Whether the disk did not give some of those that were shown.
    pub(super) fn is_unreadable(&self) -> bool {
        self.is_unreadable.get()
    }

    /// Reads all of them and hands over the text of each, and of what stands between them.
    pub(super) fn each(&self, mut put: impl FnMut(&str) -> io::Result<()>) -> io::Result<()> {
        let mut walk = self.walk.borrow_mut();
        while let Some(item) = block_on(walk.next()) {
            let mut text = String::new();
            match item {
                Item::Extent { position, head } => self.view(position, &head).render(&mut text),
                Item::Index { position, index_bytes } => {
                    let _ = writeln!(text, "    at byte {position}: index of {index_bytes} bytes");
                }
                Item::Gap(gap) => {
                    self.is_unreadable.set(self.is_unreadable.get() || gap.is_unreadable);
                    let (at, bytes, lost) = (gap.position, gap.bytes, lost_words(&gap.lost));
                    let _ = writeln!(text, "    at byte {at}: {bytes} bytes, DAMAGED: {}{lost}", gap.why);
                }
            }
            put(&text)?;
        }
        Ok(())
    }

    fn view(&self, position: Position, head: &ExtentHead) -> ExtentView {
        let (view, is_read) = self.source.view(position, head, self.level);
        self.is_unreadable.set(self.is_unreadable.get() || !is_read);
        view
    }
}

impl Serialize for Extents<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut walk = self.walk.try_borrow_mut().map_err(S::Error::custom)?;
        let mut list = serializer.serialize_seq(None)?;
        while let Some(item) = block_on(walk.next()) {
            match item {
                Item::Extent { position, head } => list.serialize_element(&self.view(position, &head))?,
                // These are in the list of what is damaged, and the index is a field.
                Item::Index { .. } | Item::Gap(_) => {}
            }
        }
        list.end()
    }
}

impl std::fmt::Debug for Extents<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Extents").field("level", &self.level).finish_non_exhaustive()
    }
}
