use anyhow::{Context, Error};
use florin_net::client::ClientError;
use florin_net::protocol::CODES;

use super::{all_answered, code_name, is_unknown, shards, without_address};

#[test]
fn codes_are_shown_with_their_names() {
    assert_eq!(code_name(5), "journal_full (5)");
    assert_eq!(code_name(999), "code 999", "a newer server may have codes of its own");
    assert!(CODES.iter().all(|row| code_name(row.code.0).starts_with(row.name)));
}

#[test]
fn an_unknown_outcome_is_told_apart_from_a_failure() {
    let unknown = ClientError::OutcomeUnknown { what: "the creation".to_owned(), reason: "no answer".to_owned() };
    let wrapped = Err::<(), Error>(Error::new(unknown)).context("while creating").expect_err("an error");
    assert!(is_unknown(&wrapped));
    assert!(!is_unknown(&Error::new(ClientError::Closed)));
}

#[test]
fn a_reason_does_not_repeat_the_address() {
    for (reason, words) in [
        ("127.0.0.1:1: Connection refused", "Connection refused"),
        ("127.0.0.1:1 did not answer in time", "it did not answer in time"),
        ("127.0.0.1:17 did not answer in time", "127.0.0.1:17 did not answer in time"),
        ("no address was given", "no address was given"),
    ] {
        assert_eq!(without_address(reason, "127.0.0.1:1"), words);
    }
}

#[test]
fn a_shard_that_did_not_answer_is_named() {
    let silent = ClientError::TimedOut { what: "listing".to_owned(), after: std::time::Duration::from_secs(1) };
    let unanswered = [(3, silent)];
    assert!(all_answered(&[]) && !all_answered(&unanswered));
    assert_eq!(shards(&unanswered), [3]);
}
