use std::time::Duration;

use bytes::BytesMut;
use florin_engine::model::Offset;
use florin_net::protocol::{Code, FetchResponse};

use super::{AtEnd, LanePlan, ReaderPlan, Stretch};
use crate::client::control::Control;
use crate::client::fake_server::FakeServer;
use crate::client::load::{Load, LoadSettings, Unobserved};
use crate::client::payload::{PayloadKind, Payloads};
use crate::client::recorder::Recorder;
use crate::client::routes::{Route, to_each_partition};

const RECORDS: u32 = 3;
const VALUE_BYTES: usize = 20;

fn payloads() -> Payloads {
    Payloads::build(&PayloadKind::Random, VALUE_BYTES, RECORDS).unwrap()
}

/// A server with so many batches in each of its partitions.
fn server_with(partition_count: u32, batches: u64) -> (FakeServer, Vec<Route>) {
    let server = FakeServer::start(1);
    let mut control = Control::connect(&server.address(0)).unwrap();
    control.create_topic("read", partition_count).unwrap();
    let routes = to_each_partition(&control.placement("read").unwrap()).unwrap();
    let lasting = LoadSettings::lasting(Duration::from_secs(600));
    let settings = LoadSettings { warm_up: Duration::ZERO, batch_count_max: Some(batches), ..lasting };
    for route in &routes {
        let only = std::slice::from_ref(route);
        Load::connect(only).unwrap().run(&payloads(), settings, &mut Unobserved).unwrap();
    }
    (server, routes)
}

/// All of a partition that has so many batches.
fn whole(route: &Route, batches: u64) -> Stretch {
    Stretch { partition: route.partition, from: Offset(0), to: Some(Offset(batches * u64::from(RECORDS))) }
}

fn endless(route: &Route) -> Stretch {
    Stretch { to: None, ..whole(route, 0) }
}

fn plan(server: &FakeServer, lanes: Vec<LanePlan>, fetch_bytes: u32) -> ReaderPlan {
    ReaderPlan { address: server.address(0), lanes, fetch_bytes }
}

fn once(stretches: Vec<Stretch>) -> LanePlan {
    LanePlan { stretches, at_end: AtEnd::Stop }
}

fn read(plans: &[ReaderPlan], awaits: usize) -> anyhow::Result<Recorder> {
    let mut recorder = Recorder::awaiting(awaits);
    let mut load = Load::connect(&[]).unwrap().with_readers(plans).unwrap();
    load.run(&payloads(), LoadSettings::reading(), &mut recorder)?;
    Ok(recorder)
}

#[test]
fn everything_is_read_in_order_with_its_records_values_and_checksum() {
    let (server, routes) = server_with(1, 9);
    let recorder = read(&[plan(&server, vec![once(vec![whole(&routes[0], 9)])], 1 << 20)], 9).unwrap();
    assert_eq!(recorder.places(), (0..9).map(|batch| (0, batch * 3)).collect::<Vec<_>>());
    let payloads = payloads();
    for (number, delivered) in recorder.delivered.iter().enumerate() {
        assert_eq!(delivered.crc, payloads.crc(number));
        assert_eq!(delivered.batch_bytes, payloads.batch(number).len());
        assert_eq!((delivered.record_count, delivered.value_bytes), (3, 3 * VALUE_BYTES));
        assert_eq!(delivered.append_time.0, 1, "the time that the server says");
    }
    assert_eq!(recorder.fetch_count, 1, "one answer has room for all");
}

#[test]
fn a_fetch_asks_for_no_more_bytes_than_it_should() {
    let (server, routes) = server_with(1, 5);
    let recorder = read(&[plan(&server, vec![once(vec![whole(&routes[0], 5)])], 1)], 5).unwrap();
    assert_eq!((recorder.fetch_count, recorder.delivered.len()), (5, 5), "one batch comes in any case");
    let state_count = server.with_state(|state| state.fetched_count);
    assert_eq!(state_count, 5, "nothing is asked for behind the end");
}

#[test]
fn lanes_are_read_at_the_same_time_and_stretches_of_a_lane_one_after_the_other() {
    let (server, routes) = server_with(3, 4);
    // Waits at the end of the third partition for ever, beside the others.
    let lanes = vec![
        once(vec![endless(&routes[2])]),
        once(vec![whole(&routes[1], 4), Stretch { from: Offset(6), ..whole(&routes[0], 4) }]),
    ];
    let recorder = read(&[plan(&server, lanes, 1)], 10).unwrap();
    let of = |partitions: &[u32]| -> Vec<(u32, u64)> {
        recorder.places().into_iter().filter(|(partition, _)| partitions.contains(partition)).collect()
    };
    assert_eq!(of(&[2]), [(2, 0), (2, 3), (2, 6), (2, 9)]);
    assert_eq!(of(&[0, 1]), [(1, 0), (1, 3), (1, 6), (1, 9), (0, 6), (0, 9)]);
}

#[test]
fn a_lane_that_begins_again_reads_its_stretches_over_and_over() {
    let (server, routes) = server_with(2, 2);
    let stretches = vec![whole(&routes[0], 2), whole(&routes[1], 2)];
    let recorder = read(&[plan(&server, vec![LanePlan { stretches, at_end: AtEnd::Again }], 1)], 10).unwrap();
    let pass = [(0, 0), (0, 3), (1, 0), (1, 3)];
    let expected: Vec<(u32, u64)> = pass.into_iter().cycle().take(recorder.delivered.len()).collect();
    assert_eq!(recorder.places(), expected);
}

#[test]
fn an_answer_without_batches_is_asked_for_again_and_what_comes_later_is_read() {
    let (server, routes) = server_with(1, 1);
    server.with_state(|state| state.empty_count = 3);
    let plans = [plan(&server, vec![once(vec![endless(&routes[0])])], 1 << 20)];
    let mut recorder = Recorder::awaiting(6);
    let mut load = Load::connect(&routes).unwrap().with_readers(&plans).unwrap();
    let lasting = LoadSettings::lasting(Duration::from_secs(600));
    let settings = LoadSettings { warm_up: Duration::ZERO, batch_count_max: Some(5), ..lasting };
    load.run(&payloads(), settings, &mut recorder).unwrap();
    assert_eq!(recorder.places(), (0..6).map(|batch| (0, batch * 3)).collect::<Vec<_>>());
    assert!(server.with_state(|state| state.fetched_count) > 3);
}

fn batch_of(fetched: &mut FetchResponse, number: usize, change: impl FnOnce(&mut BytesMut)) {
    let mut bytes = BytesMut::from(fetched.batches[number].bytes.as_ref());
    change(&mut bytes);
    fetched.batches[number].bytes = bytes.freeze();
}

#[test]
fn whatever_is_wrong_with_a_batch_ends_the_load_and_is_named() {
    type Spoil = (fn(&mut FetchResponse), &'static str);
    let spoils: [Spoil; 6] = [
        (|fetched| batch_of(fetched, 1, |bytes| *bytes.last_mut().unwrap() ^= 1), "CRC-32C"),
        (|fetched| batch_of(fetched, 1, |bytes| bytes.truncate(bytes.len() - 1)), "bytes"),
        (|fetched| batch_of(fetched, 1, |bytes| bytes[7] ^= 1), "begins at offset 2, and at 3"),
        (|fetched| fetched.batches[1].base_offset = Offset(4), "at 4 by the table"),
        (|fetched| drop(fetched.batches.remove(1)), "begins at offset 6"),
        (|fetched| fetched.high_watermark = Offset(2), "behind its end 2"),
    ];
    for (number, (spoil, words)) in spoils.into_iter().enumerate() {
        let (server, routes) = server_with(1, 4);
        server.with_state(|state| state.spoils = Some(spoil));
        let error = read(&[plan(&server, vec![once(vec![whole(&routes[0], 4)])], 1 << 20)], 4).unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains(words), "{number}: {error}");
        assert!(error.contains(&format!("partition {}", routes[0].partition)), "{number}: {error}");
    }
}

#[test]
fn a_stretch_that_ends_within_a_batch_is_not_read_beyond_its_end() {
    let (server, routes) = server_with(1, 2);
    let stretch = Stretch { to: Some(Offset(4)), ..whole(&routes[0], 2) };
    let error = read(&[plan(&server, vec![once(vec![stretch])], 1 << 20)], 2).unwrap_err();
    assert!(format!("{error:#}").contains("behind what is to be read"), "{error:#}");
}

#[test]
fn a_refused_fetch_ends_the_load_with_its_code() {
    let (server, routes) = server_with(1, 1);
    server.with_state(|state| state.fetch_refusal = Some(Code::LOST));
    let error = read(&[plan(&server, vec![once(vec![whole(&routes[0], 1)])], 1 << 20)], 1).unwrap_err();
    assert!(format!("{error:#}").contains("code 27 (lost): not this"), "{error:#}");
}
