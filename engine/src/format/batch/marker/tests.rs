use super::*;
use crate::format::batch::{BatchError, StoredBatch, place, validate, validate_stored};
use crate::model::{ProducerEpoch, ProducerId};

const TRANSACTION: TransactionKey = TransactionKey { producer: ProducerId(1 << 48 | 42), epoch: ProducerEpoch(7) };

fn marker(outcome: TransactionOutcome) -> Marker {
    Marker { transaction: TRANSACTION, outcome, first_offset: Offset(0x0102_0304) }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn markers_have_these_golden_bytes() {
    let head = "00000000000000000000004a0000000002";
    let fields = "0030000000000000018bcfe568000000018bcfe56800000100000000002a0007ffffffff00000001";
    let record = |kind| format!("3000000008000000{kind}1c000000000000000000000102030400");
    for (outcome, crc, kind) in
        [(TransactionOutcome::Aborted, "e8f315bd", "00"), (TransactionOutcome::Committed, "b717c9e2", "01")]
    {
        let built = marker(outcome).build(1_700_000_000_000);
        assert_eq!(hex(&built), format!("{head}{crc}{fields}{}", record(kind)));
    }
}

#[test]
fn a_marker_is_read_as_it_was_built_wherever_it_was_placed() {
    for outcome in [TransactionOutcome::Aborted, TransactionOutcome::Committed] {
        let mut bytes = marker(outcome).build(-5);
        place(&mut bytes, Offset(77));
        assert_eq!(Marker::read(&bytes), Ok(Some(marker(outcome))));
        assert_eq!(validate_stored(&bytes), Ok(StoredBatch::Marker(marker(outcome))));
    }
}

#[test]
fn a_client_may_not_send_a_marker() {
    let bytes = marker(TransactionOutcome::Committed).build(0);
    assert_eq!(validate(&bytes, bytes.len()), Err(BatchError::Control));
}

#[test]
fn no_changed_byte_of_a_marker_is_taken_for_another_marker() {
    let bytes = marker(TransactionOutcome::Committed).build(9);
    for position in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[position] ^= 0x04;
        // Base offset and leader epoch are a server's, and no part of what the checksum covers.
        let is_place = position < 8 || (12..16).contains(&position);
        let read = Marker::read(&changed);
        assert_eq!(read == Ok(Some(marker(TransactionOutcome::Committed))), is_place, "byte {position}: {read:?}");
    }
    for length in 0..bytes.len() {
        assert!(Marker::read(&bytes[..length]).is_err(), "cut to {length}");
    }
}

#[test]
fn control_batches_of_other_kinds_are_no_markers() {
    let build = |key: &[u8], value: &[u8], attributes, stamp| {
        let mut builder = BatchBuilder::new();
        builder.push(0, Some(key), Some(value), HEADERS_NONE).unwrap();
        Marker::read(&builder.finish_with(attributes, stamp))
    };
    let right: ([u8; 4], [u8; 14]) = ([0, 0, 0, 1], [0; 14]);
    assert!(build(&right.0, &right.1, ATTRIBUTES, (1, 1, -1)).unwrap().is_some());
    let wrong = |read: Result<Option<Marker>, BatchError>| matches!(read, Err(BatchError::Marker { .. }));
    assert!(wrong(build(&right.0, &right.1, CONTROL_BIT, (1, 1, -1))), "not transactional");
    assert!(wrong(build(&right.0, &right.1, ATTRIBUTES, (-1, -1, -1))), "of nobody");
    assert!(wrong(build(&right.0, &right.1, ATTRIBUTES, (1, 1, 0))), "with a sequence");
    assert!(wrong(build(&[0, 0, 0, 2], &right.1, ATTRIBUTES, (1, 1, -1))), "another type");
    assert!(wrong(build(&[0, 1, 0, 1], &right.1, ATTRIBUTES, (1, 1, -1))), "another version");
    assert!(wrong(build(&right.0, &[0; 6], ATTRIBUTES, (1, 1, -1))), "without the first offset");
}
