use std::time::Duration;

use florin_engine::format::batch::{RecordWalk, validate};
use florin_engine::model::{Offset, ProducerEpoch, ProducerId, Realtime, TopicId};

use super::*;

fn at(topic: u64, index: u32) -> PartitionId {
    PartitionId { topic: TopicId(topic), index }
}

#[test]
fn each_partition_has_one_batch_of_the_transaction_and_each_record_its_own_receipt() {
    let transaction = TransactionKey { producer: ProducerId(9), epoch: ProducerEpoch(4) };
    let places = [at(1, 0), at(2, 1), at(1, 0), at(2, 0)];
    let records: Vec<_> = (0..).zip(places).map(|(number, place)| (place, Record::new(format!("{number}")))).collect();
    let together = Together::build(transaction, &records, 77).unwrap();
    assert_eq!(together.batches().iter().map(|(place, _)| *place).collect::<Vec<_>>(), [at(1, 0), at(2, 1), at(2, 0)]);
    let counts = together.batches().iter().map(|(_, batch)| {
        let info = validate(batch, batch.len()).unwrap();
        assert_eq!(info.transaction(), Some(transaction));
        assert_eq!(info.producer.unwrap().base_sequence, 0);
        info.record_count
    });
    assert_eq!(counts.collect::<Vec<_>>(), [2, 1, 1]);
    let first =
        RecordWalk::new(&together.batches()[0].1).unwrap().map(|record| record.unwrap().value.unwrap().to_vec());
    assert_eq!(first.collect::<Vec<_>>(), [b"0", b"2"]);

    let stored = [10, 20, 30].map(|offset| BatchReceipt { base_offset: Offset(offset), append_time: Realtime(5) });
    let receipts = together.receipts(&stored, true, Duration::from_millis(1)).unwrap();
    let told: Vec<_> =
        receipts.iter().map(|receipt| (receipt.partition, receipt.offset.0, receipt.duplicate)).collect();
    assert_eq!(told, [(0, 10, true), (1, 20, true), (0, 11, true), (0, 30, true)]);
    assert_eq!(together.receipts(&stored[..2], true, Duration::ZERO), None);
}
