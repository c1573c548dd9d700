use std::collections::BTreeSet;

use super::{Honesty, SECTOR_BYTES, cut};
use crate::power::image::{Contents, Image, Node, Number, PAGE_BYTES, Place, ROOT};
use crate::power::record::{Change, Record};

const FILE: Number = Number(7);
const SEEDS: u64 = 200;
const OLD: u8 = 1;
const NEW: u8 = 2;

fn place(name: &str) -> Place {
    Place { directory: ROOT, name: name.to_owned() }
}

/// A disk with one file of two pages.
fn before() -> Image {
    let mut image = Image::default();
    let mut contents = Contents::default();
    contents.write(0, &[OLD; 2 * PAGE_BYTES]);
    image.insert(FILE, Node::File(contents));
    image.enter(&place("file"), FILE);
    image
}

fn write(at: usize, bytes: usize, is_durable: bool) -> Change {
    Change::Write { file: FILE, at, bytes: vec![NEW; bytes].into(), is_durable }
}

/// A record of changes of which each is reported before the next begins.
fn recorded(changes: impl IntoIterator<Item = Change>) -> Record {
    let mut record = Record::new(before());
    for change in changes {
        let index = record.begin(change);
        record.report(index);
    }
    record
}

/// What is left of the file after a cut, for each seed.
fn left(record: &Record, events: u64) -> BTreeSet<Vec<u8>> {
    let file = |seed| cut(record, events, seed, Honesty::Honest).0.file(FILE).expect("it is there").clone();
    (0..SEEDS).map(file).map(|contents| contents.read(0, usize::MAX)).collect()
}

/// The names in the root after a cut, for each seed.
fn names(record: &Record, events: u64) -> BTreeSet<Vec<String>> {
    let root = |seed| cut(record, events, seed, Honesty::Honest).0.directory(ROOT).expect("it is there").clone();
    (0..SEEDS).map(root).map(|names| names.into_keys().collect()).collect()
}

fn page(byte: u8) -> Vec<u8> {
    vec![byte; PAGE_BYTES]
}

#[test]
fn a_durable_write_is_there_after_every_cut_behind_its_report_and_may_be_there_before_it() {
    let record = recorded([write(0, PAGE_BYTES, true)]);
    assert_eq!(left(&record, 2), [[page(NEW), page(OLD)].concat()].into());
    assert_eq!(left(&record, 0), [[page(OLD), page(OLD)].concat()].into());
    let in_flight = left(&record, 1);
    assert!(in_flight.contains(&[page(NEW), page(OLD)].concat()));
    assert!(in_flight.contains(&[page(OLD), page(OLD)].concat()));
    assert!(in_flight.len() > 10, "it tears: {}", in_flight.len());
    for file in in_flight {
        assert_eq!(file[PAGE_BYTES..], page(OLD), "nothing outside of the write changes");
        let whole = file.chunks(SECTOR_BYTES).all(|sector| sector.iter().all(|byte| *byte == sector[0]));
        assert!(whole, "sectors are whole");
    }
}

#[test]
fn a_write_that_is_not_durable_becomes_so_by_a_sync_that_begins_behind_its_report() {
    let record = recorded([write(0, PAGE_BYTES, false), Change::Sync(FILE)]);
    assert!(left(&record, 2).len() > 10);
    assert!(left(&record, 3).len() > 10, "the sync is not reported yet");
    assert_eq!(left(&record, 4), [[page(NEW), page(OLD)].concat()].into());

    let mut record = Record::new(before());
    let written = record.begin(write(0, PAGE_BYTES, false));
    let synced = record.begin(Change::Sync(FILE));
    record.report(written);
    record.report(synced);
    assert!(left(&record, 4).len() > 10, "the sync began before the write was reported");
}

#[test]
fn an_older_write_that_was_not_durable_never_replaces_a_later_durable_one() {
    let mut record = Record::new(before());
    let volatile = record.begin(Change::Write { file: FILE, at: 0, bytes: page(9).into(), is_durable: false });
    record.report(volatile);
    let durable = record.begin(write(0, PAGE_BYTES, true));
    record.report(durable);
    assert_eq!(left(&record, 4), [[page(NEW), page(OLD)].concat()].into());
}

#[test]
fn names_are_there_for_sure_once_their_directory_is_synced() {
    let made = Number(8);
    let changes = [
        Change::MakeFile(place("new"), made),
        Change::Rename { from: place("new"), to: place("newer"), file: made },
        Change::Remove(place("file"), FILE),
        Change::SyncDirectory(ROOT),
    ];
    let record = recorded(changes);
    let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(names(&record, 0), [named(&["file"])].into());
    assert_eq!(names(&record, 2), [named(&["file"]), named(&["file", "new"])].into());
    let all: BTreeSet<_> =
        [&["file"][..], &[], &["file", "new"], &["file", "newer"], &["new"], &["newer"]].map(named).into();
    assert_eq!(names(&record, 6), all, "each change comes about or not, and no file has two names");
    assert_eq!(names(&record, 8), [named(&["newer"])].into());
}

#[test]
fn a_disk_that_lies_loses_its_last_durable_writes_and_no_others() {
    let record = recorded([write(0, PAGE_BYTES, true), write(PAGE_BYTES, PAGE_BYTES, true)]);
    let (image, tally) = cut(&record, 4, 1, Honesty::LosesLast(1));
    assert_eq!(image.file(FILE).expect("it is there").read(0, usize::MAX), [page(NEW), page(OLD)].concat());
    assert_eq!((tally.durable, tally.lost), (1, 1));
}

#[test]
fn the_same_seed_leaves_the_same() {
    let record = recorded([write(0, PAGE_BYTES, false), write(PAGE_BYTES, PAGE_BYTES, false)]);
    let read = |seed| cut(&record, 3, seed, Honesty::Honest).0.file(FILE).expect("it is there").read(0, usize::MAX);
    assert!((0..SEEDS).all(|seed| read(seed) == read(seed)));
}
