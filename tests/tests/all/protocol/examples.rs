//! The frames that `PROTOCOL.md` shows byte by byte.

use florin_engine::format::batch;
use florin_engine::limits as engine_limits;
use florin_engine::model::{Offset, ProducerEpoch, ProducerId, TransactionKey, TransactionOutcome, TransactionalId};
use florin_engine::shard::Action;
use florin_engine::transaction::{Ended, coordinator_of, shard_of};
use florin_net::protocol::{Api, Code, ErrorResponse, ListAt, Request, Response};

use super::{PARTITION, TIME, blocks, bytes_of, example_batch, frame_of, negotiated, page_tables};
use crate::tree::{quoted, read, tables};

#[test]
fn the_complete_example_in_the_page_is_what_it_says() {
    let blocks = blocks("## A complete example");
    let bytes = |block: &String| {
        bytes_of(block.lines().flat_map(|line| line.split_whitespace().next().unwrap_or_default().chars()))
    };
    let frames: Vec<_> = blocks.iter().map(|block| frame_of(&bytes(block))).collect();
    let [negotiate, welcome, produce, stored, refused] = &frames[..] else { panic!("five frames") };
    let correlations: Vec<_> = frames.iter().map(|frame| frame.correlation).collect();
    assert_eq!(correlations, [1, 1, 2, 2, 14]);
    let request = Request::Negotiate { client: "example".to_owned() };
    assert_eq!(Request::decode(negotiate.clone()), Ok(request));
    assert_eq!(Response::decode(Api::Negotiate, welcome.clone()), Ok(negotiated()));
    let request = Request::Produce { partition: PARTITION, batch: example_batch() };
    assert_eq!(Request::decode(produce.clone()), Ok(request));
    assert!(batch::validate(&produce.payload, engine_limits::BATCH_BYTES_MAX).is_ok());
    let response = Response::Produced { base_offset: Offset(41), append_time: TIME, duplicate: false };
    assert_eq!(Response::decode(Api::Produce, stored.clone()), Ok(response));
    let (action, message) = (Action::Fenced, "fenced by epoch 2".to_owned());
    let response =
        Response::Error(ErrorResponse { code: Code::FENCED, action, details: [2, 0], message, records: Vec::new() });
    assert_eq!(Response::decode(Api::Produce, refused.clone()), Ok(response));
}

#[test]
fn the_example_of_a_look_up_by_timestamp_in_the_page_is_what_it_says() {
    let blocks = blocks("### list_offsets");
    let [example] = &blocks[..] else { panic!("one example") };
    let digits = example.lines().flat_map(|line| line.split_whitespace().next().unwrap_or_default().chars());
    let at = ListAt::Timestamp(1_700_000_000_123);
    assert_eq!(Request::decode(frame_of(&bytes_of(digits))), Ok(Request::ListOffsets { partition: PARTITION, at }));
}

#[test]
fn the_example_of_a_transaction_in_the_page_is_what_it_says() {
    let blocks = blocks("## Transactions");
    let bytes = |block: &String| {
        bytes_of(block.lines().flat_map(|line| line.split_whitespace().next().unwrap_or_default().chars()))
    };
    let frames: Vec<_> = blocks.iter().map(|block| frame_of(&bytes(block))).collect();
    let [open, opened, end, ended] = &frames[..] else { panic!("four frames") };
    let correlations: Vec<_> = frames.iter().map(|frame| frame.correlation).collect();
    assert_eq!(correlations, [21, 21, 22, 22]);
    let name = TransactionalId::new("settlement-1").expect("a name");
    let producer = ProducerId(562_949_953_421_317);
    assert_eq!(shard_of(producer), coordinator_of(&name, 4), "of four shards this one coordinates it");
    let of_epoch = |epoch| TransactionKey { producer, epoch: ProducerEpoch(epoch) };
    let outcome = TransactionOutcome::Committed;
    assert_eq!(Request::decode(open.clone()), Ok(Request::OpenTransactionalId { name, timeout_ms: 10_000 }));
    let last = Some(Ended { transaction: of_epoch(6), outcome });
    let response = Response::TransactionalIdOpened { next: of_epoch(7), last };
    assert_eq!(Response::decode(Api::OpenTransactionalId, opened.clone()), Ok(response));
    let request = Request::EndTransaction { transaction: of_epoch(7), outcome };
    assert_eq!(Request::decode(end.clone()), Ok(request));
    let response = Response::TransactionEnded { outcome, next: of_epoch(8) };
    assert_eq!(Response::decode(Api::EndTransaction, ended.clone()), Ok(response));
}

#[test]
fn the_words_beside_the_example_name_the_fields_of_the_tables() {
    let tables = page_tables();
    let rows = tables.iter().filter(|table| table.columns.contains(&"field".to_owned()));
    let mut names: Vec<String> = rows
        .flat_map(|table| {
            let column = table.columns.iter().position(|column| column == "field").expect("a column");
            table.rows.iter().map(move |row| quoted(&row[column])[0].to_owned())
        })
        .map(|path| path.rsplit('.').next().unwrap_or_default().to_owned())
        .collect();
    let data_file = tables_of_batches();
    names.extend(data_file);
    for block in blocks("## A complete example") {
        let header = block.split("record: ").next().unwrap_or_default();
        for line in header.lines() {
            let words = line.split_once(' ').map_or("", |(_, words)| words.trim());
            let name = words.split(':').next().unwrap_or_default();
            let is_text = words.starts_with('"') || words.is_empty();
            assert!(is_text || names.iter().any(|known| known == name), "{name} is no field");
        }
    }
}

/// The fields of a batch's header, by the page of the data directory.
fn tables_of_batches() -> Vec<String> {
    let tables = tables(&read("engine/docs/DATA_FILE.md"));
    let table = tables.iter().find(|table| table.caption.contains("Layout `BatchHeader`")).expect("the table");
    table.rows.iter().map(|row| row[2].clone()).collect()
}
