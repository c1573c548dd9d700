//! What is stored of transactions and consumer groups: `DATA_FILE.md` says it byte by byte.

use florin_engine::format::batch::{Marker, RecordWalk};
use florin_engine::format::control::{
    ENTRY_HEADER_BYTES, EntryKind, GroupOffset, OffsetRecord, Participant, TransactionRecord,
};
use florin_engine::group::GroupOffsets;
use florin_engine::model::{
    GroupId, Offset, PartitionId, ProducerEpoch, ProducerId, Realtime, ShardId, TopicId, TransactionKey,
    TransactionOutcome, TransactionalId,
};
use florin_engine::transaction::TransactionCoordinator;

use super::{entry_of, page_tables};
use crate::tree::Table;

const TRANSACTION: TransactionKey = TransactionKey { producer: ProducerId(6), epoch: ProducerEpoch(1) };
const NEXT: TransactionKey = TransactionKey { producer: ProducerId(6), epoch: ProducerEpoch(2) };
const PARTITION: PartitionId = PartitionId { topic: TopicId(7), index: 3 };

/// What a coordinator notes, with no field zero.
pub(super) fn transaction_record(kind: EntryKind) -> TransactionRecord {
    let (transaction, time) = (TRANSACTION, Realtime(9));
    match kind {
        EntryKind::TransactionalIdOpened => {
            let name = TransactionalId::new("t").expect("a name");
            TransactionRecord::Opened { name, next: transaction, timeout_ms: 1, time }
        }
        EntryKind::TransactionJoined => {
            let participant = Participant::Group(GroupId::new("g").expect("a name"));
            TransactionRecord::Joined { transaction, participant, shard: ShardId(1), time }
        }
        EntryKind::TransactionDecided => {
            let outcome = TransactionOutcome::Committed;
            TransactionRecord::Decided { transaction, outcome, next: NEXT, time }
        }
        EntryKind::TransactionSettled => TransactionRecord::Settled { transaction },
        _ => TransactionRecord::Forgotten { producer: transaction.producer },
    }
}

/// The same of what is noted of a group.
pub(super) fn offset_record(kind: EntryKind) -> OffsetRecord {
    let transaction = TRANSACTION;
    let (group, time) = (GroupId::new("g").expect("a name"), Realtime(9));
    match kind {
        EntryKind::OffsetsCommitted => {
            let offsets = vec![GroupOffset { partition: PARTITION, offset: Offset(1), metadata: "m".into() }];
            OffsetRecord::Committed { group, transaction: Some(transaction), offsets, time }
        }
        EntryKind::OffsetsEnded => {
            OffsetRecord::Ended { group, transaction, outcome: TransactionOutcome::Committed, time }
        }
        _ => OffsetRecord::Forgotten { group },
    }
}

/// Bytes by the tables of the page: what stands in the fields of a group of rows, group after group.
struct Walk<'a> {
    tables: &'a [Table],
    bytes: &'a [u8],
    number: fn(&[u8]) -> u64,
    fields: Vec<String>,
}

impl Walk<'_> {
    /// Reads a group of the table that is called so, above it or above its fields. A text stands behind its length; where
    /// nothing else says how long a field is, other groups stand.
    fn group(&mut self, (name, group): (&str, usize)) {
        let is_it =
            |table: &&Table| table.columns.get(2).is_some_and(|field| field == name) || table.caption.starts_with(name);
        let rows = &self.tables.iter().find(is_it).unwrap_or_else(|| panic!("no table of {name}")).rows;
        let begins: Vec<_> = (0..rows.len()).filter(|index| rows[*index][0] == "0").chain([rows.len()]).collect();
        let (mut at, mut length) = (0, (String::new(), 0));
        for row in &rows[begins[group]..begins[group + 1]] {
            assert_eq!(row[0], at.to_string(), "the place of {} in {name}", row[2]);
            let is_number = row[1] != "n";
            let bytes = match row[1].parse() {
                Ok(bytes) => bytes,
                Err(_) if length.0 == format!("{} bytes", row[2]) => length.1,
                Err(_) => continue,
            };
            let (taken, rest) = self.bytes.split_at(bytes);
            (self.bytes, at) = (rest, at + bytes);
            let number = if is_number { (self.number)(taken) } else { 0 };
            length = (row[2].clone(), usize::try_from(number).unwrap_or(0));
            let text = if is_number { number.to_string() } else { String::from_utf8_lossy(taken).into_owned() };
            self.fields.push(format!("{} {text}", row[2]));
        }
    }
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

fn big_endian(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

/// Holds bytes against groups of the page's tables, of which they are nothing more.
fn assert_walked(bytes: &[u8], number: fn(&[u8]) -> u64, groups: &[(&str, usize)], expected: &str) {
    let mut walk = Walk { tables: &page_tables(), bytes, number, fields: Vec::new() };
    groups.iter().for_each(|group| walk.group(*group));
    assert_eq!(walk.fields.join(", "), expected, "{groups:?}");
    assert!(walk.bytes.is_empty(), "{} bytes are left behind {groups:?}", walk.bytes.len());
}

#[test]
fn every_body_about_transactions_and_groups_is_as_the_page_says() {
    type Case<'a> = (EntryKind, &'a [(&'a str, usize)], &'a str);
    let cases: [Case<'_>; 8] = [
        (EntryKind::TransactionalIdOpened, &[], "producer 6, epoch 1, time-out ms 1, name bytes 1, name t"),
        (
            EntryKind::TransactionJoined,
            &[("participant", 0), ("participant", 2)],
            "producer 6, epoch 1, shard 1, kind 2, name bytes 1, name g",
        ),
        (EntryKind::TransactionDecided, &[], "producer 6, epoch 1, outcome 1, next producer 6, next epoch 2"),
        (EntryKind::TransactionSettled, &[], "producer 6, epoch 1"),
        (EntryKind::TransactionalIdForgotten, &[], "producer 6"),
        (
            EntryKind::OffsetsCommitted,
            &[("`OffsetsCommitted`", 1), ("offset", 0)],
            "name bytes 1, name g, producer 6, epoch 1, offset count 1, \
             topic 7, partition 3, offset 1, metadata bytes 1, metadata m",
        ),
        (EntryKind::OffsetsEnded, &[("`OffsetsEnded`", 1)], "name bytes 1, name g, producer 6, epoch 1, outcome 1"),
        (EntryKind::GroupForgotten, &[], "name bytes 1, name g"),
    ];
    for (kind, more, expected) in cases {
        let entry = entry_of(kind);
        let mut bytes = vec![0; entry.encoded_bytes()];
        entry.encode(&mut bytes);
        let body_bytes = usize::try_from(little_endian(&bytes[4..8])).expect("it is small");
        let name = format!("`{kind:?}`");
        let groups = [&[(name.as_str(), 0)][..], more].concat();
        let body = &bytes[ENTRY_HEADER_BYTES..ENTRY_HEADER_BYTES + body_bytes];
        assert_walked(body, little_endian, &groups, expected);
    }
}

#[test]
fn what_a_manifest_holds_of_transactional_ids_and_groups_is_as_the_page_says() {
    let mut coordinator = TransactionCoordinator::default();
    let (transaction, participant) = (NEXT, Participant::Partition(PARTITION));
    let kinds = [EntryKind::TransactionalIdOpened, EntryKind::TransactionJoined, EntryKind::TransactionDecided];
    let joined = TransactionRecord::Joined { transaction, participant, shard: ShardId(0), time: Realtime(10) };
    for record in kinds.map(transaction_record).iter().chain([&joined]) {
        coordinator.apply(record).expect("one follows the other");
    }
    let mut bytes = Vec::new();
    coordinator.encode(&mut bytes);
    let (ids, over) = ("Section `Coordinator`", "Then the transactions that are decided");
    let of_ids = [0, 1, 2, 3, 4, 5, 6].map(|group| (ids, group));
    let partition = [("participant", 0), ("participant", 1)];
    let of_over = [(over, 0), (over, 1), (over, 2), ("participant", 0), ("participant", 2)];
    let expected = [
        "id count 1, name bytes 1, name t, producer 6, epoch 2, time-out ms 1, touched 10, has last 1",
        "last producer 6, last epoch 1, last outcome 1, is ongoing 1, since 10, participant count 1",
        "shard 0, kind 1, topic 7, partition 3",
        "unsettled count 1, producer 6, epoch 1, outcome 1, participant count 1",
        "shard 1, kind 2, name bytes 1, name g",
    ];
    assert_walked(&bytes, little_endian, &[&of_ids[..], &partition, &of_over].concat(), &expected.join(", "));

    let mut groups = GroupOffsets::default();
    let in_transaction = offset_record(EntryKind::OffsetsCommitted);
    let mut at_once = in_transaction.clone();
    if let OffsetRecord::Committed { transaction, .. } = &mut at_once {
        *transaction = None;
    }
    for record in [at_once, in_transaction] {
        groups.apply(&record).expect("it can be noted");
    }
    let mut bytes = Vec::new();
    groups.encode(&mut bytes);
    let of_group = |group| ("Section `Groups`", group);
    let counting = [of_group(0), of_group(1), of_group(2), ("offset", 0), of_group(4)];
    let pending = [of_group(5), of_group(6), ("offset", 0)];
    let offset = "topic 7, partition 3, offset 1, metadata bytes 1, metadata m";
    let expected = [
        "group count 1, name bytes 1, name g, offset count 1",
        offset,
        "commit time 9, transaction count 1, producer 6, epoch 1, since 9, pending count 1",
        offset,
    ];
    assert_walked(&bytes, little_endian, &[&counting[..], &pending].concat(), &expected.join(", "));
}

#[test]
fn the_key_and_the_value_of_a_marker_are_as_the_page_says() {
    let outcome = TransactionOutcome::Committed;
    let batch = Marker { transaction: TRANSACTION, outcome, first_offset: Offset(5) }.build(9);
    let record = RecordWalk::new(&batch).expect("a batch").next().expect("a record").expect("a whole one");
    let (key, value) = (record.key.expect("a key"), record.value.expect("a value"));
    assert_walked(key, big_endian, &[("key of a marker", 0)], "version 0, type 1");
    let expected = "version 0, coordinator epoch 0, first offset 5";
    assert_walked(value, big_endian, &[("value of a marker", 0)], expected);
}
