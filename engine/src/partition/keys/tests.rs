use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::io::blocking::{BlockingDisk, block_on};
use crate::key_run::look_up::{KeyFound, look_up};
use crate::key_run::merge::{KeyMerge, merge};
use crate::key_run::write::{KeyPart, KeyWriting, write_runs};
use crate::model::SegmentId;
use crate::segment::index::FileName;
use crate::segment::tests::{JOURNAL_ID, PARTITION, SHARD, StillRuntime};

/// A partition with its files.
struct Rig {
    directory: tempfile::TempDir,
    keys: PartitionKeys,
    next_offset: u64,
    next_segment: u64,
}

impl Rig {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { directory, keys: PartitionKeys::default(), next_offset: 0, next_segment: 1 }
    }

    fn writing(&self) -> KeyWriting<'_> {
        KeyWriting {
            directory: self.directory.path(),
            journal_id: JOURNAL_ID,
            shard: SHARD,
            section_entry_count_max: 5,
            unsynced_bytes_max: 8192,
            rest_factor: 0,
        }
    }

    /// Places payment `number`; its body and append time tell its offset.
    fn append(&mut self, number: u64) {
        let record = RecordKey { key: key(number), body: BodyHash(self.next_offset.into()) };
        let append_time = Realtime(self.next_offset);
        self.keys.append(Offset(self.next_offset), append_time, Sequence(self.next_offset), &[record]);
        self.next_offset += 1;
    }

    /// Takes everything to rest.
    fn flush(&mut self) {
        let (base_offset, next_offset) = (self.keys.rest_offset(), Offset(self.next_offset));
        let entries = self.keys.unflushed(next_offset);
        let run = (!entries.is_empty()).then(|| {
            let part = KeyPart { partition: PARTITION, base_offset, next_offset, entries };
            let segment = SegmentId(self.next_segment);
            let runs = block_on(write_runs(&StillRuntime, self.writing(), segment, vec![part]));
            runs.expect("keys are written")[0]
        });
        self.next_segment += 1;
        self.keys.at_rest(run, next_offset);
        while self.keys.forget_at_rest(3) {}
    }

    /// Puts all runs together.
    fn merge(&mut self, expired_before: Option<Realtime>) {
        let runs = self.keys.runs().to_vec();
        if runs.is_empty() {
            return;
        }
        let segment = SegmentId(self.next_segment);
        self.next_segment += 1;
        let plan = KeyMerge { partition: PARTITION, runs: runs.clone(), segment, expired_before };
        let merged = block_on(merge(&StillRuntime, self.writing(), &plan)).expect("runs are sound");
        assert!(self.keys.merged(&runs, merged));
    }

    /// Reads whatever a look-up needs, and how many pieces that were.
    fn look_up(&self, number: u64, expired_before: Option<Realtime>, pieces: &mut KeyPieces) -> (KeyLookUp, usize) {
        let mut read_count = 0;
        loop {
            let KeyLookUp::Needs(piece) = self.keys.look_up(key(number), expired_before, pieces) else {
                return (self.keys.look_up(key(number), expired_before, pieces), read_count);
            };
            read(pieces, self.directory.path(), piece);
            read_count += 1;
            assert!(read_count <= 3 * self.keys.runs().len(), "a look-up comes to an end");
        }
    }
}

fn read(pieces: &mut KeyPieces, directory: &Path, piece: KeyPiece) {
    let name = FileName { journal_id: JOURNAL_ID, shard: SHARD, segment: piece.segment() };
    let found = block_on(look_up(&BlockingDisk, directory, name, &[piece])).pop().expect("one was asked for");
    pieces.keep(piece, found);
}

fn key(number: u64) -> KeyHash {
    let mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    KeyHash(u128::from(mixed) << 64 | u128::from(number))
}

fn known(offset: u64) -> Known {
    Known { body: BodyHash(offset.into()), offset: Offset(offset), append_time: Realtime(offset) }
}

#[test]
fn a_key_is_known_from_the_moment_its_batch_is_placed_with_the_block_that_holds_it() {
    let mut rig = Rig::new();
    rig.append(7);
    let pieces = KeyPieces::default();
    assert_eq!(rig.keys.look_up(key(7), None, &pieces), KeyLookUp::Recent(known(0), Sequence(0)));
    assert_eq!(rig.keys.look_up(key(8), None, &pieces), KeyLookUp::New);
}

#[test]
fn a_key_at_rest_is_found_by_three_reads_and_a_strange_one_is_denied_without_a_page() {
    let mut rig = Rig::new();
    (0..30).for_each(|number| rig.append(number));
    rig.flush();
    assert_eq!(rig.keys.recent_count(), 0);
    let mut pieces = KeyPieces::default();
    assert_eq!(rig.look_up(12, None, &mut pieces), (KeyLookUp::AtRest(known(12)), 3));
    assert_eq!(rig.look_up(12, None, &mut pieces), (KeyLookUp::AtRest(known(12)), 0));
    for number in 0..30 {
        assert_eq!(rig.look_up(number, None, &mut pieces).0, KeyLookUp::AtRest(known(number)));
    }
    let read: usize = (30..130).map(|number| rig.look_up(number, None, &mut pieces).1).sum();
    assert_eq!(read, 0, "filters in memory deny them");
}

#[test]
fn what_has_expired_is_new_also_if_it_stands_in_a_run_or_in_memory() {
    let mut rig = Rig::new();
    (0..10).for_each(|number| rig.append(number));
    rig.flush();
    (10..15).for_each(|number| rig.append(number));
    let before = Some(Realtime(12));
    let mut pieces = KeyPieces::default();
    assert_eq!(rig.look_up(5, before, &mut pieces), (KeyLookUp::New, 0), "the whole run has expired");
    assert_eq!(rig.look_up(11, before, &mut pieces).0, KeyLookUp::New);
    assert_eq!(rig.look_up(12, before, &mut pieces).0, KeyLookUp::Recent(known(12), Sequence(12)));
    assert_eq!(rig.look_up(5, Some(Realtime(6)), &mut pieces).0, KeyLookUp::New);
    assert_eq!(rig.look_up(6, Some(Realtime(6)), &mut pieces).0, KeyLookUp::AtRest(known(6)));
}

#[test]
fn a_key_that_came_again_after_it_had_expired_is_known_by_the_later_record() {
    let mut rig = Rig::new();
    rig.append(1);
    rig.append(2);
    rig.append(1);
    assert_eq!(rig.keys.unflushed(Offset(2)).len(), 1, "memory knows the later one");
    rig.flush();
    rig.append(2);
    rig.flush();
    let mut pieces = KeyPieces::default();
    assert_eq!(rig.look_up(1, None, &mut pieces).0, KeyLookUp::AtRest(known(2)));
    assert_eq!(rig.look_up(2, None, &mut pieces).0, KeyLookUp::AtRest(known(3)));
    rig.merge(None);
    assert_eq!(rig.keys.runs().len(), 1);
    assert_eq!(rig.look_up(2, None, &mut KeyPieces::default()).0, KeyLookUp::AtRest(known(3)));
}

#[test]
fn a_key_that_nobody_can_tell_is_not_guessed() {
    let mut rig = Rig::new();
    (0..30).for_each(|number| rig.append(number));
    rig.flush();
    let run = rig.keys.runs()[0];
    let mut pieces = KeyPieces::default();
    rig.look_up(12, None, &mut pieces);
    let section = match rig.keys.look_up(key(12), None, &first_two(&rig, 12)) {
        KeyLookUp::Needs(page) => page,
        other => panic!("{other:?}"),
    };
    pieces.keep(section, KeyFound::Page(Stored::Damaged("torn".to_owned())));
    let KeyLookUp::Unanswerable(what) = rig.keys.look_up(key(12), None, &pieces) else { panic!("a guess") };
    assert!(what.starts_with("keys in segment 1, at byte ") && what.ends_with(": damaged: torn"), "{what}");
    let mut pieces = KeyPieces::default();
    let KeyLookUp::Needs(table) = rig.keys.look_up(key(12), None, &pieces) else { panic!("nothing was read") };
    read(&mut pieces, rig.directory.path(), table);
    let KeyLookUp::Needs(section) = rig.keys.look_up(key(12), None, &pieces) else { panic!("only a table was read") };
    pieces.keep(section, KeyFound::Section(Stored::Absent));
    assert!(matches!(rig.keys.look_up(key(12), None, &pieces), KeyLookUp::Unanswerable(_)));
    pieces.keep(KeyPiece::Table(run), KeyFound::Table(Stored::Damaged("torn".to_owned())));
    assert!(matches!(rig.keys.look_up(key(99), None, &pieces), KeyLookUp::Unanswerable(_)));
    assert_eq!(rig.keys.look_up(key(99), Some(Realtime(30)), &pieces), KeyLookUp::New, "all of it has expired");
}

/// What a look-up reads before it reads a page.
fn first_two(rig: &Rig, number: u64) -> KeyPieces {
    let mut pieces = KeyPieces::default();
    for _ in 0..2 {
        let KeyLookUp::Needs(piece) = rig.keys.look_up(key(number), None, &pieces) else { panic!("nothing to read") };
        read(&mut pieces, rig.directory.path(), piece);
    }
    pieces
}

#[test]
fn what_was_read_is_let_go_when_there_is_too_much_or_its_file_is_gone_and_is_read_again() {
    let mut rig = Rig::new();
    (0..30).for_each(|number| rig.append(number));
    rig.flush();
    let mut pieces = KeyPieces::default();
    for number in 0..30 {
        rig.look_up(number, None, &mut pieces);
    }
    let all = pieces.bytes();
    assert_eq!(rig.look_up(7, None, &mut pieces).1, 0);
    pieces.shrink(all / 2);
    assert!(pieces.bytes() <= all / 2 && pieces.bytes() > 0);
    assert_eq!(rig.look_up(7, None, &mut pieces).1, 0, "it was used last");
    pieces.forget(SegmentId(9));
    assert!(pieces.bytes() > 0);
    pieces.forget(rig.keys.runs()[0].segment);
    assert_eq!(pieces.bytes(), 0);
    assert_eq!(rig.look_up(7, None, &mut pieces), (KeyLookUp::AtRest(known(7)), 3));
    pieces.shrink(0);
    assert_eq!(pieces.bytes(), 0);
}

#[test]
fn memory_goes_a_bounded_number_of_keys_at_a_time() {
    let mut rig = Rig::new();
    (0..10).for_each(|number| rig.append(number));
    rig.keys.at_rest(None, Offset(7));
    assert!(rig.keys.forget_at_rest(4));
    assert_eq!(rig.keys.recent_count(), 6);
    assert!(!rig.keys.forget_at_rest(4));
    assert_eq!(rig.keys.recent_count(), 3);
}

#[test]
fn runs_that_are_no_longer_there_are_not_replaced() {
    let mut rig = Rig::new();
    rig.append(1);
    rig.flush();
    let gone = KeyRun { segment: SegmentId(9), ..rig.keys.runs()[0] };
    assert!(!rig.keys.merged(&[gone], None));
    assert!(!rig.keys.merged(&[], None));
    assert_eq!(rig.keys.runs().len(), 1);
}

#[derive(Clone, Debug)]
enum Step {
    Append(u64),
    Flush,
    Merge,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![20 => (0_u64..60).prop_map(Step::Append), 2 => Just(Step::Flush), 1 => Just(Step::Merge)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_is_written_and_put_together_a_key_is_known_by_what_came_last_within_the_window(
        steps in prop::collection::vec(any_step(), 1..150), window in 1_u64..100,
    ) {
        let mut rig = Rig::new();
        let mut model: BTreeMap<u64, u64> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Append(number) => {
                    model.insert(number, rig.next_offset);
                    rig.append(number);
                }
                Step::Flush => rig.flush(),
                Step::Merge => {
                    let before = rig.next_offset.saturating_sub(window);
                    rig.merge(Some(Realtime(before)));
                }
            }
        }
        let before = Realtime(rig.next_offset.saturating_sub(window));
        let mut pieces = KeyPieces::default();
        for number in 0..60 {
            let found = match rig.look_up(number, Some(before), &mut pieces).0 {
                KeyLookUp::New => None,
                KeyLookUp::Recent(known, sequence) => {
                    prop_assert_eq!(sequence.0, known.offset.0);
                    Some(known)
                }
                KeyLookUp::AtRest(known) => Some(known),
                other => panic!("{other:?}"),
            };
            let expected = model.get(&number).copied().filter(|offset| *offset >= before.0).map(known);
            prop_assert_eq!(found, expected, "payment {}", number);
        }
    }
}
