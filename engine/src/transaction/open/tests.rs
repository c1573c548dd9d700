use super::*;

fn key(producer: u64, epoch: u16) -> TransactionKey {
    TransactionKey { producer: ProducerId(producer), epoch: ProducerEpoch(epoch) }
}

/// Ends a transaction as a partition does, at this offset.
fn end(of: &mut PartitionTransactions, transaction: TransactionKey, outcome: TransactionOutcome, at: u64) {
    let marker = of.marker(transaction, outcome).expect("it is open");
    of.ended(&marker, Offset(at)).unwrap();
}

#[test]
fn what_is_stable_ends_before_the_oldest_transaction_whose_marker_is_not_durable() {
    let mut of = PartitionTransactions::default();
    assert_eq!(of.stable_offset(Offset(4)), Offset(4));
    of.appended(key(1, 0), Offset(4), Realtime(1));
    of.appended(key(2, 0), Offset(5), Realtime(1));
    of.appended(key(1, 0), Offset(6), Realtime(2));
    assert_eq!((of.stable_offset(Offset(4)), of.stable_offset(Offset(7))), (Offset(4), Offset(4)));
    end(&mut of, key(1, 0), TransactionOutcome::Committed, 7);
    of.make_durable(Offset(7));
    assert_eq!(of.stable_offset(Offset(7)), Offset(4), "its marker is not durable");
    of.make_durable(Offset(8));
    assert_eq!(of.stable_offset(Offset(8)), Offset(5));
    end(&mut of, key(2, 0), TransactionOutcome::Aborted, 8);
    of.make_durable(Offset(9));
    assert_eq!(of.stable_offset(Offset(9)), Offset(9));
    assert!(of.is_empty());
}

#[test]
fn undecided_offsets_are_counted_from_the_oldest_open_transaction() {
    let mut of = PartitionTransactions::default();
    assert_eq!(of.undecided_after(None, Offset(3), Offset(5)), 0);
    assert_eq!(of.undecided_after(Some(key(1, 0)), Offset(3), Offset(5)), 2);
    of.appended(key(1, 0), Offset(3), Realtime(1));
    assert_eq!(of.undecided_after(None, Offset(5), Offset(6)), 3);
    assert_eq!(of.undecided_after(Some(key(2, 0)), Offset(5), Offset(6)), 3);
    of.appended(key(2, 0), Offset(5), Realtime(1));
    assert_eq!(of.undecided_after_marker(key(1, 0), Offset(7)), 2);
    assert_eq!(of.undecided_after_marker(key(2, 0), Offset(7)), 4);
    let far = Offset(u64::from(u32::MAX) + 10);
    assert_eq!(of.undecided_after(None, far, far.plus(1)), u32::MAX);
}

#[test]
fn aborted_transactions_are_found_by_their_markers() {
    let mut of = PartitionTransactions::default();
    for (producer, first, marker, outcome) in [
        (1, 0, 4, TransactionOutcome::Aborted),
        (2, 5, 8, TransactionOutcome::Committed),
        (3, 6, 10, TransactionOutcome::Aborted),
    ] {
        of.appended(key(producer, 0), Offset(first), Realtime(1));
        end(&mut of, key(producer, 0), outcome, marker);
    }
    let aborted = |of: &PartitionTransactions, from, last| {
        let found = of.aborted_between(Offset(from), Offset(last));
        found.map(|aborted| (aborted.transaction.producer.0, aborted.first_offset.0)).collect::<Vec<_>>()
    };
    assert_eq!(aborted(&of, 0, 4), [(1, 0)]);
    assert_eq!(aborted(&of, 0, 10), [(1, 0), (3, 6)]);
    assert_eq!(aborted(&of, 5, 9), []);
    assert_eq!(aborted(&of, 5, 10), [(3, 6)]);
    assert_eq!(aborted(&of, 11, 20), []);
    assert_eq!(aborted(&of, 11, 10), []);
    of.forget_below(Offset(5));
    assert_eq!(aborted(&of, 0, 20), [(3, 6)]);
}

#[test]
fn a_marker_of_what_is_not_open_is_impossible() {
    let mut of = PartitionTransactions::default();
    of.appended(key(1, 3), Offset(2), Realtime(1));
    let marker = of.marker(key(1, 3), TransactionOutcome::Committed).unwrap();
    assert_eq!(of.marker(key(1, 4), TransactionOutcome::Committed), None);
    let elsewhere = Marker { first_offset: Offset(1), ..marker };
    assert_eq!(of.ended(&elsewhere, Offset(5)), Err(ImpossibleTransaction(key(1, 3))));
    of.ended(&marker, Offset(5)).unwrap();
    assert_eq!(of.ended(&marker, Offset(6)), Err(ImpossibleTransaction(key(1, 3))));
}

#[test]
fn open_transactions_have_these_golden_bytes_and_are_read_back() {
    let mut of = PartitionTransactions::default();
    of.appended(key(0x0102, 0x0304), Offset(5), Realtime(6));
    of.appended(key(1, 0), Offset(7), Realtime(8));
    let mut bytes = Vec::new();
    of.encode(&mut bytes);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let golden = "02000000 0201000000000000 0403 0500000000000000 0600000000000000 \
                  0100000000000000 0000 0700000000000000 0800000000000000";
    assert_eq!(hex, golden.replace(' ', ""));
    assert_eq!(bytes.len(), PartitionTransactions::HEAD_BYTES + 2 * PartitionTransactions::OPEN_BYTES);
    assert_eq!(PartitionTransactions::decode(&mut &bytes[..], Offset(8)), Ok(of));
    let behind = PartitionTransactions::decode(&mut &bytes[..], Offset(7));
    assert_eq!(behind, Err(ImpossibleTransaction(key(1, 0)).into()));
    for length in 0..bytes.len() {
        let cut = PartitionTransactions::decode(&mut &bytes[..length], Offset(8));
        assert!(matches!(cut, Err(TransactionsDecodeError::CutOff(_))), "cut to {length}");
    }
}
