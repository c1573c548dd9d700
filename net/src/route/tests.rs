#![allow(clippy::disallowed_methods, reason = "two real threads are what is tested")]

use std::thread;

use florin_engine::catalogue::CatalogueMessage;
use florin_engine::model::{Offset, PartitionId, RequestId, ShardId, TopicId};
use florin_engine::partition::Isolation;
use florin_engine::shard::{FetchFrom, Reply, Request};
use futures_util::FutureExt;

use super::{MeshPort, Message, NoCredit, Parcel, mesh};
use crate::limits::{FORWARDS_PER_EXECUTOR_MAX, FORWARDS_PER_PAIR_MIN, MESSAGES_PER_PAIR_MAX};

fn pair() -> (MeshPort, MeshPort) {
    let mut ends = mesh(2);
    let (second, first) = (ends.pop().unwrap(), ends.pop().unwrap());
    (first, second)
}

fn forward(from: &MeshPort, id: u64) -> Result<(), NoCredit> {
    from.forward(1, ShardId(1), RequestId(id), Request::Metadata)
}

fn answer_next(at: &MeshPort) -> RequestId {
    match at.receive() {
        Some((from, Parcel::Forward { id, .. })) => {
            at.answer(from, id, Reply::Offset(Offset(id.0)));
            id
        }
        other => panic!("{other:?} is no request"),
    }
}

#[test]
fn a_request_goes_over_and_its_answer_comes_back_in_order() {
    let (first, second) = pair();
    for id in 0..3 {
        forward(&first, id).unwrap();
    }
    for id in 0..3 {
        assert_eq!(answer_next(&second), RequestId(id));
    }
    for id in 0..3 {
        let (from, parcel) = first.receive().unwrap();
        assert_eq!(from, 1);
        assert!(matches!(parcel, Parcel::Answer { id: answered, .. } if answered == RequestId(id)));
    }
    assert!(first.receive().is_none() && second.receive().is_none());
}

#[test]
fn without_credit_nothing_is_sent_and_an_answer_gives_credit_back() {
    let (first, second) = pair();
    let credits = (FORWARDS_PER_EXECUTOR_MAX / 2) as u64;
    for id in 0..credits {
        forward(&first, id).unwrap();
    }
    assert_eq!(forward(&first, credits), Err(NoCredit));
    answer_next(&second);
    assert_eq!(forward(&first, credits), Err(NoCredit), "the answer was not received yet");
    assert!(first.receive().is_some());
    forward(&first, credits).unwrap();
    assert_eq!(forward(&first, credits + 1), Err(NoCredit));
}

#[test]
fn fetches_that_wait_leave_half_of_the_credits_to_everything_else() {
    let (first, second) = pair();
    let credits = FORWARDS_PER_EXECUTOR_MAX / 2;
    let poll = |id| {
        let partition = PartitionId { topic: TopicId(1), index: 0 };
        let request = Request::Fetch {
            partition,
            from: FetchFrom::Offset(Offset(0)),
            bytes_max: 1,
            wait_ns: 1,
            isolation: Isolation::Uncommitted,
        };
        first.forward(1, ShardId(1), RequestId(id), request)
    };
    assert_eq!((0..).take_while(|id| poll(*id).is_ok()).count(), credits / 2);
    assert_eq!((0..).take_while(|id| forward(&first, *id).is_ok()).count(), credits / 2);
    answer_next(&second);
    assert!(first.receive().is_some());
    first.end_poll(1);
    poll(1).unwrap();
}

#[test]
fn a_lane_has_room_for_the_requests_their_cancellations_and_the_answers_of_both_sides() {
    let (first, second) = pair();
    let credits = (FORWARDS_PER_EXECUTOR_MAX / 2) as u64;
    let fill = |generation: u64| {
        for id in 0..credits {
            let id = RequestId(generation * credits + id);
            first.forward(1, ShardId(1), id, Request::Metadata).unwrap();
            first.cancel(1, id);
            second.forward(0, ShardId(0), id, Request::Metadata).unwrap();
            second.cancel(0, id);
        }
    };
    fill(0);
    for generation in 1..4 {
        // Both take the requests and answer them all, and leave the last cancellation where it is.
        for (taker, asker) in [(&first, 1), (&second, 0)] {
            let mut taken = 0;
            while taken < credits {
                if let Some((from, Parcel::Forward { id, .. })) = taker.receive() {
                    assert_eq!(from, asker);
                    taker.answer(from, id, Reply::ClockConfirmed);
                    taken += 1;
                }
            }
        }
        for end in [&first, &second] {
            let mut answers = 0;
            while answers < credits {
                answers += u64::from(matches!(end.receive(), Some((_, Parcel::Answer { .. }))));
            }
        }
        fill(generation);
    }
}

#[test]
fn messages_of_the_catalogue_are_dropped_when_there_are_too_many_and_leave_requests_their_room() {
    let (first, second) = pair();
    let message = || Message {
        from: ShardId(0),
        to: ShardId(1),
        message: CatalogueMessage::Opened { topic: TopicId(1), revision: 1 }.into(),
    };
    for _ in 0..MESSAGES_PER_PAIR_MAX {
        assert!(first.send(1, message()));
    }
    assert!(!first.send(1, message()));
    forward(&first, 1).unwrap();
    assert_eq!(answer_next(&second), RequestId(1));
    assert_eq!(second.receive_message().unwrap().to, ShardId(1));
    assert!(first.send(1, message()));
}

#[test]
fn a_bell_that_rang_before_anyone_listened_is_heard_once() {
    let (first, second) = pair();
    assert!(second.heard().now_or_never().is_none());
    forward(&first, 1).unwrap();
    forward(&first, 2).unwrap();
    assert!(second.heard().now_or_never().is_some());
    assert!(second.heard().now_or_never().is_none(), "whoever heard it looks for everything");
}

#[test]
fn nothing_is_lost_between_two_threads_that_send_as_fast_as_they_can() {
    const COUNT: u64 = 50_000;
    let (first, second) = pair();
    let server = thread::spawn(move || {
        let mut served = 0;
        while served < COUNT {
            match second.receive() {
                Some((from, Parcel::Forward { id, .. })) => {
                    second.answer(from, id, Reply::Offset(Offset(id.0)));
                    served += 1;
                }
                Some(other) => panic!("{other:?} is no request"),
                None => thread::yield_now(),
            }
        }
    });
    let (mut sent, mut answered) = (0, 0);
    while answered < COUNT {
        if sent < COUNT && forward(&first, sent).is_ok() {
            sent += 1;
        }
        match first.receive() {
            Some((_, Parcel::Answer { id, reply })) => {
                assert_eq!((id, reply), (RequestId(answered), Reply::Offset(Offset(answered))));
                answered += 1;
            }
            Some((_, other)) => panic!("{other:?} is no answer"),
            None => thread::yield_now(),
        }
    }
    server.join().unwrap();
}

#[test]
fn many_executors_share_the_credits_and_keep_a_least_number() {
    for (executor_count, credits) in [(2, FORWARDS_PER_EXECUTOR_MAX / 2), (256, FORWARDS_PER_PAIR_MIN)] {
        let ends = mesh(executor_count);
        let sent = (0..).take_while(|id| forward(&ends[0], *id).is_ok()).count();
        assert_eq!(sent, credits);
    }
}
