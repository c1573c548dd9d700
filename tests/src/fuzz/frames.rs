//! A stream of bytes as a server or a client cuts it into frames, and what the frames hold.
//!
//! Input: flags, bytes per piece less one, number of the api of the first response, the stream. With [`REPAIR`] lengths
//! are cut down to what is there, and checksums are made right.
//!
//! Memory: 16 times the stream and 4 KiB, whatever lengths and counts in it claim; so never more than a small multiple of
//! the largest frame. A name of a topic takes two bytes at least on the wire and 24 in memory.

use bytes::{BufMut, BytesMut};
use florin_engine::limits::{
    BATCH_RECORD_COUNT_MAX, LISTED_COUNT_MAX, OFFSETS_PER_COMMIT_MAX, SHARD_COUNT_MAX, STATUS_PARTICIPANTS_MAX,
    TOPIC_COUNT_MAX, TOPIC_PARTITION_COUNT_MAX, TRANSACTION_PARTICIPANTS_MAX,
};
use florin_net::client::core::connection::Connection;
use florin_net::limits::{
    ASKED_NAME_BYTES_MAX, CLIENT_NAME_BYTES_MAX, ERROR_MESSAGE_BYTES_MAX, METADATA_NAMES_MAX, REQUEST_BYTES_MAX,
    RESPONSE_BYTES_MAX, TEXT_BYTES_MAX,
};
use florin_net::protocol::frame::{LENGTH_BYTES, put_frame};
use florin_net::protocol::{APIS, Api, FRAME_HEADER_BYTES, Frame, FrameError, FrameReader, Kind, Request, Response};

use super::{Memory, REPAIR, number, put};

mod seeds;

pub use seeds::seeds;

/// The stream is one of responses.
const RESPONSES: u8 = 1 << 1;

const CHECKSUM_AT: usize = 4;
const HEAD_BYTES_AT: usize = 8;
const FLAGS_AT: usize = 15;

/// See [`Target::run`](super::Target::run).
pub fn run(memory: Memory, input: &[u8]) -> usize {
    let Some((&[flags, piece, api], stream)) = input.split_first_chunk() else { return 0 };
    let mut stream = stream.to_vec();
    let of_server = flags & RESPONSES != 0;
    if flags & REPAIR != 0 {
        repair(&mut stream, of_server);
    }
    let bytes_max = if of_server { RESPONSE_BYTES_MAX } else { REQUEST_BYTES_MAX };
    let memory_max = 16 * stream.len() + 4096;
    let whole = memory.within("a stream", memory_max, || cut(&stream, stream.len().max(1), bytes_max));
    let pieces = memory.within("a stream in pieces", memory_max, || cut(&stream, usize::from(piece) + 1, bytes_max));
    assert_eq!(whole, pieces, "a stream gives the same frames however it comes");
    check_cut(&stream, &whole, bytes_max);
    let frames = whole.frames.iter();
    if of_server {
        connection(memory, memory_max, &stream, &whole.frames);
        let api_of = |index: usize| APIS[(usize::from(api) + index) % APIS.len()];
        frames.enumerate().filter(|(index, frame)| response(memory, memory_max, api_of(*index), frame)).count()
    } else {
        frames.filter(|frame| request(memory, memory_max, frame)).count()
    }
}

/// Makes the stream one of whole frames with right checksums, as far as there are headers.
fn repair(stream: &mut [u8], of_server: bool) {
    let mut rest = stream;
    while rest.len() >= FRAME_HEADER_BYTES {
        let claimed = (number(rest, 0) as usize).saturating_add(LENGTH_BYTES);
        let whole = if (FRAME_HEADER_BYTES..=rest.len()).contains(&claimed) { claimed } else { rest.len() };
        let (frame, next) = rest.split_at_mut(whole);
        let head_bytes = (number(frame, HEAD_BYTES_AT) as usize).min(whole - FRAME_HEADER_BYTES);
        put(frame, 0, &narrow(whole - LENGTH_BYTES).to_le_bytes());
        put(frame, HEAD_BYTES_AT, &narrow(head_bytes).to_le_bytes());
        frame[FLAGS_AT] = u8::from(of_server);
        let checked = &frame[HEAD_BYTES_AT..FRAME_HEADER_BYTES + head_bytes];
        let checksum = crc32c::crc32c_append(crc32c::crc32c(&frame[..LENGTH_BYTES]), checked);
        put(frame, CHECKSUM_AT, &checksum.to_le_bytes());
        rest = next;
    }
}

fn narrow(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("an input is short")
}

/// What became of a stream.
#[derive(Debug, PartialEq, Eq)]
struct Cut {
    frames: Vec<Frame>,
    error: Option<FrameError>,
    missing_bytes: usize,
}

/// Cuts a stream that comes in pieces, as the reader of a connection does.
fn cut(stream: &[u8], piece_bytes: usize, bytes_max: usize) -> Cut {
    let mut reader = FrameReader::new(bytes_max);
    let mut cut = Cut { frames: Vec::new(), error: None, missing_bytes: 0 };
    for piece in stream.chunks(piece_bytes) {
        reader.buffer_mut().extend_from_slice(piece);
        loop {
            match reader.next_frame() {
                Ok(Some(frame)) => cut.frames.push(frame),
                Ok(None) => break,
                Err(error) => return Cut { error: Some(error), ..cut },
            }
        }
    }
    cut.missing_bytes = reader.missing_bytes();
    cut
}

/// The frames are the stream, and what is missing is less than a frame.
fn check_cut(stream: &[u8], cut: &Cut, bytes_max: usize) {
    let mut again = BytesMut::new();
    for frame in &cut.frames {
        let before = again.len();
        append(&mut again, frame);
        assert!(again.len() - before <= bytes_max, "a frame is within the limit");
    }
    assert_eq!(stream.get(..again.len()), Some(&again[..]), "frames are written as they were cut");
    assert!(cut.missing_bytes <= bytes_max, "no more is waited for than a frame");
    assert!(cut.error.is_some() || cut.missing_bytes > 0, "a whole frame is not left behind");
}

fn append(out: &mut BytesMut, frame: &Frame) {
    put_frame(out, frame.kind, frame.version, frame.correlation, frame.payload.len(), |out| out.put_slice(&frame.head));
    out.put_slice(&frame.payload);
}

fn request(memory: Memory, memory_max: usize, frame: &Frame) -> bool {
    let own = frame.clone();
    let Ok(request) = memory.within("a request", memory_max, || Request::decode(own)) else { return false };
    let (mut expected, mut again) = (BytesMut::new(), BytesMut::new());
    append(&mut expected, frame);
    request.encode(frame.correlation, &mut again);
    assert_eq!(again, expected, "there is one encoding of a request");
    match &request {
        Request::Negotiate { client } => assert!(client.len() <= CLIENT_NAME_BYTES_MAX),
        Request::Metadata { names, .. } => {
            assert!(names.len() <= METADATA_NAMES_MAX);
            assert!(names.iter().all(|name| name.len() <= ASKED_NAME_BYTES_MAX));
        }
        Request::CreateTopic { name, .. } => assert!(name.len() <= ASKED_NAME_BYTES_MAX),
        Request::Produce { batch, .. } => assert!(!batch.is_empty() && batch.len() <= REQUEST_BYTES_MAX),
        Request::DeleteTopic { .. }
        | Request::DescribeTopic { .. }
        | Request::InitProducer
        | Request::Fetch { .. }
        | Request::ListOffsets { .. }
        | Request::DescribeShards
        | Request::ConfirmClock
        | Request::LookUpKey { .. }
        | Request::AlterTopic { .. }
        | Request::OpenTransactionalId { .. }
        | Request::EndTransaction { .. }
        | Request::ListTransactions { .. }
        | Request::DescribeTransaction { .. }
        | Request::FetchOffsets { .. }
        | Request::ListGroups { .. }
        | Request::ForgetGroup { .. } => {}
        Request::CommitOffsets { offsets, .. } => assert!(offsets.len() <= OFFSETS_PER_COMMIT_MAX),
        Request::ProduceTogether { batches } => {
            let bytes: usize = batches.iter().map(|(_, batch)| batch.len()).sum();
            assert_eq!(bytes, frame.payload.len(), "batches are the payload");
            assert!(batches.iter().all(|(_, batch)| !batch.is_empty()));
        }
    }
    true
}

fn response(memory: Memory, memory_max: usize, api: Api, frame: &Frame) -> bool {
    let own = frame.clone();
    let Ok(response) = memory.within("a response", memory_max, || Response::decode(api, own)) else { return false };
    let (mut expected, mut again) = (BytesMut::new(), BytesMut::new());
    // An error reads the same in every version.
    append(&mut expected, &Frame { version: api.version(), ..frame.clone() });
    response.encode(api, frame.correlation, &mut again);
    assert_eq!(again, expected, "there is one encoding of a response");
    match &response {
        Response::Negotiated(negotiated) => assert!(negotiated.server.len() <= TEXT_BYTES_MAX),
        Response::Topics(page) => {
            assert!(page.topics.len() <= TOPIC_COUNT_MAX && page.endpoints.host.len() <= TEXT_BYTES_MAX);
            assert!(page.endpoints.ports.len() <= usize::from(SHARD_COUNT_MAX));
        }
        Response::TopicDescribed { topic, partitions, .. } => {
            assert!(partitions.len().max(topic.placement.len()) <= TOPIC_PARTITION_COUNT_MAX as usize);
        }
        Response::Fetched(fetched) => {
            let bytes: usize = fetched.batches.iter().map(|batch| batch.bytes.len()).sum();
            assert_eq!(bytes, frame.payload.len(), "batches are the payload");
            assert!(fetched.batches.iter().all(|batch| !batch.bytes.is_empty()));
        }
        Response::Shards(shards) => {
            assert!(shards.len() <= usize::from(SHARD_COUNT_MAX));
            assert!(shards.iter().all(|shard| shard.problem.len() <= TEXT_BYTES_MAX));
        }
        Response::Error(error) => {
            assert_eq!(frame.kind, Kind::Response(error.code.0), "a code is the frame's");
            assert!(error.message.len() <= ERROR_MESSAGE_BYTES_MAX);
            assert!(error.records.len() <= BATCH_RECORD_COUNT_MAX as usize);
        }
        Response::TopicCreated(topic) | Response::TopicAltered { topic, .. } => {
            assert!(topic.placement.len() <= TOPIC_PARTITION_COUNT_MAX as usize);
        }
        Response::Known(receipts) => {
            assert!(!receipts.is_empty() && receipts.len() <= BATCH_RECORD_COUNT_MAX as usize);
        }
        Response::TopicDeleted(_)
        | Response::Producer { .. }
        | Response::Produced { .. }
        | Response::Key { .. }
        | Response::Offset(_)
        | Response::TransactionalIdOpened { .. }
        | Response::TransactionEnded { .. }
        | Response::OffsetsCommitted
        | Response::GroupForgotten
        | Response::ClockConfirmed => {}
        Response::Transactions(statuses) => assert!(statuses.len() <= LISTED_COUNT_MAX),
        Response::Transaction(status) => {
            let most = status.as_ref().map_or(0, |status| status.participants.len().max(status.unnoted.len()));
            assert!(most <= STATUS_PARTICIPANTS_MAX);
        }
        Response::Offsets(offsets) => assert!(offsets.len() <= OFFSETS_PER_COMMIT_MAX),
        Response::Groups(groups) => assert!(groups.len() <= LISTED_COUNT_MAX),
        Response::ProducedTogether { receipts, .. } => assert!(receipts.len() <= TRANSACTION_PARTICIPANTS_MAX),
    }
    true
}

/// The stream as a client's connection takes it: whatever the server answers, no request is lost.
fn connection(memory: Memory, memory_max: usize, stream: &[u8], frames: &[Frame]) {
    let mut connection: Connection<usize> = Connection::new("fuzz", u64::MAX);
    let mut answers = Vec::new();
    let first =
        frames.first().map_or(stream.len(), |frame| FRAME_HEADER_BYTES + frame.head.len() + frame.payload.len());
    let (negotiation, rest) = stream.split_at(first);
    connection.incoming_mut().extend_from_slice(negotiation);
    let result = memory.within("a negotiation", memory_max, || connection.take_answers(&mut answers));
    let mut asked = 0;
    if result.is_ok() {
        while connection.has_room() && asked < frames.len() {
            connection.request(&Request::DescribeShards, asked, u64::MAX);
            asked += 1;
        }
        connection.incoming_mut().extend_from_slice(rest);
        // An error ends the connection. What was asked and not answered is lost, and told.
        let _ = memory.within("answers", memory_max, || connection.take_answers(&mut answers));
    }
    assert_eq!(answers.len() + connection.into_lost().count(), asked, "every request is answered or lost");
}
