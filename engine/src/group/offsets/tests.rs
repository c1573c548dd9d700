use super::*;
use crate::model::{ProducerEpoch, ProducerId, TopicId};

const BYTES: usize = 1 << 20;

fn group(text: &str) -> GroupId {
    GroupId::new(text).unwrap()
}

fn key(epoch: u16) -> TransactionKey {
    TransactionKey { producer: ProducerId(7), epoch: ProducerEpoch(epoch) }
}

fn at(index: u32, offset: u64, metadata: &str) -> GroupOffset {
    let partition = PartitionId { topic: TopicId(1), index };
    GroupOffset { partition, offset: Offset(offset), metadata: metadata.into() }
}

fn commit(of: &mut GroupOffsets, transaction: Option<TransactionKey>, offsets: Vec<GroupOffset>, time: u64) {
    let record = OffsetRecord::Committed { group: group("ledger"), transaction, offsets, time: Realtime(time) };
    of.apply(&record).unwrap();
    encoded(of);
}

fn end(of: &mut GroupOffsets, transaction: TransactionKey, outcome: TransactionOutcome) {
    of.apply(&OffsetRecord::Ended { group: group("ledger"), transaction, outcome, time: Realtime(9) }).unwrap();
    encoded(of);
}

/// Encodes, holds the size against what was counted, and decodes.
fn encoded(of: &GroupOffsets) -> Vec<u8> {
    let mut bytes = Vec::new();
    of.encode(&mut bytes);
    assert_eq!(bytes.len(), of.encoded_bytes() + 4, "as many bytes as were counted");
    assert_eq!(GroupOffsets::decode(&bytes).as_ref(), Ok(of));
    bytes
}

fn offsets(of: &GroupOffsets) -> Vec<(u32, u64, u64)> {
    let given = of.offsets(&group("ledger"), None, usize::MAX).unwrap().unwrap();
    given.iter().map(|(offset, time)| (offset.partition.index, offset.offset.0, time.0)).collect()
}

#[test]
fn the_last_commit_of_each_partition_counts() {
    let mut of = GroupOffsets::default();
    assert_eq!(of.offsets(&group("ledger"), None, 9), Ok(None));
    commit(&mut of, None, vec![at(0, 5, "a"), at(1, 6, "")], 1);
    commit(&mut of, None, vec![at(0, 4, "longer")], 2);
    assert_eq!(offsets(&of), [(0, 4, 2), (1, 6, 1)]);
    let behind = of.offsets(&group("ledger"), Some(at(0, 0, "").partition), 9).unwrap().unwrap();
    assert_eq!(behind.len(), 1);
    assert_eq!(of.offsets(&group("ledger"), None, 1).unwrap().unwrap().len(), 1);
}

#[test]
fn what_a_transaction_commits_counts_when_it_is_committed_and_not_before() {
    let mut of = GroupOffsets::default();
    commit(&mut of, None, vec![at(0, 5, "")], 1);
    commit(&mut of, Some(key(0)), vec![at(0, 8, "x")], 2);
    commit(&mut of, Some(key(0)), vec![at(1, 9, "")], 3);
    assert_eq!(of.offsets(&group("ledger"), None, 9), Err(OffsetsRefusal::Undecided(key(0))));
    assert!(of.is_open(&group("ledger"), key(0)) && !of.is_open(&group("ledger"), key(1)));
    assert_eq!(
        of.open().map(|(_, transaction, since)| (transaction, since)).collect::<Vec<_>>(),
        [(key(0), Realtime(2))]
    );
    end(&mut of, key(0), TransactionOutcome::Committed);
    assert_eq!(offsets(&of), [(0, 8, 9), (1, 9, 9)]);
    commit(&mut of, Some(key(1)), vec![at(0, 20, "y")], 2);
    end(&mut of, key(1), TransactionOutcome::Aborted);
    assert_eq!(offsets(&of), [(0, 8, 9), (1, 9, 9)]);
}

#[test]
fn an_end_comes_once_and_a_group_with_an_open_transaction_is_not_forgotten() {
    let mut of = GroupOffsets::default();
    commit(&mut of, Some(key(0)), vec![at(0, 8, "")], 2);
    assert_eq!(of.standing(&group("ledger")), Some(true));
    assert!(of.apply(&OffsetRecord::Forgotten { group: group("ledger") }).is_err());
    end(&mut of, key(0), TransactionOutcome::Aborted);
    assert_eq!((of.standing(&group("ledger")), of.group_count()), (None, 0), "nothing is left of it");
    let outcome = TransactionOutcome::Aborted;
    let again = OffsetRecord::Ended { group: group("ledger"), transaction: key(0), outcome, time: Realtime(9) };
    assert!(of.apply(&again).is_err());
    commit(&mut of, None, vec![at(0, 8, "")], 2);
    of.apply(&OffsetRecord::Forgotten { group: group("ledger") }).unwrap();
    assert_eq!(encoded(&of).len(), 4);
}

#[test]
fn there_is_room_for_so_many_bytes_also_when_a_transaction_keeps_both() {
    let mut of = GroupOffsets::default();
    let offsets = vec![at(0, 5, "abc")];
    let needed = GROUP_BYTES + 6 + PENDING_BYTES + TIME_BYTES + 25;
    let room = |of: &GroupOffsets, max| of.check_room(&group("ledger"), Some(key(0)), &offsets, max);
    assert_eq!((room(&of, needed - 1), room(&of, needed)), (Err(OffsetsRefusal::NoRoom), Ok(())));
    commit(&mut of, Some(key(0)), offsets.clone(), 1);
    assert!(of.encoded_bytes() <= needed);
    end(&mut of, key(0), TransactionOutcome::Committed);
    assert!(of.encoded_bytes() <= needed);
    assert_eq!(room(&of, BYTES), Ok(()));
    // What replaces as much takes no room, and a transaction's offsets stand beside it.
    let full = of.encoded_bytes();
    let replaces = |metadata| of.check_room(&group("ledger"), None, &[at(0, 6, metadata)], full);
    assert_eq!((replaces("xyz"), replaces("xyz!")), (Ok(()), Err(OffsetsRefusal::NoRoom)));
    assert_eq!(room(&of, full), Err(OffsetsRefusal::NoRoom));
    let twice = [at(0, 6, ""), at(0, 7, "xyz!")];
    let grown = full + TIME_BYTES + 22 + 1;
    let check = |max| of.check_room(&group("ledger"), None, &twice, max);
    assert_eq!((check(full), check(grown)), (Err(OffsetsRefusal::NoRoom), Ok(())), "a partition that comes twice");
}

#[test]
fn groups_have_these_golden_bytes() {
    let mut of = GroupOffsets::default();
    commit(&mut of, None, vec![at(2, 5, "m")], 6);
    commit(&mut of, Some(key(1)), vec![at(3, 7, "")], 8);
    let hex: String = encoded(&of).iter().map(|byte| format!("{byte:02x}")).collect();
    let golden = "01000000 0600 6c6564676572 \
                  01000000 0100000000000000 02000000 0500000000000000 0100 6d 0600000000000000 \
                  01000000 0700000000000000 0100 0800000000000000 \
                  01000000 0100000000000000 03000000 0700000000000000 0000";
    assert_eq!(hex, golden.replace(' ', ""));
    let bytes = encoded(&of);
    for length in 0..bytes.len() {
        assert!(GroupOffsets::decode(&bytes[..length]).is_err(), "cut to {length}");
    }
}
