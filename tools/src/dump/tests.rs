use bytes::BufMut;
use florin_engine::format::batch::{self, BatchBuilder, HEADERS_NONE, Keep};
use florin_engine::model::{FileIndex, Realtime, Sequence};
use florin_engine::partition::{Placed, ReplayedBatch};

use super::*;

/// A partition that begins at offset 20, because retention cut what was before, and ends at 23.
fn cut() -> Partition {
    let mut bytes = Vec::new();
    bytes.put_u64_le(1);
    bytes.put_u32_le(0);
    bytes.put_u64_le(20);
    bytes.put_u64_le(5);
    bytes.put_u64_le(20);
    bytes.put_u64_le(4096);
    bytes.put_u64_le(7);
    bytes.put_u8(1);
    bytes.put_u32_le(0);
    bytes.put_u32_le(0);
    let mut partition = Partition::decode(&mut &bytes[..]).expect("a partition");
    let mut builder = BatchBuilder::new();
    (0..3).for_each(|_| builder.push(0, None, Some(b"value"), HEADERS_NONE).expect("pushed"));
    let mut batch = builder.finish();
    batch::place(&mut batch, Offset(20));
    let placed = Placed { sequence: Sequence(1), file: FileIndex(0) };
    let bytes = batch.freeze();
    let entry = ReplayedBatch { append_time: Realtime(6), undecided: 0, bytes: &bytes, placed };
    partition.replay(&entry, false, Keep::Copy).expect("the next batch");
    partition.finish_replay().expect("everything is held");
    partition
}

fn asked(from: Option<u64>, to: Option<u64>) -> Result<(Offset, Offset)> {
    let (directory, topic) = ("data".into(), "payments".to_owned());
    range(&DumpArguments { directory, topic, partition: 0, from, to, json: false }, &cut(), "payments")
}

#[test]
fn without_a_choice_everything_that_retention_left_is_shown() {
    assert_eq!(asked(None, None).unwrap(), (Offset(20), Offset(23)));
    assert_eq!(asked(None, Some(21)).unwrap(), (Offset(20), Offset(22)));
    assert_eq!(asked(Some(21), Some(u64::MAX)).unwrap(), (Offset(21), Offset(23)));
    assert_eq!(asked(Some(23), None).unwrap(), (Offset(23), Offset(23)));
}

#[test]
fn offsets_that_retention_cut_are_refused_with_the_one_at_which_the_partition_begins() {
    for (from, to) in [(Some(0), None), (Some(19), Some(30)), (None, Some(19))] {
        let error = asked(from, to).unwrap_err().to_string();
        assert!(error.contains("begins at offset 20: everything below was cut by retention"), "{error}");
        assert!(error.contains("choose offsets from 20 to 23"), "{error}");
    }
    let error = asked(Some(24), None).unwrap_err().to_string();
    assert!(error.contains("has no offset 24: choose one from 20 to 23"), "{error}");
}
