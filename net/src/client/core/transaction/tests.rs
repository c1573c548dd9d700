//! What may be done next, by what was answered.

use florin_engine::model::{Offset, ProducerEpoch, ProducerId, Realtime, TransactionKey, TransactionOutcome};
use florin_engine::shard::BatchReceipt;

use super::TransactionCore;
use crate::client::{ClientError, SendError, TransactionError};
use crate::protocol::{Code, ErrorResponse, Response};

fn key(epoch: u16) -> TransactionKey {
    TransactionKey { producer: ProducerId(9), epoch: ProducerEpoch(epoch) }
}

fn ended(outcome: TransactionOutcome, next: u16) -> Result<Response, ClientError> {
    Ok(Response::TransactionEnded { outcome, next: key(next) })
}

fn refused(code: Code) -> Result<Response, ClientError> {
    Err(ClientError::Refused(ErrorResponse::new(code, "so the test says")))
}

fn lost() -> Result<Response, ClientError> {
    Err(ClientError::Disconnected { what: "ending it".to_owned(), reason: "the cable".to_owned() })
}

fn begun() -> TransactionCore {
    let mut core = TransactionCore::new(key(1));
    assert_eq!(core.begin(), Ok(key(1)));
    core
}

fn is_abortable<T>(result: &Result<T, TransactionError>) -> bool {
    matches!(result, Err(TransactionError::Abortable { .. }))
}

fn is_unknown<T>(result: &Result<T, TransactionError>) -> bool {
    matches!(result, Err(TransactionError::OutcomeUnknown { .. }))
}

fn is_fatal<T>(result: &Result<T, TransactionError>) -> bool {
    matches!(result, Err(TransactionError::Fatal { .. }))
}

#[test]
fn every_transaction_has_the_epoch_that_came_with_the_end_of_the_one_before() {
    let mut core = begun();
    assert_eq!(core.commit(), Ok(key(1)));
    assert_eq!(core.on_commit(ended(TransactionOutcome::Committed, 2)), Ok(()));
    assert_eq!(core.begin(), Ok(key(2)));
    assert_eq!(core.to_abort(), Some(key(2)));
    assert_eq!(core.on_abort(ended(TransactionOutcome::Aborted, 3)), Ok(()));
    assert_eq!(core.begin(), Ok(key(3)));
}

#[test]
fn after_a_commit_without_answer_nothing_begins_until_it_was_found_out() {
    let mut core = begun();
    core.commit().unwrap();
    for answer in [lost(), refused(Code::BUSY), refused(Code::SHARD_UNAVAILABLE)] {
        assert!(is_unknown(&core.on_commit(answer)));
        assert!(is_unknown(&core.begin()));
        assert_eq!((core.in_doubt(), core.to_abort()), (Some(key(1)), None), "it may count: it is not aborted");
    }
    assert_eq!(core.on_commit(ended(TransactionOutcome::Committed, 2)), Ok(()));
    assert_eq!((core.in_doubt(), core.begin()), (None, Ok(key(2))));
}

#[test]
fn a_commit_in_doubt_that_turns_out_to_be_aborted_goes_on_with_an_abort() {
    let mut core = begun();
    core.commit().unwrap();
    assert!(is_unknown(&core.on_commit(lost())));
    assert!(is_abortable(&core.on_commit(refused(Code::TRANSACTION_ABORTED))));
    assert!(is_abortable(&core.begin()));
    assert_eq!(core.to_abort(), Some(key(1)));
    core.on_abort(ended(TransactionOutcome::Aborted, 2)).unwrap();
    assert_eq!(core.begin(), Ok(key(2)));
}

#[test]
fn what_was_not_stored_leaves_nothing_but_an_abort() {
    let mut core = begun();
    assert!(matches!(core.on_unsent(&SendError::TimedOut), TransactionError::Abortable { .. }));
    assert_eq!(core.open(), None);
    assert!(is_abortable(&core.commit()), "it would count without that record");
    assert!(is_abortable(&core.on_abort(lost())), "nothing of it counts, whether that was answered or not");
    assert_eq!(core.to_abort(), Some(key(1)));
    core.on_abort(ended(TransactionOutcome::Aborted, 2)).unwrap();
    assert_eq!(core.begin(), Ok(key(2)));
}

#[test]
fn whoever_lost_its_transactional_id_stops() {
    let fenced = ErrorResponse::new(Code::TRANSACTION_FENCED, "so the test says");
    let mut core = begun();
    let error = core.on_unsent(&SendError::Refused(fenced.clone()));
    assert!(matches!(error, TransactionError::Fatal { .. }));
    assert!(is_fatal(&core.begin()) && is_fatal(&core.commit()));
    assert_eq!(core.to_abort(), None);

    let mut core = begun();
    assert!(matches!(core.on_unnoted(&ClientError::Refused(fenced)), TransactionError::Fatal { .. }));

    for code in [Code::TRANSACTION_FENCED, Code::UNKNOWN_TRANSACTION] {
        let mut core = begun();
        core.commit().unwrap();
        assert!(is_fatal(&core.on_commit(refused(code))));
        let mut core = begun();
        assert!(is_fatal(&core.on_abort(refused(code))));
    }
}

#[test]
fn a_transaction_that_is_open_is_not_begun_again() {
    let mut core = begun();
    assert!(is_abortable(&core.begin()));
    assert_eq!(core.open(), Some(key(1)));
}

#[test]
fn a_commit_that_is_found_out_after_another_instance_took_over_is_a_commit_and_the_end() {
    let mut core = begun();
    core.commit().unwrap();
    assert!(is_unknown(&core.on_commit(lost())));
    assert_eq!(core.on_commit(refused(Code::TRANSACTION_COMMITTED)), Ok(()));
    assert!(is_fatal(&core.begin()));
}

#[test]
fn everything_with_one_request_counts_or_not_and_in_doubt_it_is_made_again() {
    let stored = BatchReceipt { base_offset: Offset(3), append_time: Realtime(4) };
    let together = |epoch| {
        let receipts = vec![stored];
        Ok(Response::ProducedTogether { receipts, duplicate: false, next: Some(key(epoch)) })
    };
    let asked = || {
        let mut core = begun();
        core.commit().unwrap();
        core
    };
    let mut core = asked();
    assert!(matches!(core.on_together(lost()), Err(TransactionError::OutcomeUnknown { .. })));
    // No shard could be asked now: an attempt before may have been carried out all the same.
    assert!(matches!(core.on_together(refused(Code::BUSY)), Err(TransactionError::OutcomeUnknown { .. })));
    assert_eq!(core.in_doubt(), Some(key(1)));
    assert_eq!(core.on_together(together(2)), Ok(Some((vec![stored], false))));
    assert_eq!(core.begin(), Ok(key(2)));

    let mut core = asked();
    assert_eq!(core.on_together(refused(Code::TRANSACTION_COMMITTED)), Ok(None), "its receipts are gone");
    assert_eq!(core.in_doubt(), Some(key(1)), "what comes next is asked for");

    for code in [Code::TRANSACTION_ABORTED, Code::TOGETHER] {
        let mut core = asked();
        assert!(matches!(core.on_together(refused(code)), Err(TransactionError::Abortable { .. })));
        assert_eq!(core.to_abort(), Some(key(1)));
    }
    for code in [Code::TRANSACTION_FENCED, Code::UNKNOWN_TRANSACTION] {
        assert!(matches!(asked().on_together(refused(code)), Err(TransactionError::Fatal { .. })));
    }
}
