use std::sync::Arc;

use super::*;
use crate::format::control::{KeyRule, KeySource, Partitioner};
use crate::key::{KeyHasher, Keying};
use crate::model::{Id128, Position, Realtime, SegmentId};

fn keys(sets: Vec<KeyRunSet>) -> PartitionKeys {
    let rule = KeyRule::new(KeySource::RecordKey, 7, Vec::new(), Partitioner::Murmur2).expect("a rule");
    let keying = Keying::new(Arc::new(rule), KeyHasher::new(Id128([3; 16])), (0, 1));
    let mut keys = PartitionKeys::new(keying);
    keys.sets = sets;
    keys
}

fn run(segment: u64, base_offset: u64, next_offset: u64) -> KeyRun {
    KeyRun {
        segment: SegmentId(segment),
        position: Position(0),
        bytes: 12_288,
        table_bytes: 4096,
        entry_count: 5,
        base_offset: Offset(base_offset),
        next_offset: Offset(next_offset),
        first_append_time: Realtime(8),
        last_append_time: Realtime(9),
    }
}

fn encoded(sets: Vec<KeyRunSet>) -> Vec<u8> {
    let mut bytes = Vec::new();
    keys(sets).encode(&mut bytes);
    bytes
}

fn decoded(bytes: &[u8]) -> Result<Vec<KeyRunSet>, KeysDecodeError> {
    let mut read = keys(Vec::new());
    let mut rest = bytes;
    read.decode_runs(&mut rest, Offset(40))?;
    assert_eq!(rest, [9], "what follows is left");
    Ok(read.sets)
}

#[test]
fn runs_and_spares_have_these_bytes_and_are_read_back() {
    let sets = vec![
        KeyRunSet { run: run(3, 0, 30), spares: vec![run(1, 0, 10), run(2, 10, 30)] },
        KeyRunSet { run: run(4, 30, 40), spares: Vec::new() },
    ];
    let mut bytes = encoded(sets.clone());
    assert_eq!(bytes.len(), 4 + 2 * KEY_RUN_SET_BYTES + 4 * KeyRun::ENCODED_BYTES);
    let (run_bytes, second) = (KeyRun::ENCODED_BYTES, 8 + 3 * KeyRun::ENCODED_BYTES);
    assert_eq!((&bytes[..8], &bytes[8..16]), (&[2, 0, 0, 0, 2, 0, 0, 0][..], &[3, 0, 0, 0, 0, 0, 0, 0][..]));
    assert_eq!(bytes[8 + run_bytes..16 + run_bytes], [1, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(bytes[second..second + 4], [0, 0, 0, 0]);
    bytes.push(9);
    assert_eq!(decoded(&bytes), Ok(sets));
}

#[test]
fn runs_that_cannot_stand_there_are_refused() {
    let of = |run: KeyRun, spares: &[KeyRun]| KeyRunSet { run, spares: spares.to_vec() };
    let impossible = KeyRun { entry_count: 0, ..run(1, 0, 10) };
    let cases = [
        (vec![of(run(1, 0, 10), &[]), of(run(2, 9, 20), &[])], run(2, 9, 20)),
        (vec![of(run(1, 0, 41), &[])], run(1, 0, 41)),
        (vec![of(impossible, &[])], impossible),
        (vec![of(run(3, 5, 10), &[run(1, 4, 7)])], run(1, 4, 7)),
        (vec![of(run(3, 5, 10), &[run(1, 5, 7), run(2, 6, 10)])], run(2, 6, 10)),
        (vec![of(run(3, 5, 10), &[run(1, 5, 11)])], run(1, 5, 11)),
    ];
    for (sets, wrong) in cases {
        assert_eq!(decoded(&encoded(sets)), Err(KeysDecodeError::Impossible(wrong)));
    }
    let bytes = encoded(vec![of(run(1, 0, 10), &[run(2, 0, 10)])]);
    for cut in 0..bytes.len() {
        assert!(matches!(decoded(&bytes[..cut]), Err(KeysDecodeError::CutOff(_))), "{cut}");
    }
}
