//! `PROTOCOL.md` against the code: what the page says about the wire is so.

#[path = "protocol/examples.rs"]
mod examples;
#[path = "protocol/heads.rs"]
mod heads;
#[path = "protocol/messages.rs"]
mod messages;
#[path = "protocol/transactional.rs"]
mod transactional;

use bytes::{Bytes, BytesMut};
use florin_engine::catalogue::{TopicChange, TopicSettings};
use florin_engine::format::batch::{BatchBuilder, HEADERS_NONE};
use florin_engine::format::control::{KeyRule, KeySource, Partitioner};
use florin_engine::key::KeyVerdict;
use florin_engine::limits as engine_limits;
use florin_engine::model::{Id128, Offset, PartitionId, ProducerEpoch, ProducerId, Realtime, TopicId};
use florin_engine::partition::Isolation;
use florin_engine::shard::{Action, KeyReceipt};
use florin_net::limits;
use florin_net::protocol::{
    API_VERSIONS, APIS, Api, CODES, Code, ErrorResponse, FRAME_HEADER_BYTES, FetchResponse, FetchedBatch, FieldError,
    Frame, FrameReader, Kind, ListAt, Negotiated, PartitionDescription, Request, RequestError, RequestFrom, Response,
    ResponseError, ShardDescription, ShardEndpoints, ShardState, TopicDescription, TopicsPage, frame,
};

use crate::tree::{Table, code, quoted, read, tables};

const PAGE: &str = "net/docs/PROTOCOL.md";
const PRODUCER: ProducerId = ProducerId((1 << 48) + 5);
const TIME: Realtime = Realtime(1_700_000_000_123_456_789);
const PARTITION: PartitionId = PartitionId { topic: TopicId(7), index: 3 };

fn page_tables() -> Vec<Table> {
    tables(&read(PAGE))
}

/// The blocks of code of a chapter, whose title begins a line.
fn blocks(title: &str) -> Vec<String> {
    let page = read(PAGE);
    let (_, chapter) = page.split_once(&format!("\n{title}\n")).unwrap_or_else(|| panic!("no chapter {title}"));
    let chapter = chapter.split("\n#").next().expect("a chapter ends");
    chapter.split("```").skip(1).step_by(2).map(|block| block.trim_start_matches("text\n").to_owned()).collect()
}

/// The bytes of hexadecimal digits.
fn bytes_of(digits: impl Iterator<Item = char>) -> Vec<u8> {
    let digits: Vec<_> = digits.map(|digit| digit.to_digit(16).expect("a digit")).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).expect("a byte")).collect()
}

fn frame_of(bytes: &[u8]) -> Frame {
    let mut reader = FrameReader::new(limits::RESPONSE_BYTES_MAX);
    reader.buffer_mut().extend_from_slice(bytes);
    let frame = reader.next_frame().expect("a frame").expect("a whole frame");
    assert_eq!(reader.buffered_bytes(), 0, "bytes behind a frame");
    frame
}

fn frame_of_request(request: &Request) -> Frame {
    let mut out = BytesMut::new();
    request.encode(1, &mut out);
    frame_of(&out)
}

fn frame_of_response(response: &Response, api: Api) -> Frame {
    let mut out = BytesMut::new();
    response.encode(api, 1, &mut out);
    frame_of(&out)
}

fn example_batch() -> BytesMut {
    let mut builder = BatchBuilder::new();
    builder.push(1_700_000_000_000, Some(b"card-1"), Some(b"12.50 EUR"), HEADERS_NONE).expect("it fits");
    builder.stamp(PRODUCER, ProducerEpoch(0), 0);
    builder.finish()
}

fn words_of(action: Action) -> &'static str {
    match action {
        Action::Retry => "retry",
        Action::Refresh => "refresh",
        Action::Fenced => "fenced",
        Action::FixRequest => "fix request",
        Action::Fatal => "fatal",
        Action::OutcomeUnknown => "outcome unknown",
        Action::AbortTransaction => "abort transaction",
    }
}

#[test]
fn the_frame_header_in_the_page_is_that_of_the_code() {
    let tables = page_tables();
    let table = Table::find(&tables, &["at", "bytes", "type", "field"]);
    let source = code(&read("net/src/protocol/frame.rs"));
    let (_, fields) = source.split_once("struct FrameHeader {").expect("the header");
    let fields = fields.split('}').next().expect("the header ends");
    let mut at = 0;
    let mut are = Vec::new();
    for field in fields.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (name, kind) = field.trim_end_matches(',').split_once(": ").expect("a field and its type");
        let kind = kind.to_lowercase();
        let bytes = kind[1..].parse::<usize>().expect("a number of bits") / 8;
        are.push([at.to_string(), bytes.to_string(), kind, format!("`{name}`")].to_vec());
        at += bytes;
    }
    assert_eq!(at, FRAME_HEADER_BYTES);
    let said: Vec<_> = table.rows.iter().map(|row| row[..4].to_vec()).collect();
    assert_eq!(said, are);

    let mut out = BytesMut::new();
    frame::put_frame(&mut out, Kind::Response(0x0102), 3, 0x0405, 6, |head| head.extend_from_slice(b"head"));
    let at = |field: &str| {
        let row = table.rows.iter().find(|row| row[3] == format!("`{field}`")).expect("a row");
        let (start, bytes): (usize, usize) = (row[0].parse().expect("a place"), row[1].parse().expect("a length"));
        out[start..start + bytes].iter().rev().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte))
    };
    let fields = ["bytes", "head_bytes", "kind", "version", "flags", "correlation"].map(at);
    assert_eq!(fields, [20 + 4 + 6, 4, 0x0102, 3, 1, 0x0405]);
}

#[test]
fn the_worked_checksum_in_the_page_is_right() {
    let blocks = blocks("### Checksum");
    let [covered, whole] = &blocks[..] else { panic!("what is covered, and the frame") };
    let bytes = |block: &str| bytes_of(block.chars().filter(|digit| !digit.is_whitespace()));
    let (covered, whole) = (bytes(covered), bytes(whole));
    assert_eq!(covered, [&whole[..4], &whole[8..]].concat());
    let checksum = crc32c::crc32c(&covered);
    assert_eq!(whole[4..8], checksum.to_le_bytes());
    let page = read(PAGE);
    assert!(page.contains(&format!("Their CRC-32C is {checksum:#010x},")), "{checksum:#010x}");
    assert!(page.contains(&format!("it is\n{:#010x})", crc32c::crc32c(b"123456789"))));
    let frame = frame_of(&whole);
    assert_eq!(frame.correlation, 7);
    assert_eq!(Request::decode(frame), Ok(Request::InitProducer));
}

#[test]
fn the_apis_in_the_page_are_those_of_the_code() {
    let tables = page_tables();
    let table = Table::find(&tables, &["api", "number", "versions"]);
    let versions = |min: u8, max: u8| if min == max { min.to_string() } else { format!("{min} to {max}") };
    let are: Vec<_> = APIS
        .iter()
        .zip(API_VERSIONS)
        .map(|(api, spoken)| {
            let versions = versions(spoken.version_min, spoken.version_max);
            [format!("`{}`", api.name()), api.number().to_string(), versions].to_vec()
        })
        .collect();
    let said: Vec<_> = table.rows.iter().map(|row| row[..3].to_vec()).collect();
    assert_eq!(said, are);
}

#[test]
fn the_codes_in_the_page_are_those_of_the_code() {
    let tables = page_tables();
    let table = Table::find(&tables, &["code", "name", "action", "meaning", "`details[0]`", "`details[1]`"]);
    for (row, is) in table.rows.iter().zip(&CODES) {
        let are =
            [is.code.0.to_string(), format!("`{}`", is.name), words_of(is.action).to_owned(), is.meaning.to_owned()];
        assert_eq!(row[..4], are);
    }
    assert_eq!(table.rows.len(), CODES.len());
    let with_details = |column: usize| -> Vec<u16> {
        let rows = table.rows.iter().filter(|row| row[column] != "-");
        rows.map(|row| row[0].parse().expect("a code")).collect()
    };
    let first = [11, 15, 16, 19, 21, 24, 25, 27, 32, 33, 34, 35, 50, 51, 53, 56, 60, 61, 62, 63, 64, 65, 66, 68, 70];
    assert_eq!(with_details(4), [&first[..], &[101, 104, 107]].concat());
    assert_eq!(with_details(5), [16, 19, 21, 24, 25, 27, 34, 51, 53, 56, 60, 61, 62, 63, 70, 104]);
    let of_producers = Table::find(&tables, &["code", "what it means for the producer", "what the client does"]);
    let said: Vec<_> = of_producers.rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(said, ["30", "31", "32", "33", "34", "35"]);
}

#[test]
fn the_codes_that_close_are_those_whose_meaning_says_so() {
    let closing: Vec<_> =
        CODES.iter().filter(|row| row.meaning.ends_with("closed")).map(|row| row.code.0.to_string()).collect();
    let (last, others) = closing.split_last().expect("codes that close");
    let sentence = format!("Codes {} and {last} end the connection", others.join(", "));
    assert!(read(PAGE).contains(&sentence), "{sentence}");
}

#[test]
fn the_actions_in_the_page_have_the_numbers_that_are_sent() {
    let tables = page_tables();
    let table = Table::find(&tables, &["action", "name", "what a client does"]);
    let said: Vec<_> = table.rows.iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    use Action::{AbortTransaction, Fatal, Fenced, FixRequest, OutcomeUnknown, Refresh, Retry};
    let all = [Retry, Refresh, Fenced, FixRequest, Fatal, OutcomeUnknown, AbortTransaction];
    let mut actions = all.map(|action| {
        let error =
            ErrorResponse { code: Code(1), action, details: [0; 2], message: String::new(), records: Vec::new() };
        let head = frame_of_response(&Response::Error(error), Api::Fetch).head;
        (head[0].to_string(), words_of(action).to_owned())
    });
    actions.sort();
    assert_eq!(said, actions);
}

#[test]
fn the_states_of_shards_in_the_page_have_the_numbers_that_are_sent() {
    let tables = page_tables();
    let table = Table::find(&tables, &["state", "name", "means"]);
    let said: Vec<_> = table.rows.iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let states =
        [ShardState::Starting, ShardState::Serving, ShardState::Failed, ShardState::Stopping, ShardState::NotOpen];
    let are = states.map(|state| {
        let shard = ShardDescription { state, ..ShardDescription::default() };
        let head = frame_of_response(&Response::Shards(vec![shard]), Api::DescribeShards).head;
        (head[6].to_string(), format!("`{state:?}`"))
    });
    assert_eq!(said, are);
}

#[test]
fn the_limits_in_the_page_are_those_of_the_code() {
    let tables = page_tables();
    let table = Table::find(&tables, &["limit", "value", "of"]);
    let said: Vec<_> = table
        .rows
        .iter()
        .map(|row| (quoted(&row[0])[0], row[1].replace(' ', "").parse::<u64>().expect("a number")))
        .collect();
    let are = [
        ("REQUEST_BYTES_MAX", limits::REQUEST_BYTES_MAX as u64),
        ("RESPONSE_BYTES_MAX", limits::RESPONSE_BYTES_MAX as u64),
        ("BATCH_BYTES_MAX", engine_limits::BATCH_BYTES_MAX as u64),
        ("BATCH_RECORD_COUNT_MAX", u64::from(engine_limits::BATCH_RECORD_COUNT_MAX)),
        ("FETCH_BYTES_MAX", engine_limits::FETCH_BYTES_MAX as u64),
        ("FETCH_WAIT_NS_MAX", engine_limits::FETCH_WAIT_NS_MAX),
        ("METADATA_NAMES_MAX", limits::METADATA_NAMES_MAX as u64),
        ("METADATA_PAGE_BYTES", limits::METADATA_PAGE_BYTES as u64),
        ("ASKED_NAME_BYTES_MAX", limits::ASKED_NAME_BYTES_MAX as u64),
        ("TOPIC_NAME_BYTES_MAX", engine_limits::TOPIC_NAME_BYTES_MAX as u64),
        ("TOPIC_PARTITION_COUNT_MAX", u64::from(engine_limits::TOPIC_PARTITION_COUNT_MAX)),
        ("RECORD_BYTES_MAX_MIN", u64::from(engine_limits::RECORD_BYTES_MAX_MIN)),
        ("RECORD_BYTES_MAX_MAX", u64::from(engine_limits::RECORD_BYTES_MAX_MAX)),
        ("SEGMENT_BYTES_MIN", engine_limits::SEGMENT_BYTES_MIN),
        ("SEGMENT_BYTES_MAX", engine_limits::SEGMENT_BYTES_MAX),
        ("SEGMENT_BYTES_DEFAULT", engine_limits::SEGMENT_BYTES_DEFAULT),
        ("TOPIC_COUNT_MAX", engine_limits::TOPIC_COUNT_MAX as u64),
        ("SHARD_COUNT_MAX", u64::from(engine_limits::SHARD_COUNT_MAX)),
        ("CLIENT_NAME_BYTES_MAX", limits::CLIENT_NAME_BYTES_MAX as u64),
        ("ERROR_MESSAGE_BYTES_MAX", limits::ERROR_MESSAGE_BYTES_MAX as u64),
        ("TEXT_BYTES_MAX", limits::TEXT_BYTES_MAX as u64),
        ("PRODUCER_WINDOW_BATCHES", engine_limits::PRODUCER_WINDOW_BATCHES as u64),
        ("PARTITION_PRODUCER_COUNT_MAX", engine_limits::PARTITION_PRODUCER_COUNT_MAX as u64),
        ("PRODUCER_IDLE_NS", engine_limits::PRODUCER_IDLE_NS),
        ("CATALOGUE_WAIT_NS", engine_limits::CATALOGUE_WAIT_NS),
        ("CONNECTION_COUNT_DEFAULT", limits::CONNECTION_COUNT_DEFAULT as u64),
        ("CONNECTION_REQUESTS_MAX", limits::CONNECTION_REQUESTS_MAX as u64),
        ("CONNECTION_BYTES_DEFAULT", limits::CONNECTION_BYTES_DEFAULT as u64),
        ("FRAME_NS_DEFAULT", limits::FRAME_NS_DEFAULT),
        ("IDLE_NS_DEFAULT", limits::IDLE_NS_DEFAULT),
        ("SEND_NS_DEFAULT", limits::SEND_NS_DEFAULT),
    ];
    assert_eq!(said, [&are[..], &transactional::limits()].concat());
}

#[test]
fn the_time_outs_in_the_page_are_those_of_the_code() {
    let tables = page_tables();
    let table = Table::find(&tables, &["time", "what happens"]);
    let seconds = |ns: u64| format!("{} s ", ns / 1_000_000_000);
    let minutes = |ns: u64| format!("{} min ", ns / 60_000_000_000);
    let [negotiation, frame, idle, send] = &table.rows[..] else { panic!("four time-outs") };
    assert!(negotiation[0].starts_with(&seconds(limits::FRAME_NS_DEFAULT)));
    assert!(frame[0].starts_with(&seconds(limits::FRAME_NS_DEFAULT)));
    assert!(idle[0].starts_with(&minutes(limits::IDLE_NS_DEFAULT)));
    assert!(send[0].starts_with(&seconds(limits::SEND_NS_DEFAULT)));
}

/// One request of every api, with something in each of its lists.
fn requests() -> Vec<Request> {
    let partition = PARTITION;
    let mut requests = vec![
        Request::Negotiate { client: "example".to_owned() },
        Request::Metadata { from: TopicId(8), names: vec!["orders".to_owned(), "refunds".to_owned()] },
        Request::CreateTopic {
            name: "orders".to_owned(),
            partition_count: 12,
            settings: TopicSettings::default(),
            keys: Some(rule()),
        },
        Request::DeleteTopic { topic: TopicId(7) },
        Request::DescribeTopic { topic: TopicId(7) },
        Request::InitProducer,
        Request::Produce { partition, batch: example_batch() },
        Request::Fetch {
            partition,
            from: RequestFrom::Offset(Offset(41)),
            bytes_max: 1,
            wait_ms: 500,
            isolation: Isolation::Uncommitted,
        },
        Request::ListOffsets { partition, at: ListAt::Time(TIME) },
        Request::DescribeShards,
        Request::ConfirmClock,
        Request::AlterTopic { topic: TopicId(7), change: TopicChange::default() },
        Request::LookUpKey { topic: TopicId(7), key: Bytes::from_static(b"payment-1") },
    ];
    requests.extend(transactional::requests());
    requests
}

/// The same of responses.
fn responses() -> Vec<Response> {
    let topic = || TopicDescription {
        id: TopicId(7),
        name: "orders".to_owned(),
        revision: 1,
        placement: vec![0, 3],
        keys: None,
    };
    let settings = TopicSettings::default();
    let endpoints = ShardEndpoints { host: "db1.example".to_owned(), ports: vec![9401, 9402, 0, 9404] };
    let batches =
        vec![FetchedBatch { base_offset: Offset(41), append_time: TIME, bytes: Bytes::from(example_batch()) }; 2];
    let shard = ShardDescription { problem: "damaged".to_owned(), ..ShardDescription::default() };
    let mut responses = vec![
        negotiated(),
        Response::Topics(TopicsPage { endpoints, complete: true, next: TopicId(9), topics: vec![topic(), topic()] }),
        Response::TopicCreated(topic()),
        Response::TopicDeleted(TopicId(7)),
        Response::TopicDescribed { topic: topic(), settings, partitions: vec![PartitionDescription::default(); 2] },
        Response::Producer { id: PRODUCER, epoch: ProducerEpoch(0) },
        Response::Known(vec![KeyReceipt { offset: Offset(41), append_time: TIME }; 2]),
        Response::Fetched(FetchResponse {
            start_offset: Offset(0),
            high_watermark: Offset(42),
            stable_offset: Offset(42),
            aborted: vec![transactional::aborted(); 2],
            batches,
        }),
        Response::Offset(Offset(42)),
        Response::Shards(vec![shard; 2]),
        Response::ClockConfirmed,
        Response::TopicAltered { topic: topic(), settings },
        Response::Key { partition: 3, receipt: Some(KeyReceipt { offset: Offset(41), append_time: TIME }) },
    ];
    responses.extend(transactional::responses());
    responses
}

fn rule() -> KeyRule {
    let source = KeySource::Header("payment-id".into());
    KeyRule::new(source, 90, vec!["amount".into(), "currency".into()], Partitioner::Murmur2).expect("a rule")
}

fn negotiated() -> Response {
    let directory_id = std::array::from_fn(|index| u8::try_from(index * 17).expect("a byte"));
    Response::Negotiated(Negotiated {
        directory_id: Id128(directory_id),
        shard: 1,
        shard_count: 4,
        server: "florin 0.1.0".to_owned(),
        request_bytes_max: u32::try_from(limits::REQUEST_BYTES_MAX).expect("it is small"),
        batch_bytes_max: u32::try_from(engine_limits::BATCH_BYTES_MAX).expect("it is small"),
        fetch_bytes_max: u32::try_from(engine_limits::FETCH_BYTES_MAX).expect("it is small"),
        requests_max: u32::try_from(limits::CONNECTION_REQUESTS_MAX).expect("it is small"),
        retry_window_batches: u32::try_from(engine_limits::PRODUCER_WINDOW_BATCHES).expect("it is small"),
        idle_ms: u32::try_from(limits::IDLE_NS_DEFAULT / 1_000_000).expect("it is small"),
        apis: API_VERSIONS.to_vec(),
    })
}

/// The table of fields below a paragraph that ends in "Request `api`…" or "Response to `api`…"; none if it has none.
fn fields_table<'a>(tables: &'a [Table], begins: &str) -> Option<&'a Table> {
    let mut found = tables.iter().filter(|table| table.columns == ["at", "bytes", "field", "type", "meaning"]);
    found.find(|table| table.caption.contains(begins))
}

/// Holds the fields of a table against a head, by where a head that is cut off is said to end.
fn assert_fields(table: Option<&Table>, frame: &Frame, what: &str, cut_off_in: impl Fn(Frame) -> Option<&'static str>) {
    let Some(table) = table else {
        return assert!(frame.head.is_empty(), "{what} has fields and no table");
    };
    for span in heads::spans(table, &frame.head) {
        for at in span.start..span.end {
            let field = cut_off_in(Frame { head: frame.head.slice(..at), ..frame.clone() });
            let field = field.unwrap_or_else(|| panic!("{what} is read although it ends at {at}"));
            let is_told = field == span.name || span.counts.iter().any(|count| count == field);
            assert!(is_told, "{what}: byte {at} is of {field}, the page says {}", span.name);
        }
    }
}

#[test]
fn every_field_of_a_request_stands_where_the_page_says() {
    let tables = page_tables();
    for request in requests() {
        let begins = format!("Request `{}`", request.api().name());
        let cut_off_in = |frame| match Request::decode(frame) {
            Err(RequestError::Fields { error: FieldError::CutOff { field }, .. }) => Some(field),
            _ => None,
        };
        assert_fields(fields_table(&tables, &begins), &frame_of_request(&request), &begins, cut_off_in);
    }
}

#[test]
fn every_field_of_a_response_stands_where_the_page_says() {
    let tables = page_tables();
    let error = ErrorResponse {
        code: Code(21),
        action: Action::FixRequest,
        details: [1, 2],
        message: "no".to_owned(),
        records: Vec::new(),
    };
    let mut cases: Vec<_> = APIS
        .into_iter()
        .zip(responses())
        .map(|(api, response)| (api, response, format!("Response to `{}`", api.name())))
        .collect();
    cases.push((Api::Fetch, Response::Error(error), "Response to every api, if it is an error:".to_owned()));
    let records = vec![KeyVerdict::New, KeyVerdict::Duplicate { offset: Offset(41), append_time: TIME }];
    let mixed = ErrorResponse { records, ..ErrorResponse::new(Code::KEYS_KNOWN, "mixed") };
    cases.push((Api::Produce, Response::Error(mixed), "Response to `produce`, with code 52 or 53:".to_owned()));
    let described = cases.iter().filter(|(_, _, begins)| fields_table(&tables, begins).is_some()).count();
    for (api, response, begins) in cases {
        let cut_off_in = |frame| match Response::decode(api, frame) {
            Err(ResponseError::Fields { error: FieldError::CutOff { field }, .. }) => Some(field),
            _ => None,
        };
        assert_fields(fields_table(&tables, &begins), &frame_of_response(&response, api), &begins, cut_off_in);
    }
    let of_requests = requests().iter().filter(|request| !frame_of_request(request).head.is_empty()).count();
    let all = tables.iter().filter(|table| table.columns == ["at", "bytes", "field", "type", "meaning"]).count();
    assert_eq!(all, described + of_requests, "every table of fields belongs to a request or a response");
}
