//! A connection against a server's bytes.

use bytes::BytesMut;
use florin_engine::model::{Id128, Offset, ProducerEpoch, ProducerId};

use super::{Connection, ConnectionFault};
use crate::limits::RESPONSE_BYTES_MAX;
use crate::protocol::{API_VERSIONS, Api, Code, ErrorResponse, FrameReader, Kind, Negotiated, Request, Response};

pub(crate) fn negotiated() -> Negotiated {
    Negotiated {
        directory_id: Id128([7; 16]),
        shard: 0,
        shard_count: 1,
        server: "florin".to_owned(),
        request_bytes_max: 1 << 21,
        batch_bytes_max: 1 << 20,
        fetch_bytes_max: 1 << 23,
        requests_max: 3,
        retry_window_batches: 5,
        idle_ms: 600_000,
        apis: API_VERSIONS.to_vec(),
    }
}

fn answer(connection: &mut Connection<u32>, api: Api, correlation: u64, response: &Response) {
    response.encode(api, correlation, connection.incoming_mut());
}

fn take(connection: &mut Connection<u32>) -> Result<Vec<(u32, Response)>, ConnectionFault> {
    let mut answers = Vec::new();
    connection.take_answers(&mut answers).map(|()| answers)
}

fn ready() -> Connection<u32> {
    let mut connection = Connection::new("test", 100);
    answer(&mut connection, Api::Negotiate, 1, &Response::Negotiated(negotiated()));
    assert_eq!(take(&mut connection), Ok(Vec::new()));
    connection
}

fn error(code: Code) -> Response {
    Response::Error(ErrorResponse::new(code, "so the test says"))
}

#[test]
fn the_first_request_is_the_negotiation_and_nothing_goes_before_its_answer() {
    let mut connection = Connection::<u32>::new("test", 100);
    assert!(!connection.has_room());
    let mut reader = FrameReader::new(RESPONSE_BYTES_MAX);
    reader.buffer_mut().extend_from_slice(connection.outgoing_mut());
    let frame = reader.next_frame().unwrap().unwrap();
    assert_eq!(frame.kind, Kind::Request(Api::Negotiate.number()));
    assert_eq!(Request::decode(frame), Ok(Request::Negotiate { client: "test".to_owned() }));
    answer(&mut connection, Api::Negotiate, 1, &Response::Negotiated(negotiated()));
    assert_eq!(take(&mut connection), Ok(Vec::new()));
    assert!(connection.has_room());
}

#[test]
fn answers_find_their_requests_in_whatever_order_and_pieces_they_come() {
    let mut connection = ready();
    connection.request(&Request::InitProducer, 1, 100);
    connection.request(&Request::DescribeShards, 2, 100);
    connection.request(&Request::ConfirmClock, 3, 100);
    assert!(!connection.has_room(), "the server reads no more than so many");
    let mut bytes = BytesMut::new();
    Response::ClockConfirmed.encode(Api::ConfirmClock, 4, &mut bytes);
    Response::Producer { id: ProducerId(9), epoch: ProducerEpoch(0) }.encode(Api::InitProducer, 2, &mut bytes);
    let mut answers = Vec::new();
    for byte in &bytes {
        connection.incoming_mut().extend_from_slice(&[*byte]);
        connection.take_answers(&mut answers).unwrap();
    }
    let tags: Vec<u32> = answers.iter().map(|(tag, _)| *tag).collect();
    assert_eq!(tags, [3, 1]);
    assert_eq!(connection.into_lost().collect::<Vec<_>>(), [2]);
}

#[test]
fn an_answer_to_nothing_ends_the_connection() {
    let mut connection = ready();
    answer(&mut connection, Api::ListOffsets, 9, &Response::Offset(Offset(1)));
    assert_eq!(take(&mut connection), Err(ConnectionFault::Unasked { correlation: 9 }));
}

#[test]
fn an_answer_that_cannot_be_read_ends_the_connection_and_its_request_is_lost() {
    let mut connection = ready();
    connection.request(&Request::InitProducer, 1, 100);
    answer(&mut connection, Api::ListOffsets, 2, &Response::Offset(Offset(1)));
    let fault = take(&mut connection).unwrap_err();
    assert!(matches!(fault, ConnectionFault::Response(_)) && fault.is_protocol());
    assert_eq!(connection.into_lost().collect::<Vec<_>>(), [1]);
}

#[test]
fn damaged_frames_and_other_protocols_end_the_connection() {
    let mut connection = ready();
    connection.incoming_mut().extend_from_slice(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    assert!(matches!(take(&mut connection), Err(ConnectionFault::Frame(_))));
    let mut connection = ready();
    connection.request(&Request::InitProducer, 1, 100);
    answer(&mut connection, Api::InitProducer, 2, &Response::Producer { id: ProducerId(1), epoch: ProducerEpoch(0) });
    let last = connection.incoming_mut().len() - 1;
    connection.incoming_mut()[last] ^= 1;
    assert!(matches!(take(&mut connection), Err(ConnectionFault::Frame(_))));
    assert_eq!(connection.into_lost().collect::<Vec<_>>(), [1]);
}

#[test]
fn another_program_is_told_by_its_first_bytes() {
    let foreign = |begins: &str| Err(ConnectionFault::Foreign { begins: begins.to_owned() });
    for (sent, begins) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "HTTP/1.1 400 Bad Request"),
        (b"220 mail\r\n", "220 mail\\r\\n"),
        (b"\x00\x00\x00\x00", "\\x00\\x00\\x00\\x00"),
    ] {
        let mut connection = Connection::new("test", u64::MAX);
        connection.incoming_mut().extend_from_slice(sent);
        assert_eq!(take(&mut connection), foreign(begins));
    }
}

#[test]
fn a_server_of_another_version_or_without_limits_is_refused() {
    let mut connection = Connection::<u32>::new("test", 100);
    let mut server = negotiated();
    server.apis[6].version_min = 2;
    server.apis[6].version_max = 3;
    answer(&mut connection, Api::Negotiate, 1, &Response::Negotiated(server));
    assert_eq!(take(&mut connection), Err(ConnectionFault::Version { api: Api::Produce, version: 1 }));
    let mut connection = Connection::<u32>::new("test", 100);
    answer(&mut connection, Api::Negotiate, 1, &Response::Negotiated(Negotiated { requests_max: 0, ..negotiated() }));
    assert!(matches!(take(&mut connection), Err(ConnectionFault::Limits { requests_max: 0, .. })));
}

#[test]
fn the_server_may_say_why_it_closes() {
    let mut connection = ready();
    answer(&mut connection, Api::Negotiate, 0, &error(Code::TOO_MANY_CONNECTIONS));
    let fault = take(&mut connection).unwrap_err();
    assert!(matches!(&fault, ConnectionFault::Closing(error) if error.code == Code::TOO_MANY_CONNECTIONS));
    assert!(!fault.is_protocol());
}

#[test]
fn a_request_without_an_answer_in_time_ends_the_connection() {
    let mut connection = ready();
    connection.request(&Request::InitProducer, 1, 500);
    connection.request(&Request::InitProducer, 2, 300);
    assert_eq!(connection.check_deadlines(299), Ok(()));
    assert_eq!(connection.check_at_ns(), 300);
    assert_eq!(connection.check_deadlines(300), Err(ConnectionFault::Unanswered { api: Api::InitProducer }));
}
