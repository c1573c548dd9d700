//! Batches for several partitions of one shard: all together or none.

use super::super::rig::{Rig, SMALL, batch, refused, stamped};
use super::in_transaction;
use super::open;
use crate::model::Offset;
use crate::shard::{BatchReceipt, Refusal, Reply, Request, TransactionRefusal};

fn receipts(reply: Option<&Reply>) -> (Vec<u64>, bool) {
    match reply {
        Some(Reply::CapturedTogether { receipts, duplicate }) => {
            (receipts.iter().map(|BatchReceipt { base_offset, .. }| base_offset.0).collect(), *duplicate)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn batches_that_belong_together_stand_in_one_block_and_are_answered_with_it() {
    let (mut rig, one) = Rig::with_partition();
    let two = rig.create("ledger");
    rig.capture(two, batch(b"before"));
    rig.settle();
    let id = rig.ask(Request::CaptureTogether { batches: vec![(two, batch(b"a")), (one, batch(b"b"))] });
    assert_eq!((rig.blocks.len(), rig.reply(id)), (1, None));
    rig.finish_block();
    assert_eq!(receipts(rig.reply(id)), (vec![1, 0], false));
}

#[test]
fn a_retry_of_batches_that_belong_together_gets_the_original_answer() {
    let (mut rig, one) = Rig::with_partition();
    let two = rig.create("ledger");
    let batches = || vec![(one, stamped(b"a", 9, 0, 0)), (two, stamped(b"b", 9, 0, 0))];
    rig.ask(Request::CaptureTogether { batches: batches() });
    rig.settle();
    let id = rig.ask(Request::CaptureTogether { batches: batches() });
    assert_eq!(receipts(rig.reply(id)), (vec![0, 0], true));
    let apart = vec![(one, stamped(b"a", 9, 0, 0)), (two, stamped(b"c", 9, 0, 1))];
    let answer = rig.answer(Request::CaptureTogether { batches: apart });
    assert_eq!(answer, refused(TransactionRefusal::StoredApart.into()));
}

#[test]
fn nothing_is_stored_if_one_of_them_cannot_be() {
    let (mut rig, one) = Rig::with_partition();
    let two = rig.create("ledger");
    let mut damaged = batch(b"x");
    damaged[20] ^= 1;
    let transaction = open(&mut rig);
    let unknown = rig.unknown_topic();
    for bad in [
        (two, damaged),
        (two, stamped(b"x", 9, 0, 5)),
        (one, batch(b"x")),
        (unknown, batch(b"x")),
        (two, in_transaction(transaction, 0)),
    ] {
        let answer = rig.answer(Request::CaptureTogether { batches: vec![(one, batch(b"a")), bad] });
        assert!(matches!(answer, Reply::Refused(_)), "{answer:?}");
        assert!(rig.blocks.is_empty());
    }
    let none = rig.answer(Request::CaptureTogether { batches: Vec::new() });
    assert!(matches!(none, Reply::Refused(Refusal::Transaction(TransactionRefusal::Together(_)))));
    assert_eq!(rig.end(one), Reply::Offset(Offset(0)));
}

#[test]
fn batches_that_do_not_fit_into_a_block_together_are_refused() {
    let (mut rig, one) = Rig::with_partition();
    let two = rig.create("ledger");
    let large = SMALL.batch_bytes_max() - 200;
    let batches = || vec![(one, batch(&vec![1; large])), (two, batch(&vec![2; large]))];
    let answer = rig.answer(Request::CaptureTogether { batches: batches() });
    assert!(matches!(answer, Reply::Refused(Refusal::Transaction(TransactionRefusal::Together(_)))), "{answer:?}");
    let alone = rig.ask(Request::CaptureTogether { batches: vec![batches().remove(0)] });
    rig.settle();
    assert_eq!(receipts(rig.reply(alone)), (vec![0], false));
}
