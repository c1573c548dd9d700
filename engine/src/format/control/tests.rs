//! Golden bytes of every kind, round trips, and refusals.

use proptest::prelude::*;

use super::topic::tests::{altered, orders};
use super::*;
use crate::format::batch::SEQUENCE_COUNT;
use crate::limits::{SHARD_COUNT_MAX, TOPIC_NAME_BYTES_MAX};
use crate::model::{GroupId, Offset, ShardId, TransactionKey, TransactionOutcome, TransactionalId};

fn encoded(entry: &Entry) -> Vec<u8> {
    // Filled with ones: whatever the encoder does not write shows.
    let mut out = vec![0xff; entry.encoded_bytes()];
    assert_eq!(entry.encode(&mut out), out.len());
    out
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn walk(payload: &[u8], entry_count: u32) -> Vec<Result<Entry, EntryError>> {
    EntryWalk::new(Bytes::copy_from_slice(payload), entry_count).collect()
}

fn only_fault(payload: &[u8]) -> EntryFault {
    let items = walk(payload, 1);
    assert_eq!(items.len(), 1, "{items:?}");
    items[0].clone().expect_err("must be refused").fault
}

fn golden() -> Vec<(Entry, &'static str)> {
    let mut all = golden_of_topics();
    all.extend(golden_of_the_rest());
    all.extend(golden_of_transactions());
    all.extend(golden_of_groups());
    all.sort_by_key(|(entry, _)| entry.kind().code());
    all
}

fn golden_of_topics() -> Vec<(Entry, &'static str)> {
    vec![
        (
            Entry::Control(Control::TopicCreating(orders())),
            "0300000033000000 0201000000000000 0000000000000000 0000000000000000 \
             0300000005000000 0100000000001000 0000001000000000 0000000000000000 0000000000000000 \
             020000000200 7061792d31 0000000000",
        ),
        (
            Entry::Control(Control::TopicLive(TopicId(9))),
            "0400000000000000 0900000000000000 0000000000000000 0000000000000000",
        ),
        (
            Entry::Control(Control::TopicDeleting(TopicId(9))),
            "0500000000000000 0900000000000000 0000000000000000 0000000000000000",
        ),
        (
            Entry::Control(Control::TopicDeleted(TopicId(9))),
            "0600000000000000 0900000000000000 0000000000000000 0000000000000000",
        ),
        (
            Entry::Control(Control::PartitionsOpened(altered())),
            "0700000035000000 0201000000000000 0000000000000000 0000000000000000 \
             0400000005000000 0200000000400000 0000100000000000 0403020100000000 0a09080706050000 \
             0200000002000100 7061792d31 000000",
        ),
        (
            Entry::Control(Control::PartitionsClosed { topic: TopicId(9), version: 0x0c }),
            "0800000008000000 0900000000000000 0000000000000000 0000000000000000 \
             0c00000000000000",
        ),
        (
            Entry::Control(Control::TopicAltering(altered())),
            "0c00000035000000 0201000000000000 0000000000000000 0000000000000000 \
             0400000005000000 0200000000400000 0000100000000000 0403020100000000 0a09080706050000 \
             0200000002000100 7061792d31 000000",
        ),
    ]
}

fn golden_of_the_rest() -> Vec<(Entry, &'static str)> {
    let partition = PartitionId { topic: TopicId(0x1122_3344_5566_7788), index: 0x99aa_bbcc };
    let small = PartitionId { topic: TopicId(5), index: 6 };
    let start = Control::EpochStart {
        epoch: Epoch(3),
        last_sequence: Sequence(0x10),
        last_chain: 0x8877_6655_4433_2211,
        boot_time: Realtime(7),
    };
    let expired = Control::ProducerExpired {
        partition: small,
        producer: ProducerId(0x0007_0000_0000_0001),
        epoch: ProducerEpoch(0x7ffe),
    };
    let batch = Entry::Batch {
        partition,
        append_time: Realtime(0x0102_0304_0506_0708),
        undecided: 0x0a0b_0c0d,
        batch: Bytes::from_static(b"abc"),
    };
    vec![
        (
            batch,
            "0100000003000000 8877665544332211 ccbbaa990d0c0b0a 0807060504030201 \
             6162630000000000",
        ),
        (
            Entry::Control(start),
            "0200000018000000 0000000000000000 0000000000000000 0700000000000000 \
             0300000000000000 1000000000000000 1122334455667788",
        ),
        (
            Entry::Control(Control::ProducerIdsReserved { up_to: 1024 }),
            "0900000008000000 0000000000000000 0000000000000000 0000000000000000 \
             0004000000000000",
        ),
        (
            Entry::Control(expired),
            "0a0000000a000000 0500000000000000 0600000000000000 0000000000000000 \
             0100000000000700 fe7f000000000000",
        ),
        (
            Entry::Control(Control::ClockConfirmed { realtime: Realtime(0xab) }),
            "0b00000000000000 0000000000000000 0000000000000000 ab00000000000000",
        ),
        (
            Entry::Control(Control::BatchKnown {
                partition: small,
                append_time: Realtime(0xcd),
                stamp: ProducerStamp::new(ProducerId(0x0007_0000_0000_0001), ProducerEpoch(0x7ffe), 0x7fff_ffff, 3),
                crc: 0x1122_3344,
            }),
            "0d00000016000000 0500000000000000 0600000000000000 cd00000000000000 \
             0100000000000700 fe7fffffff7f0100 0000443322110000",
        ),
    ]
}

fn golden_of_transactions() -> Vec<(Entry, &'static str)> {
    let key = |producer, epoch| TransactionKey { producer: ProducerId(producer), epoch: ProducerEpoch(epoch) };
    let participant = Participant::Partition(PartitionId { topic: TopicId(5), index: 6 });
    let name = TransactionalId::new("pay").unwrap();
    let (transaction, time) = (key(0x0102, 0x0304), Realtime(9));
    let of = |record| Entry::Control(Control::Transaction(record));
    vec![
        (
            of(TransactionRecord::Opened { name, next: transaction, timeout_ms: 10_000, time }),
            "0e00000013000000 0000000000000000 0000000000000000 0900000000000000 \
             0201000000000000 0403 10270000 0300 706179 0000000000",
        ),
        (
            of(TransactionRecord::Joined { transaction, participant, shard: ShardId(2), time }),
            "0f00000019000000 0000000000000000 0000000000000000 0900000000000000 \
             0201000000000000 0403 0200 01 0500000000000000 06000000 00000000000000",
        ),
        (
            of(TransactionRecord::Decided {
                transaction,
                outcome: TransactionOutcome::Committed,
                next: key(0x0102, 0x0305),
                time,
            }),
            "1000000015000000 0000000000000000 0000000000000000 0900000000000000 \
             0201000000000000 0403 01 0201000000000000 0503 000000",
        ),
        (
            of(TransactionRecord::Settled { transaction }),
            "110000000a000000 0000000000000000 0000000000000000 0000000000000000 \
             0201000000000000 0403 000000000000",
        ),
        (
            of(TransactionRecord::Forgotten { producer: ProducerId(0x0102) }),
            "1200000008000000 0000000000000000 0000000000000000 0000000000000000 \
             0201000000000000",
        ),
    ]
}

fn golden_of_groups() -> Vec<(Entry, &'static str)> {
    let group = GroupId::new("g").unwrap();
    let partition = PartitionId { topic: TopicId(5), index: 6 };
    let offsets = vec![GroupOffset { partition, offset: Offset(7), metadata: "m".into() }];
    let transaction = TransactionKey { producer: ProducerId(0x0102), epoch: ProducerEpoch(0x0304) };
    let time = Realtime(9);
    let of = |record| Entry::Control(Control::Offsets(record));
    vec![
        (
            of(OffsetRecord::Committed { group: group.clone(), transaction: None, offsets, time }),
            "1300000026000000 0000000000000000 0000000000000000 0900000000000000 \
             0100 67 ffffffffffffffff ffff 0100 0500000000000000 06000000 0700000000000000 0100 6d 0000",
        ),
        (
            of(OffsetRecord::Ended { group: group.clone(), transaction, outcome: TransactionOutcome::Aborted, time }),
            "140000000e000000 0000000000000000 0000000000000000 0900000000000000 \
             0100 67 0201000000000000 0403 00 0000",
        ),
        (
            of(OffsetRecord::Forgotten { group }),
            "1500000003000000 0000000000000000 0000000000000000 0000000000000000 \
             0100 67 0000000000",
        ),
    ]
}

#[test]
fn every_kind_has_these_golden_bytes() {
    let golden = golden();
    let kinds = golden.iter().map(|(entry, _)| entry.kind().code()).collect::<Vec<_>>();
    assert_eq!(kinds, (1..=21).collect::<Vec<_>>());
    for (entry, bytes) in golden {
        let bytes = bytes.replace(' ', "");
        assert_eq!(hex(&encoded(&entry)), bytes, "{entry:?}");
        assert_eq!(walk(&encoded(&entry), 1), vec![Ok(entry)]);
    }
}

#[test]
fn kind_numbers_are_read_as_they_are_written() {
    for code in 0..=u16::MAX {
        let kind = EntryKind::from_code(code);
        assert_eq!(kind.is_some(), (1..=21).contains(&code));
        assert!(kind.is_none_or(|kind| kind.code() == code));
    }
}

#[test]
fn batches_are_slices_of_the_payload() {
    let (entry, _) = golden().swap_remove(0);
    let payload = Bytes::from(encoded(&entry));
    let Some(Ok(Entry::Batch { batch, .. })) = EntryWalk::new(payload.clone(), 1).next() else { panic!("a batch") };
    assert_eq!(batch.as_ptr(), payload[ENTRY_HEADER_BYTES..].as_ptr());
}

#[test]
fn unknown_kinds_are_refused() {
    let mut payload = vec![0; 32];
    assert_eq!(only_fault(&payload), EntryFault::UnknownKind { kind: 0 });
    payload[0] = 22;
    assert_eq!(only_fault(&payload), EntryFault::UnknownKind { kind: 22 });
}

#[test]
fn reserved_bytes_and_padding_must_be_zero() {
    let (entry, _) = golden().swap_remove(0);
    for (position, fault) in
        [(2, EntryFault::Reserved), (3, EntryFault::Reserved), (35, EntryFault::Padding), (39, EntryFault::Padding)]
    {
        let mut payload = encoded(&entry);
        payload[position] = 1;
        assert_eq!(only_fault(&payload), fault, "byte {position}");
    }
}

#[test]
fn header_fields_that_a_kind_does_not_use_must_be_zero() {
    let used = |kind: u16, field: &str| match field {
        "topic" => matches!(kind, 1 | 3..=8 | 10 | 12 | 13),
        "partition" => matches!(kind, 1 | 10 | 13),
        "undecided" => kind == 1,
        _ => matches!(kind, 1 | 2 | 11 | 13 | 14..=16 | 19 | 20),
    };
    for (entry, _) in golden() {
        for (position, field) in [(8, "topic"), (16, "partition"), (20, "undecided"), (24, "append_time")] {
            let mut payload = encoded(&entry);
            payload[position] ^= 0x40;
            let kind = entry.kind();
            if used(kind.code(), field) {
                assert!(walk(&payload, 1)[0].is_ok(), "{kind:?} {field}");
            } else {
                assert_eq!(only_fault(&payload), EntryFault::UnusedField { kind, field });
            }
        }
    }
}

#[test]
fn lengths_beyond_the_payload_are_refused() {
    for (entry, _) in golden() {
        let whole = encoded(&entry);
        for length in 0..whole.len() {
            assert!(matches!(only_fault(&whole[..length]), EntryFault::Truncated { .. }), "{entry:?} cut to {length}");
        }
        let mut payload = whole;
        payload[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(matches!(only_fault(&payload), EntryFault::Truncated { .. }), "{entry:?}");
    }
}

#[test]
fn bodies_of_another_length_are_refused() {
    for (entry, _) in golden().into_iter().skip(1) {
        let mut payload = encoded(&entry);
        let body_bytes = u32::from_le_bytes(payload[4..8].try_into().expect("four bytes"));
        payload[4..8].copy_from_slice(&(body_bytes + 8).to_le_bytes());
        payload.extend([0; 8]);
        let refused = matches!(only_fault(&payload), EntryFault::BodyBytes { .. } | EntryFault::Record { .. });
        assert!(refused, "{entry:?}");
    }
    let mut empty_batch = vec![0; 32];
    empty_batch[0] = 1;
    assert_eq!(only_fault(&empty_batch), EntryFault::BodyBytes { kind: EntryKind::Batch, body_bytes: 0 });
}

#[test]
fn leftovers_and_missing_entries_are_refused_and_end_the_walk() {
    let (entry, _) = golden().swap_remove(3);
    let two = [encoded(&entry), encoded(&entry)].concat();
    let leftover = EntryError { position: 32, fault: EntryFault::Leftover { left_bytes: 32 } };
    assert_eq!(walk(&two, 1), vec![Ok(entry.clone()), Err(leftover)]);
    let missing = EntryError { position: 64, fault: EntryFault::Truncated { needed_bytes: 32, left_bytes: 0 } };
    assert_eq!(walk(&two, 3), vec![Ok(entry.clone()), Ok(entry), Err(missing)]);
    assert_eq!(walk(&[], 0), vec![]);
    assert_eq!(walk(&[0], 0).len(), 1);
    assert_eq!(walk(&[], u32::MAX).len(), 1);
}

#[test]
fn a_batch_above_the_limit_is_refused() {
    let mut payload = vec![0; ENTRY_HEADER_BYTES + BATCH_BYTES_MAX + 8];
    payload[0] = 1;
    payload[4..8].copy_from_slice(&(u32::try_from(BATCH_BYTES_MAX).expect("fits") + 1).to_le_bytes());
    let body_bytes = BATCH_BYTES_MAX + 1;
    assert_eq!(only_fault(&payload), EntryFault::BodyBytes { kind: EntryKind::Batch, body_bytes });
}

#[test]
fn producer_epochs_end_where_kafkas_do() {
    let (entry, _) = golden().swap_remove(9);
    let mut payload = encoded(&entry);
    payload[40..42].copy_from_slice(&0x8000u16.to_le_bytes());
    assert_eq!(only_fault(&payload), EntryFault::ProducerEpoch { epoch: 0x8000 });
}

#[test]
fn sequences_end_where_kafkas_do() {
    let (entry, _) = golden().swap_remove(12);
    for (position, base, last) in [(42 + 3, 0xffff_ffff, 1), (46 + 3, 0x7fff_ffff, 0x8000_0001)] {
        let mut payload = encoded(&entry);
        payload[position] |= 0x80;
        assert_eq!(only_fault(&payload), EntryFault::ProducerSequence { base, last });
    }
}

fn any_topic() -> impl Strategy<Value = TopicDescriptor> {
    let placement = prop::collection::vec((0..SHARD_COUNT_MAX).prop_map(ShardId), 1..40);
    let described = (any::<u64>(), 1usize..=TOPIC_NAME_BYTES_MAX, placement).prop_map(|(id, name_bytes, placement)| {
        TopicDescriptor::new(TopicId(id), &"n".repeat(name_bytes), placement).expect("valid")
    });
    (described, any_settings(), 0..3).prop_map(|(topic, settings, alterations)| {
        let topic = topic.with_settings(settings).expect("valid");
        (0..alterations).fold(topic, |topic, _| topic.altered(settings, &[ShardId(3)]).expect("valid").expect("more"))
    })
}

fn any_settings() -> impl Strategy<Value = TopicSettings> {
    let kept = || prop::option::of(1..=u64::MAX);
    let bounds = |setting: Setting| setting.bounds();
    (kept(), kept(), bounds(Setting::SegmentBytes), bounds(Setting::RecordBytesMax)).prop_map(
        |(retention_bytes, retention_ns, segment_bytes, record_bytes_max)| TopicSettings {
            retention_bytes,
            retention_ns,
            segment_bytes,
            record_bytes_max: u32::try_from(record_bytes_max).expect("it is bounded"),
        },
    )
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let partition =
        (any::<u64>(), any::<u32>()).prop_map(|(topic, index)| PartitionId { topic: TopicId(topic), index });
    let batch = (partition.clone(), any::<u64>(), prop::collection::vec(any::<u8>(), 1..300)).prop_map(
        |(partition, time, batch)| Entry::Batch {
            partition,
            append_time: Realtime(time),
            undecided: 0,
            batch: batch.into(),
        },
    );
    let start = (any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>()).prop_map(|(epoch, last, last_chain, boot)| {
        Control::EpochStart {
            epoch: Epoch(epoch),
            last_sequence: Sequence(last),
            last_chain,
            boot_time: Realtime(boot),
        }
    });
    let known = (partition.clone(), any::<u64>(), 0..SEQUENCE_COUNT, 1..u32::MAX / 2).prop_map(
        |(partition, number, base_sequence, record_count)| Control::BatchKnown {
            partition,
            append_time: Realtime(number),
            stamp: ProducerStamp::new(ProducerId(number), ProducerEpoch(7), base_sequence, record_count),
            crc: base_sequence,
        },
    );
    let expired = (partition, any::<u64>(), 0..=PRODUCER_EPOCH_MAX).prop_map(|(partition, producer, epoch)| {
        Control::ProducerExpired { partition, producer: ProducerId(producer), epoch: ProducerEpoch(epoch) }
    });
    let control = prop_oneof![
        start,
        expired,
        known,
        any_topic().prop_map(Control::TopicCreating),
        any_topic().prop_map(Control::PartitionsOpened),
        any_topic().prop_map(Control::TopicAltering),
        any::<u64>().prop_map(|topic| Control::TopicLive(TopicId(topic))),
        any::<u64>().prop_map(|topic| Control::TopicDeleting(TopicId(topic))),
        any::<u64>().prop_map(|topic| Control::TopicDeleted(TopicId(topic))),
        (any::<u64>(), any::<u64>())
            .prop_map(|(topic, version)| Control::PartitionsClosed { topic: TopicId(topic), version }),
        any::<u64>().prop_map(|up_to| Control::ProducerIdsReserved { up_to }),
        any::<u64>().prop_map(|time| Control::ClockConfirmed { realtime: Realtime(time) }),
    ];
    prop_oneof![batch, control.prop_map(Entry::Control)]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn entries_come_back_as_they_were_written(entries in prop::collection::vec(any_entry(), 0..12)) {
        let payload = entries.iter().flat_map(encoded).collect::<Vec<_>>();
        let count = u32::try_from(entries.len()).expect("few");
        let read = EntryWalk::new(payload.into(), count).collect::<Result<Vec<_>, _>>();
        prop_assert_eq!(read, Ok(entries));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), count in any::<u32>()) {
        let items = walk(&bytes, count);
        prop_assert!(items.iter().rev().skip(1).all(Result::is_ok));
    }

    /// What is read from damaged bytes is written back as exactly these bytes: there is one encoding only.
    #[test]
    fn a_damaged_entry_is_refused_or_means_exactly_its_bytes(
        entry in any_entry(), position in any::<prop::sample::Index>(), flip in 1u8..,
    ) {
        let mut payload = encoded(&entry);
        let position = position.index(payload.len());
        payload[position] ^= flip;
        let items = walk(&payload, 1);
        if let [Ok(read)] = items.as_slice() {
            prop_assert_ne!(read, &entry);
            prop_assert_eq!(encoded(read), payload);
        }
    }
}
