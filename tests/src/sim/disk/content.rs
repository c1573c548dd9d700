//! A file as processes see it and as it would be after a power loss, and writes on their way between the two.

use std::ops::Range;
use std::rc::Rc;

use florin_engine::io::UNIT_BYTES;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::counters::Landing;
use super::image::{Image, Page, index};
use super::names::SharedContent;

/// The unit in which a device writes: smaller than [`UNIT_BYTES`], so units tear.
pub const SECTOR_BYTES: usize = 512;
const SECTORS_PER_UNIT: usize = UNIT_BYTES / SECTOR_BYTES;

#[derive(Debug)]
pub(super) struct Content {
    /// What reads see.
    pub(super) current: Image,
    /// What a power loss leaves, apart from what may land of the writes still on their way.
    pub(super) durable: Image,
    /// Bytes whose reads fail until they are written again.
    pub(super) unreadable: Vec<Range<u64>>,
}

/// A write that is not durable yet: in flight, or completed and volatile.
#[derive(Clone, Debug)]
pub(super) struct Write {
    pub(super) file: SharedContent,
    pub(super) first: usize,
    /// `None` where a later durable write has replaced it.
    pub(super) pages: Vec<Option<Page>>,
}

/// How much of a write lands when nobody is told.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tearing {
    /// Sectors land: a power loss.
    Sectors,
    /// Units land: the process ended between two parts of a write.
    Units,
}

impl Content {
    /// A preallocated file of which nothing is durable, not even the size.
    pub(super) fn preallocated(size_bytes: u64) -> Self {
        Self { current: Image::zeroed(size_bytes), durable: Image::zeroed(0), unreadable: Vec::new() }
    }

    pub(super) fn from_durable(image: &Image) -> Self {
        Self { current: image.clone(), durable: image.clone(), unreadable: Vec::new() }
    }

    /// After a power loss the file is what was durable of it; a size that was not synced is old, new or in between.
    pub(super) fn power_loss(&mut self, random: &mut ChaCha8Rng) {
        let (old_bytes, new_bytes) = (self.durable.size_bytes(), self.current.size_bytes());
        if new_bytes > old_bytes {
            let unit_count = (new_bytes - old_bytes) / UNIT_BYTES as u64;
            let size_bytes = match random.random_range(0..3) {
                0 => old_bytes,
                1 => new_bytes,
                _ => old_bytes + random.random_range(0..=unit_count) * UNIT_BYTES as u64,
            };
            self.durable.extend(size_bytes);
        }
        self.durable.resize(self.durable.size_bytes());
        self.current = self.durable.clone();
    }
}

impl Write {
    pub(super) fn new(file: SharedContent, position: u64, bytes: &[u8]) -> Self {
        assert!(position.is_multiple_of(UNIT_BYTES as u64) && bytes.len().is_multiple_of(UNIT_BYTES));
        let pages = bytes.chunks(UNIT_BYTES).map(|unit| Some(Page::from(unit))).collect();
        Self { file, first: index(position / UNIT_BYTES as u64), pages }
    }

    pub(super) fn is_of(&self, file: &SharedContent) -> bool {
        Rc::ptr_eq(&self.file, file)
    }

    pub(super) fn bytes(&self) -> Range<u64> {
        let unit = |number: usize| number as u64 * UNIT_BYTES as u64;
        unit(self.first)..unit(self.first + self.pages.len())
    }

    /// The whole write becomes what reads see.
    pub(super) fn land_in_current(&self) {
        let mut file = self.file.borrow_mut();
        let bytes = self.bytes();
        if !file.unreadable.is_empty() {
            file.unreadable.retain(|bad| !(bytes.start <= bad.start && bad.end <= bytes.end));
        }
        file.current.extend(bytes.end);
        self.put_into(&mut file.current);
    }

    /// The whole write becomes durable; its file's size does not by this alone.
    pub(super) fn land_in_durable(&self) {
        self.put_into(&mut self.file.borrow_mut().durable);
    }

    /// Forgets what `later`, which is durable, has replaced.
    pub(super) fn give_way_to(&mut self, later: &Write) {
        if !self.is_of(&later.file) {
            return;
        }
        let start = later.first.max(self.first);
        let end = (later.first + later.pages.len()).min(self.first + self.pages.len());
        for number in start..end {
            self.pages[number - self.first] = None;
        }
    }

    /// The write with only its first `bytes`, a multiple of the sector; the rest is as reads see it now.
    pub(super) fn shortened(&self, bytes: usize) -> Self {
        let unit_count = bytes.div_ceil(UNIT_BYTES);
        let mut short = Self { pages: self.pages[..unit_count].to_vec(), ..self.clone() };
        let kept_sectors = bytes % UNIT_BYTES / SECTOR_BYTES;
        if kept_sectors > 0 {
            let mask = (1u8 << kept_sectors) - 1;
            short.tear_page(unit_count - 1, mask, &self.file.borrow().current);
        }
        short
    }

    /// Decides what is left of the write, given that it lands on `base`, and leaves only that in it.
    pub(super) fn tear(&mut self, tearing: Tearing, base: Base, random: &mut ChaCha8Rng) -> Landing {
        match random.random_range(0..4) {
            0 => {
                self.pages.fill(None);
                Landing::Absent
            }
            1 => Landing::Present,
            _ => {
                let grain = match tearing {
                    Tearing::Sectors => [1, SECTORS_PER_UNIT][random.random_range(0..2)],
                    Tearing::Units => SECTORS_PER_UNIT,
                };
                self.tear_into(grain, base, random);
                Landing::Torn
            }
        }
    }

    /// Leaves a prefix, a suffix or any subset, in grains of so many sectors.
    fn tear_into(&mut self, grain_sectors: usize, base: Base, random: &mut ChaCha8Rng) {
        let grain_count = self.pages.len() * SECTORS_PER_UNIT / grain_sectors;
        let kind = random.random_range(0..3);
        let cut = random.random_range(0..=grain_count);
        let file = Rc::clone(&self.file);
        let file = file.borrow();
        let image = match base {
            Base::Current => &file.current,
            Base::Durable => &file.durable,
        };
        for page in 0..self.pages.len() {
            let mut mask = 0u8;
            for sector in 0..SECTORS_PER_UNIT {
                let grain = (page * SECTORS_PER_UNIT + sector) / grain_sectors;
                let starts_grain = sector % grain_sectors == 0;
                let lands = match kind {
                    0 => grain < cut,
                    1 => grain >= cut,
                    _ if starts_grain => random.random_bool(0.5),
                    _ => mask >> (sector - 1) & 1 == 1,
                };
                mask |= u8::from(lands) << sector;
            }
            self.tear_page(page, mask, image);
        }
    }

    /// Keeps the sectors of one page that are set in `mask`; the others are those of `base`.
    fn tear_page(&mut self, number: usize, mask: u8, base: &Image) {
        let Some(page) = &mut self.pages[number] else { return };
        match mask {
            0 => self.pages[number] = None,
            u8::MAX => {}
            _ => {
                let mut torn = base.page(self.first + number);
                for sector in (0..SECTORS_PER_UNIT).filter(|sector| mask >> sector & 1 == 1) {
                    let range = sector * SECTOR_BYTES..(sector + 1) * SECTOR_BYTES;
                    torn[range.clone()].copy_from_slice(&page[range]);
                }
                *page = Page::from(torn.as_slice());
            }
        }
    }

    fn put_into(&self, image: &mut Image) {
        for (number, page) in (self.first..).zip(&self.pages) {
            if let Some(page) = page {
                image.put(number, Rc::clone(page));
            }
        }
    }
}

/// What a torn write lands on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Base {
    Current,
    Durable,
}
