use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::format::control::{KeyRule, KeySource, Partitioner};
use crate::format::keys::BodyHash;
use crate::io::blocking::{BlockingDisk, block_on};
use crate::key::KeyHasher;
use crate::key_run::look_up::{KeyFound, look_up};
use crate::key_run::merge::{KeyMerge, merge};
use crate::key_run::write::{KeyWriting, write_runs};
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
        let rule = KeyRule::new(KeySource::RecordKey, 7, Vec::new(), Partitioner::Murmur2).expect("a rule");
        let keying = Keying::new(Arc::new(rule), KeyHasher::new(JOURNAL_ID), (0, 1));
        Self { directory, keys: PartitionKeys::new(keying), next_offset: 0, next_segment: 1 }
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
        self.keys.append(Offset(self.next_offset), append_time, &[record]);
        self.next_offset += 1;
    }

    /// Takes everything to rest.
    fn flush(&mut self) {
        let next_offset = Offset(self.next_offset);
        let run = self.keys.unflushed(PARTITION, next_offset).map(|part| {
            let segment = SegmentId(self.next_segment);
            let runs = block_on(write_runs(&StillRuntime, self.writing(), segment, &[part]));
            runs.expect("keys are written")[0]
        });
        self.next_segment += 1;
        self.keys.at_rest(run, next_offset);
        while self.keys.forget_at_rest(3) > 0 {}
    }

    fn runs(&self) -> Vec<KeyRun> {
        self.keys.sets().iter().map(|set| set.run).collect()
    }

    /// Puts all runs together.
    fn merge(&mut self, expired_before: Option<Realtime>) {
        let runs = self.runs();
        if runs.is_empty() {
            return;
        }
        let segment = SegmentId(self.next_segment);
        self.next_segment += 1;
        let plan =
            KeyMerge { partition: PARTITION, runs: runs.clone(), segment, expired_before, leaves_out_damage: false };
        let merged = block_on(merge(&StillRuntime, self.writing(), &plan, &Cell::new(false))).expect("runs are sound");
        assert!(self.keys.merged(&runs, merged).is_some());
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
            assert!(read_count <= 3 * self.keys.all_runs().count(), "a look-up comes to an end");
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
fn a_key_is_known_from_the_moment_its_batch_is_placed() {
    let mut rig = Rig::new();
    rig.append(7);
    let pieces = KeyPieces::default();
    assert_eq!(rig.keys.look_up(key(7), None, &pieces), KeyLookUp::Known(known(0)));
    assert_eq!(rig.keys.look_up(key(8), None, &pieces), KeyLookUp::New);
}

#[test]
fn a_key_at_rest_is_found_by_three_reads_and_a_strange_one_is_denied_without_a_page() {
    let mut rig = Rig::new();
    (0..30).for_each(|number| rig.append(number));
    rig.flush();
    assert_eq!(rig.keys.recent_count(), 0);
    let mut pieces = KeyPieces::default();
    assert_eq!(rig.look_up(12, None, &mut pieces), (KeyLookUp::Known(known(12)), 3));
    assert_eq!(rig.look_up(12, None, &mut pieces), (KeyLookUp::Known(known(12)), 0));
    for number in 0..30 {
        assert_eq!(rig.look_up(number, None, &mut pieces).0, KeyLookUp::Known(known(number)));
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
    assert_eq!(rig.look_up(12, before, &mut pieces).0, KeyLookUp::Known(known(12)));
    assert_eq!(rig.look_up(5, Some(Realtime(6)), &mut pieces).0, KeyLookUp::New);
    assert_eq!(rig.look_up(6, Some(Realtime(6)), &mut pieces).0, KeyLookUp::Known(known(6)));
}

#[test]
fn a_key_that_came_again_after_it_had_expired_is_known_by_the_later_record() {
    let mut rig = Rig::new();
    rig.append(1);
    rig.append(2);
    rig.append(1);
    rig.flush();
    rig.append(2);
    rig.flush();
    let mut pieces = KeyPieces::default();
    assert_eq!(rig.look_up(1, None, &mut pieces).0, KeyLookUp::Known(known(2)));
    assert_eq!(rig.look_up(2, None, &mut pieces).0, KeyLookUp::Known(known(3)));
    rig.merge(None);
    assert_eq!(rig.runs().len(), 1);
    assert_eq!(rig.look_up(2, None, &mut KeyPieces::default()).0, KeyLookUp::Known(known(3)));
}

#[test]
fn a_key_that_nobody_can_tell_is_not_guessed() {
    let mut rig = Rig::new();
    (0..30).for_each(|number| rig.append(number));
    rig.flush();
    let run = rig.runs()[0];
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
fn what_is_damaged_in_a_run_is_asked_of_the_runs_that_it_was_made_of() {
    let mut rig = Rig::new();
    (0..20).for_each(|number| rig.append(number));
    rig.flush();
    (20..40).for_each(|number| rig.append(number));
    rig.flush();
    let old = rig.runs();
    rig.merge(None);
    assert_eq!(rig.keys.sets()[0].spares, old);
    let mut pieces = KeyPieces::default();
    let run = rig.runs()[0];
    pieces.keep(KeyPiece::Table(run), KeyFound::Table(Stored::Damaged("torn".to_owned())));
    assert_eq!(rig.look_up(7, None, &mut pieces).0, KeyLookUp::Known(known(7)));
    assert_eq!(rig.look_up(33, None, &mut pieces).0, KeyLookUp::Known(known(33)));
    assert_eq!(rig.look_up(99, None, &mut pieces).0, KeyLookUp::New);
    pieces.keep(KeyPiece::Table(old[1]), KeyFound::Table(Stored::Damaged("torn as well".to_owned())));
    assert!(matches!(rig.look_up(7, None, &mut pieces).0, KeyLookUp::Unanswerable(_)), "33 might be there");
}

#[test]
fn runs_stay_beside_the_one_that_was_made_of_them_until_that_is_put_together_again() {
    let mut rig = Rig::new();
    for number in 0..3 {
        rig.append(number);
        rig.flush();
    }
    let old = rig.runs();
    rig.merge(None);
    rig.append(3);
    rig.flush();
    let (first, second) = (rig.runs()[0], rig.runs()[1]);
    let merged = KeyRun { segment: SegmentId(50), base_offset: Offset(0), next_offset: Offset(4), ..first };
    let gone = rig.keys.merged(&[first, second], Some(merged)).expect("both are there");
    assert_eq!(gone, old, "what they were made of is not needed any more");
    assert_eq!(rig.keys.sets(), [KeyRunSet { run: merged, spares: vec![first, second] }]);
    let gone = rig.keys.merged(&[merged], None).expect("it is there");
    assert_eq!(gone, [merged, first, second], "all of it had expired");
}

#[test]
fn runs_in_which_everything_has_expired_go_with_their_spares() {
    let mut rig = Rig::new();
    (0..4).for_each(|number| rig.append(number));
    rig.flush();
    rig.merge(None);
    (4..8).for_each(|number| rig.append(number));
    rig.flush();
    assert_eq!(rig.keys.expire(Realtime(3)), []);
    assert_eq!(rig.keys.expire(Realtime(4)).len(), 2);
    assert_eq!(rig.runs().len(), 1);
}

#[test]
fn what_somebody_holds_on_to_stays() {
    let mut rig = Rig::new();
    (0..30).for_each(|number| rig.append(number));
    rig.flush();
    let mut pieces = KeyPieces::default();
    let piece = KeyPiece::Table(rig.runs()[0]);
    let held = pieces.keep(piece, KeyFound::Table(Stored::Absent));
    pieces.shrink(0);
    assert!(pieces.bytes() > 0);
    drop(held);
    pieces.shrink(0);
    assert_eq!(pieces.bytes(), 0);
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
    pieces.shrink(all - 1);
    assert!(pieces.bytes() < all && pieces.bytes() > 0);
    rig.look_up(7, None, &mut pieces);
    pieces.shrink(all / 2);
    assert!(pieces.bytes() <= all / 2 && pieces.bytes() > 0);
    assert_eq!(rig.look_up(7, None, &mut pieces).1, 0, "it was used since the others had their turn");
    pieces.forget(SegmentId(9));
    assert!(pieces.bytes() > 0);
    pieces.forget(rig.runs()[0].segment);
    assert_eq!(pieces.bytes(), 0);
    assert_eq!(rig.look_up(7, None, &mut pieces), (KeyLookUp::Known(known(7)), 3));
    pieces.shrink(0);
    assert_eq!(pieces.bytes(), 0);
}

#[test]
fn memory_goes_a_bounded_number_of_keys_at_a_time() {
    let mut rig = Rig::new();
    (0..10).for_each(|number| rig.append(number));
    rig.keys.at_rest(None, Offset(7));
    assert_eq!(rig.keys.forget_at_rest(4), 4);
    assert_eq!(rig.keys.recent_count(), 6);
    assert_eq!(rig.keys.forget_at_rest(4), 3);
    assert_eq!(rig.keys.recent_count(), 3);
}

#[test]
fn runs_that_are_no_longer_there_are_not_replaced() {
    let mut rig = Rig::new();
    rig.append(1);
    rig.flush();
    let gone = KeyRun { segment: SegmentId(9), ..rig.runs()[0] };
    assert_eq!(rig.keys.merged(&[gone], None), None);
    assert_eq!(rig.keys.merged(&[], None), None);
    assert_eq!(rig.keys.merged(&[rig.runs()[0], gone], None), None);
    assert_eq!(rig.runs().len(), 1);
}

#[test]
fn spares_that_were_put_together_become_one_and_what_they_are_spares_of_stays() {
    let mut rig = Rig::new();
    for number in 0..3 {
        rig.append(number);
        rig.flush();
    }
    let old = rig.runs();
    let whole = KeyRun { segment: SegmentId(20), entry_count: 3, ..old[0] };
    assert_eq!(rig.keys.merged(&old, Some(whole)), Some(Vec::new()), "they are its spares");
    let spare = KeyRun { segment: SegmentId(21), ..whole };
    assert_eq!(rig.keys.merged(&old, Some(spare)), Some(old.clone()));
    assert_eq!(rig.keys.sets(), [KeyRunSet { run: whole, spares: vec![spare] }]);
    assert_eq!(rig.keys.merged(&old, None), None, "they are gone");
    assert_eq!(rig.keys.merged(&[spare], None), Some(vec![spare]), "all of them had expired");
    assert_eq!(rig.keys.sets(), [KeyRunSet { run: whole, spares: Vec::new() }]);
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
                KeyLookUp::Known(known) => Some(known),
                other => panic!("{other:?}"),
            };
            let expected = model.get(&number).copied().filter(|offset| *offset >= before.0).map(known);
            prop_assert_eq!(found, expected, "payment {}", number);
        }
    }
}
