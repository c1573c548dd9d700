//! What a disk holds after its power was cut at a point of its record.
//!
//! What was durable by then is there. Each other change that had begun is there or not; of a write every sector may be
//! there or not. Which, is decided by a seed.

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::image::{Contents, Image, Number, ROOT};
use super::record::{Change, Entry, Record};

#[cfg(test)]
mod tests;

/// What a device writes at once.
pub const SECTOR_BYTES: usize = 512;

/// Whether the disk tells the truth about what is durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Honesty {
    /// It does.
    #[default]
    Honest,
    /// Of its durable writes that were reported last, so many are lost.
    LosesLast(usize),
}

/// What a power cut did to changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Changes that were durable, and are there.
    pub durable: u64,
    /// Writes that were under way.
    pub in_flight: u64,
    /// Writes and sizes that are gone.
    pub lost: u64,
    /// Writes and sizes that are there although nobody was told.
    pub kept: u64,
    /// Writes of which some sectors are there.
    pub torn: u64,
    /// Changes of names that are gone.
    pub names_lost: u64,
    /// Changes of names that are there although nobody was told.
    pub names_kept: u64,
}

impl Tally {
    /// Both together.
    pub fn add(&mut self, other: &Self) {
        self.durable += other.durable;
        self.in_flight += other.in_flight;
        self.lost += other.lost;
        self.kept += other.kept;
        self.torn += other.torn;
        self.names_lost += other.names_lost;
        self.names_kept += other.names_kept;
    }
}

/// How many of the changes that are not durable come about, in eighths.
const SHARES: [u32; 6] = [0, 0, 3, 4, 6, 8];

struct Cut<'a> {
    events: u64,
    random: ChaCha8Rng,
    /// The last sync of each file and directory that was reported: where it began.
    synced: BTreeMap<Number, u64>,
    /// From this event on, reports of durable writes were lies.
    lies_from: u64,
    /// Eighths of the changes that come about.
    share: u32,
    record: &'a Record,
    tally: Tally,
}

/// What is left if the power is cut after so many events.
pub fn cut(record: &Record, events: u64, seed: u64, honesty: Honesty) -> (Image, Tally) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(events);
    let share = SHARES[random.random_range(0..SHARES.len())];
    let (synced, lies_from) = (synced(record, events), lies_from(record, events, honesty));
    let cut = Cut { events, random, synced, lies_from, share, record, tally: Tally::default() };
    cut.play()
}

/// What is left at least: nothing that was not durable after so many events.
pub fn durable(record: &Record, events: u64) -> Image {
    let (random, lies_from) = (ChaCha8Rng::seed_from_u64(0), u64::MAX);
    let synced = synced(record, events);
    Cut { events, random, synced, lies_from, share: 0, record, tally: Tally::default() }.play().0
}

/// Where the last sync of each file and directory began that was reported in time.
fn synced(record: &Record, events: u64) -> BTreeMap<Number, u64> {
    let mut synced = BTreeMap::new();
    for entry in record.entries.iter().filter(|entry| entry.is_reported(events)) {
        if let Change::Sync(number) | Change::SyncDirectory(number) = entry.change {
            synced.insert(number, entry.begun);
        }
    }
    synced
}

fn lies_from(record: &Record, events: u64, honesty: Honesty) -> u64 {
    let Honesty::LosesLast(count) = honesty else { return u64::MAX };
    let durable = |entry: &&Entry| matches!(entry.change, Change::Write { is_durable: true, .. });
    let in_time = record.entries.iter().filter(durable).filter(|entry| entry.is_reported(events));
    let mut reported: Vec<u64> = in_time.filter_map(|entry| entry.reported).collect();
    reported.sort_unstable();
    reported.get(reported.len().saturating_sub(count)).copied().unwrap_or(u64::MAX)
}

impl Cut<'_> {
    fn play(mut self) -> (Image, Tally) {
        let (record, events) = (self.record, self.events);
        let mut image = record.before.clone();
        for entry in record.entries.iter().filter(|entry| entry.is_begun(events)) {
            entry.change.introduce(&mut image);
            match (&entry.change, self.is_durable(entry)) {
                (Change::Sync(_) | Change::SyncDirectory(_), _) => {}
                (change, true) => {
                    change.apply(&mut image);
                    self.tally.durable += 1;
                }
                (Change::Write { file, at, bytes, is_durable }, false) => {
                    self.tally.in_flight += u64::from(!entry.is_reported(events));
                    let is_lie = *is_durable && entry.is_reported(events);
                    let lands = if is_lie { Lands::Nothing } else { self.lands() };
                    self.write(lands, image.file_mut(*file), *at, bytes);
                }
                (change, false) => self.other(change, &mut image),
            }
        }
        debug_assert!(image.directory(ROOT).is_some());
        image.drop_unreachable();
        (image, self.tally)
    }

    fn is_durable(&self, entry: &Entry) -> bool {
        let Some(reported) = entry.reported.filter(|reported| *reported < self.events) else { return false };
        let by_itself = matches!(entry.change, Change::Write { is_durable: true, .. }) && reported < self.lies_from;
        let number = entry.change.directory().or(entry.change.file());
        let synced = number.and_then(|number| self.synced.get(&number));
        by_itself || synced.is_some_and(|synced| reported < *synced)
    }

    fn comes_about(&mut self) -> bool {
        self.random.random_ratio(self.share, 8)
    }

    fn lands(&mut self) -> Lands {
        match (self.share, self.random.random_range(0..4)) {
            (0, _) => Lands::Nothing,
            (8, _) => Lands::All,
            (_, 0 | 1) => {
                let kind = self.random.random_range(0..3);
                Lands::Sectors(kind)
            }
            _ if self.comes_about() => Lands::All,
            _ => Lands::Nothing,
        }
    }

    fn write(&mut self, lands: Lands, contents: Option<&mut Contents>, at: usize, bytes: &[u8]) {
        match lands {
            Lands::Nothing => self.tally.lost += 1,
            Lands::All => self.tally.kept += 1,
            Lands::Sectors(_) => self.tally.torn += 1,
        }
        let Some(contents) = contents else { return };
        let first = at / SECTOR_BYTES;
        let sectors = (at + bytes.len()).div_ceil(SECTOR_BYTES) - first;
        let border = self.random.random_range(0..=sectors);
        for sector in 0..sectors {
            let is_there = match lands {
                Lands::Nothing => false,
                Lands::All => true,
                Lands::Sectors(0) => sector < border,
                Lands::Sectors(1) => sector >= border,
                Lands::Sectors(_) => self.random.random_bool(0.5),
            };
            if is_there {
                let start = ((first + sector) * SECTOR_BYTES).max(at);
                let end = ((first + sector + 1) * SECTOR_BYTES).min(at + bytes.len());
                contents.write(start, &bytes[start - at..end - at]);
            }
        }
    }

    fn other(&mut self, change: &Change, image: &mut Image) {
        let comes_about = self.comes_about();
        if comes_about {
            change.apply(image);
        }
        let count = match (change, comes_about) {
            (Change::Resize { .. }, true) => &mut self.tally.kept,
            (Change::Resize { .. }, false) => &mut self.tally.lost,
            (_, true) => &mut self.tally.names_kept,
            (_, false) => &mut self.tally.names_lost,
        };
        *count += 1;
    }
}

/// How much of a write is there: all sectors, none, the first, the last, or any.
#[derive(Clone, Copy, Debug)]
enum Lands {
    Nothing,
    All,
    Sectors(u32),
}
