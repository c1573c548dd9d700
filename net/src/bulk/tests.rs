use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use florin_engine::limits::CAPTURES_EXPECTED_NS;
use florin_engine::model::Monotonic;
use futures_util::FutureExt;

use super::{BulkTurns, PIECE_BYTES_MAX, PIECE_BYTES_MIN};

#[test]
fn pieces_are_small_while_captures_come_and_large_when_none_has_come_for_a_while() {
    let turns = BulkTurns::default();
    let now = Monotonic(1_000_000_000);
    assert_eq!(turns.piece_bytes(now), PIECE_BYTES_MAX, "none ever came");
    turns.captured(now);
    assert_eq!(turns.piece_bytes(now), PIECE_BYTES_MIN);
    assert_eq!(turns.piece_bytes(now.plus_ns(CAPTURES_EXPECTED_NS - 1)), PIECE_BYTES_MIN);
    assert_eq!(turns.piece_bytes(now.plus_ns(CAPTURES_EXPECTED_NS)), PIECE_BYTES_MAX);
}

#[test]
fn turns_go_to_those_who_wait_in_the_order_in_which_they_asked() {
    let turns = BulkTurns::default();
    let mut tickets = vec![turns.ticket(), turns.ticket(), turns.ticket()];
    while !tickets.is_empty() {
        let may_go: Vec<bool> = tickets.iter().map(|ticket| ticket.turn().now_or_never().is_some()).collect();
        assert!(may_go[0] && !may_go[1..].contains(&true), "{may_go:?}");
        tickets.remove(0);
    }
}

#[test]
fn who_gives_up_while_waiting_keeps_nobody_from_going() {
    let turns = BulkTurns::default();
    let (first, second, third) = (turns.ticket(), turns.ticket(), turns.ticket());
    assert!(first.turn().now_or_never().is_some());
    assert!(third.turn().now_or_never().is_none());
    drop(second);
    assert!(third.turn().now_or_never().is_none());
    drop(first);
    let mut context = Context::from_waker(Waker::noop());
    assert_eq!(pin!(third.turn()).poll(&mut context), Poll::Ready(()));
    drop(third);
    assert!(turns.waiting.borrow().is_empty());
}
