use proptest::prelude::*;

use super::*;

fn set(ids: &[u64]) -> BTreeSet<SegmentId> {
    ids.iter().copied().map(SegmentId).collect()
}

/// A table with so many written files of one run each, all named by a superblock.
fn table(count: u64) -> SegmentTable {
    let mut table = SegmentTable::default();
    for _ in 0..count {
        let segment = table.allocate();
        table.written(segment, Position(4096), 0);
        table.add_run(segment);
    }
    let all: BTreeSet<_> = table.files().map(|(id, _)| id).collect();
    table.naming(&all);
    table.named(&all, table.next_id());
    table
}

#[test]
fn ids_are_never_given_twice_also_not_after_files_of_unknown_origin_were_found() {
    let mut table = SegmentTable::default();
    assert_eq!((table.allocate(), table.allocate()), (SegmentId(1), SegmentId(2)));
    table.skip_past(SegmentId(9));
    table.skip_past(SegmentId(4));
    assert_eq!(table.allocate(), SegmentId(10));
}

#[test]
fn a_file_is_let_go_only_when_nobody_needs_it_and_no_superblock_names_it() {
    let mut table = table(2);
    assert!(table.take_unneeded(&set(&[])).is_empty());
    table.pin(SegmentId(1));
    table.drop_run(SegmentId(1));
    assert!(table.wants_checkpoint(), "a superblock copy names it still");
    assert!(table.take_unneeded(&set(&[])).is_empty());
    table.named(&set(&[2]), SegmentId(3));
    assert!(!table.wants_checkpoint());
    assert!(table.take_unneeded(&set(&[])).is_empty(), "a read needs it");
    table.unpin(SegmentId(1));
    assert!(table.take_unneeded(&set(&[1])).is_empty(), "it is being written");
    assert_eq!(table.take_unneeded(&set(&[])), [SegmentId(1)]);
    assert_eq!(table.len(), 1);
}

#[test]
fn a_checkpoint_says_nothing_of_files_that_did_not_exist_when_it_was_made() {
    let mut table = table(1);
    let next = table.next_id();
    let later = table.allocate();
    table.add_run(later);
    table.naming(&set(&[1, later.0]));
    table.named(&set(&[1]), next);
    table.drop_run(later);
    assert!(table.take_unneeded(&set(&[])).is_empty(), "the checkpoint after it may name it");
}

#[test]
fn a_file_that_was_never_named_goes_at_once() {
    let mut table = SegmentTable::default();
    let segment = table.allocate();
    assert_eq!(table.take_unneeded(&set(&[])), [segment]);
}

#[test]
fn files_with_runs_survive_their_encoding() {
    let mut table = table(3);
    table.written(SegmentId(2), Position(8192), 4096);
    table.close(SegmentId(3));
    let mut bytes = Vec::new();
    table.encode(&set(&[2, 3]), &mut bytes);
    assert_eq!(bytes.len(), 12 + 2 * SegmentTable::FILE_BYTES);
    let read = SegmentTable::decode(&bytes).unwrap();
    assert_eq!(read.next_id(), SegmentId(4));
    assert_eq!(read.get(SegmentId(1)), None);
    for segment in [SegmentId(2), SegmentId(3)] {
        assert_eq!(read.get(segment), table.get(segment));
    }
    assert_eq!(read.get(SegmentId(2)).unwrap().state, SegmentState::Sealed);
}

#[test]
fn bytes_that_cannot_be_a_table_are_refused() {
    let mut bytes = Vec::new();
    table(2).encode(&set(&[1, 2]), &mut bytes);
    for cut in 0..bytes.len() {
        assert!(SegmentTable::decode(&bytes[..cut]).is_err(), "{cut} bytes");
    }
    let with = |at: usize, value: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = value;
        SegmentTable::decode(&bytes)
    };
    assert!(with(0, 2).is_err(), "a file with an id that was never given");
    assert!(with(12, 2).is_err(), "the same file twice");
    assert!(with(12 + 20, 9).is_err(), "no such state");
    assert!(with(12 + 20, 2).is_err(), "sealed without an index");
    assert!(SegmentTable::decode(&[bytes.clone(), vec![0]].concat()).is_err());
}

#[test]
fn a_table_whose_numbers_would_overflow_is_refused() {
    let read = |next: SegmentId, ends: &[u64]| {
        let mut table = SegmentTable::default();
        for end in ends {
            let segment = table.allocate();
            table.written(segment, Position(*end), 0);
        }
        table.next = next;
        SegmentTable::decode(&encoded(&table))
    };
    let most = i64::MAX.cast_unsigned();
    assert!(read(SegmentId::MAX, &[most - 1, 1]).is_ok());
    assert_eq!(read(SegmentId::MAX, &[most, 1]).err(), Some(SegmentTableError::File(SegmentId(2))));
    assert_eq!(read(SegmentId::MAX, &[u64::MAX]).err(), Some(SegmentTableError::File(SegmentId(1))));
    let next = SegmentId::MAX.next();
    assert_eq!(read(next, &[]).err(), Some(SegmentTableError::Next(next)));
}

#[test]
#[should_panic(expected = "segment files only grow")]
fn a_sealed_file_that_grows_is_a_broken_invariant() {
    let mut table = table(1);
    table.written(SegmentId(1), Position(8192), 4096);
    table.written(SegmentId(1), Position(12288), 0);
}

fn encoded(table: &SegmentTable) -> Vec<u8> {
    let mut bytes = Vec::new();
    table.encode(&table.files.keys().copied().collect(), &mut bytes);
    bytes
}

/// A table of written files, in every state, with ids that were given to files that are gone between them.
fn any_table() -> impl Strategy<Value = SegmentTable> {
    let file = (1..1000_u64, 0..1_u64 << 50, 0..3_u8, 1..=u32::MAX);
    (prop::collection::vec(file, 0..20), 0..5_u64).prop_map(|(files, more)| {
        let mut table = SegmentTable::default();
        for (step, end, state, index_bytes) in files {
            table.skip_past(SegmentId(table.next_id().0 + step));
            let segment = table.allocate();
            table.written(segment, Position(end), if state == 0 { index_bytes } else { 0 });
            if state == 1 {
                table.close(segment);
            }
        }
        table.skip_past(SegmentId(table.next_id().0 + more));
        table
    })
}

proptest! {
    #[test]
    fn any_table_survives_its_encoding(table in any_table()) {
        let read = SegmentTable::decode(&encoded(&table)).unwrap();
        prop_assert_eq!(read.next_id(), table.next_id());
        prop_assert!(read.all().eq(table.all()));
    }

    #[test]
    fn a_damaged_table_is_refused_or_means_exactly_its_bytes(
        table in any_table(), position in any::<prop::sample::Index>(), flip in 1u8..,
    ) {
        let mut damaged = encoded(&table);
        let position = position.index(damaged.len());
        damaged[position] ^= flip;
        if let Ok(read) = SegmentTable::decode(&damaged) {
            prop_assert_eq!(encoded(&read), damaged);
        }
    }
}
