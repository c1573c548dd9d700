use std::io;
use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use florin_engine::model::{Monotonic, Offset, Realtime, ShardId};
use florin_engine::partition::HeldBatch;
use florin_engine::shard::Fetched;
use futures_util::FutureExt;

use super::{Connection, Event, Lapse, Outgoing, OutgoingQueue, Patience, Phase};
use crate::io::Stream;
use crate::protocol::response::fetched_frame_bytes;

const PATIENCE: Patience = Patience { idle_ns: 1000, frame_ns: 100, send_ns: 300 };

/// A socket that nothing comes from and that takes nothing.
struct DeadStream;

impl Stream for DeadStream {
    async fn read(&self, _into: &mut BytesMut, _expected_bytes: Option<usize>) -> io::Result<usize> {
        std::future::pending().await
    }

    async fn write(&self, _bytes: &[u8]) -> io::Result<usize> {
        std::future::pending().await
    }

    fn end_sending(&self) {}

    fn shut_down(&self) {}
}

fn connection() -> Connection<DeadStream> {
    let peer = SocketAddr::from(([127, 0, 0, 1], 1));
    Connection::new(DeadStream, ShardId(0), peer, Monotonic(0))
}

/// Larger than what is copied at once.
const LARGE: &[u8] = &[7; 10_000];

fn fetched(bytes: &'static [u8]) -> Fetched {
    let batch = HeldBatch {
        base_offset: Offset(0),
        last_offset: Offset(0),
        append_time: Realtime(1),
        undecided: 0,
        bytes: Bytes::from_static(bytes),
    };
    Fetched {
        batches: vec![batch],
        start_offset: Offset(0),
        high_watermark: Offset(1),
        stable_offset: Offset(1),
        aborted: Vec::new(),
    }
}

#[test]
fn a_connection_that_does_not_negotiate_lapses_like_a_frame_that_does_not_end() {
    let connection = connection();
    assert_eq!(connection.lapse(Monotonic(100), &PATIENCE), None);
    assert_eq!(connection.lapse(Monotonic(101), &PATIENCE), Some(Lapse::Frame));
    connection.close();
    assert_eq!(connection.lapse(Monotonic(101), &PATIENCE), None, "it is closing already");
}

#[test]
fn a_connection_is_idle_only_with_nothing_to_answer_and_nothing_to_send() {
    let connection = connection();
    connection.frame_since.set(None);
    let later = Monotonic(5000);
    assert_eq!(connection.lapse(later, &PATIENCE), Some(Lapse::Idle));
    connection.begin_request(10);
    assert_eq!(connection.lapse(later, &PATIENCE), None);
    connection.push_frames(|out| out.extend_from_slice(b"answer"));
    connection.end_request(1, 10, Monotonic(1));
    assert_eq!(connection.lapse(later, &PATIENCE), None);
    assert_eq!(connection.drop_outgoing(), 6);
    assert_eq!(connection.lapse(later, &PATIENCE), Some(Lapse::Idle));
}

#[test]
fn a_client_that_takes_nothing_lapses_whatever_phase_it_is_in() {
    let connection = connection();
    connection.send_since.set(Some(Monotonic(50)));
    connection.close();
    assert_eq!(connection.lapse(Monotonic(350), &PATIENCE), None);
    assert_eq!(connection.lapse(Monotonic(351), &PATIENCE), Some(Lapse::Send));
}

#[test]
fn what_a_connection_holds_is_its_requests_and_what_waits_to_be_sent() {
    let connection = connection();
    connection.begin_request(60);
    connection.charge_request(40);
    assert_eq!(connection.push_frames(|out| out.extend_from_slice(b"1234")), 4);
    let large = fetched_frame_bytes(0, 1, LARGE.len());
    let empty = fetched_frame_bytes(0, 0, 0);
    assert_eq!(connection.push_fetched(1, fetched(LARGE)), large);
    let nothing = Fetched { batches: Vec::new(), ..fetched(b"") };
    assert_eq!(connection.push_fetched(2, nothing), empty, "an answer without batches is counted as well");
    let queued = 4 + large + empty;
    assert_eq!((connection.held_bytes(), connection.request_count()), (100 + queued, 1));
    connection.end_request(1, 100, Monotonic(1));
    assert_eq!(connection.held_bytes(), queued);
    assert_eq!(connection.drop_outgoing(), queued);
    assert_eq!(connection.held_bytes(), 0);
}

#[test]
fn nothing_is_kept_for_a_connection_that_is_gone() {
    let connection = connection();
    connection.abort();
    assert_eq!(connection.push_frames(|_| panic!("nothing is encoded")), 0);
    assert_eq!(connection.push_fetched(1, fetched(b"batch")), 0);
    connection.close();
    assert_eq!(connection.phase(), Phase::Gone);
}

#[test]
fn a_closing_connection_waits_for_its_answers_and_one_that_is_gone_does_not() {
    let connection = connection();
    connection.begin_request(1);
    connection.close();
    assert!(connection.answered().now_or_never().is_none());
    connection.end_request(1, 1, Monotonic(1));
    assert!(connection.answered().now_or_never().is_some());
    connection.begin_request(1);
    connection.abort();
    assert!(connection.answered().now_or_never().is_some());
}

#[test]
fn answers_of_one_turn_are_one_piece_and_keep_their_order_around_a_fetch() {
    let mut queue = OutgoingQueue::default();
    queue.push_frames(|out| out.extend_from_slice(b"one "));
    queue.push_frames(|out| out.extend_from_slice(b"two "));
    queue.push_fetched(7, fetched(LARGE));
    queue.push_frames(|out| out.extend_from_slice(b"three"));
    assert!(matches!(queue.pop(), Some(Outgoing::Frames(frames)) if frames == b"one two ".as_slice()));
    assert!(matches!(queue.pop(), Some(Outgoing::Fetched { correlation: 7, .. })));
    assert!(matches!(queue.pop(), Some(Outgoing::Frames(frames)) if frames == b"three".as_slice()));
    assert!(queue.pop().is_none() && queue.is_empty());
}

#[test]
fn a_sent_buffer_is_used_again_unless_it_grew_large() {
    let mut queue = OutgoingQueue::default();
    queue.give_back(BytesMut::with_capacity(1024 * 1024));
    queue.push_frames(|out| assert!(out.capacity() < 1024 * 1024));
    let Some(Outgoing::Frames(mut sent)) = queue.pop() else { panic!("it was pushed") };
    sent.reserve(4096);
    sent.extend_from_slice(b"sent");
    queue.give_back(sent);
    queue.push_frames(|out| {
        assert!(out.is_empty() && out.capacity() >= 4096);
    });
}

#[test]
fn an_event_that_happened_before_anyone_waited_is_not_lost_and_counts_once() {
    let event = Event::default();
    assert!(event.happened().now_or_never().is_none());
    event.notify();
    event.notify();
    assert!(event.happened().now_or_never().is_some());
    assert!(event.happened().now_or_never().is_none());
}
