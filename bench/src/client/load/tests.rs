use std::time::Duration;

use florin_net::protocol::Code;

use super::{Load, LoadSettings, WhenFull};
use crate::client::control::Control;
use crate::client::fake_server::FakeServer;
use crate::client::payload::{PayloadKind, Payloads};
use crate::client::recorder::Recorder;
use crate::client::routes::{Route, to_each_partition};

fn short() -> LoadSettings {
    LoadSettings { warm_up: Duration::from_millis(20), ..LoadSettings::lasting(Duration::from_millis(80)) }
}

/// A burst of so many batches, for which there is all the time in the world.
fn burst(batch_count: u64) -> LoadSettings {
    let lasting = LoadSettings::lasting(Duration::from_secs(600));
    LoadSettings { warm_up: Duration::ZERO, batch_count_max: Some(batch_count), ..lasting }
}

/// A server with a topic, and a connection for each of its partitions.
fn server_of(partition_count: u32) -> (FakeServer, Vec<Route>) {
    let server = FakeServer::start(1);
    let mut control = Control::connect(&server.address(0)).unwrap();
    control.create_topic("load", partition_count).unwrap();
    let routes = to_each_partition(&control.placement("load").unwrap()).unwrap();
    (server, routes)
}

fn payloads(value_bytes: usize) -> Payloads {
    Payloads::build(&PayloadKind::Random, value_bytes, 1).unwrap()
}

/// Every batch was stored once, under its number.
fn assert_each_once(recorder: &Recorder, batch_count: usize) {
    let mut numbers: Vec<usize> = recorder.stored.iter().map(|stored| stored.batch).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..batch_count).collect::<Vec<_>>());
}

#[test]
fn a_batch_that_takes_many_writes_is_sent_in_full() {
    let (server, routes) = server_of(2);
    let mut recorder = Recorder::default();
    let sample = Load::connect(&routes).unwrap().run(&payloads(1_000_000), short(), &mut recorder).unwrap();
    assert!(sample.answered_batches >= 2);
    assert_eq!(server.with_state(|state| state.captured_count), sample.answered_batches);
    assert!(sample.latencies.count() <= sample.answered_batches);
    assert_each_once(&recorder, usize::try_from(sample.answered_batches).unwrap());
}

#[test]
fn a_closed_loop_has_as_many_requests_in_flight_on_each_connection_as_asked_for() {
    let (server, routes) = server_of(3);
    // With fewer nothing would ever be answered.
    server.with_state(|state| state.holds_until = 12);
    let settings = LoadSettings { in_flight: 4, ..burst(40) };
    let mut recorder = Recorder::default();
    let sample = Load::connect(&routes).unwrap().run(&payloads(10), settings, &mut recorder).unwrap();
    assert_eq!(sample.answered_batches, 40);
    assert_each_once(&recorder, 40);
}

#[test]
fn a_burst_ends_with_its_last_batch_and_counts_the_time_until_then() {
    let (_server, routes) = server_of(1);
    let sample = Load::connect(&routes).unwrap().run(&payloads(10), burst(25), &mut Recorder::default()).unwrap();
    assert_eq!((sample.answered_batches, sample.latencies.count()), (25, 25));
    assert!(sample.counted_seconds < 600.0);
}

/// The server is silent until it has as many requests as the load lets wait on a connection, so what is due behind
/// them is sent late.
#[test]
fn a_latency_of_an_open_loop_begins_when_the_request_is_due_however_late_it_is_sent() {
    const RATE: f64 = 10_000.0;
    const COUNT: u32 = 300;
    const HELD: u32 = 256;
    let interval = Duration::from_secs_f64(1.0 / RATE);
    let (server, routes) = server_of(1);
    server.with_state(|state| state.holds_until = u64::from(HELD));
    let lasting = LoadSettings::lasting(interval * COUNT);
    let settings = LoadSettings { warm_up: Duration::ZERO, rate: Some(RATE), ..lasting };
    let mut recorder = Recorder::default();
    let sample = Load::connect(&routes).unwrap().run(&payloads(10), settings, &mut recorder).unwrap();
    assert_each_once(&recorder, COUNT as usize);
    let window = recorder.window.unwrap();
    assert!(window.is_open_loop && window.to == window.from + interval * COUNT);
    let due: Vec<_> = recorder.stored.iter().map(|stored| stored.since).collect();
    let expected: Vec<_> = (0..COUNT).map(|number| window.from + interval * number).collect();
    assert_eq!(due, expected, "whenever a batch was sent, its latency began when it was due");
    assert_eq!(sample.latencies.count(), u64::from(COUNT), "all were due in the time");
    let last = recorder.stored.iter().map(|stored| stored.at).max().unwrap();
    let took = last.max(window.to).duration_since(window.from).as_secs_f64();
    assert!((sample.counted_seconds - took).abs() < 1e-6, "what is late makes the rate lower");
    // The first one was answered when the last that was held back had been due.
    let held = interval * (HELD - 1);
    assert!(sample.latencies.percentiles().max_us >= held.as_secs_f64() * 1e6);
}

#[test]
fn an_open_loop_goes_round_its_connections() {
    let (server, routes) = server_of(3);
    let lasting = LoadSettings::lasting(Duration::from_millis(30));
    let settings = LoadSettings { warm_up: Duration::ZERO, rate: Some(1000.0), ..lasting };
    let sample = Load::connect(&routes).unwrap().run(&payloads(10), settings, &mut Recorder::default()).unwrap();
    assert_eq!(sample.answered_batches, 30);
    server.with_state(|state| {
        let counts: Vec<u64> = state.batch_counts.iter().map(|(_, count)| *count).collect();
        assert_eq!(counts, [10, 10, 10]);
    });
}

#[test]
fn a_full_journal_is_waited_for_and_every_batch_is_stored_once() {
    for rate in [None, Some(2000.0)] {
        let (server, routes) = server_of(2);
        server.with_state(|state| state.full_count = 7);
        let settings = LoadSettings { in_flight: 4, rate, when_full: WhenFull::Wait, ..burst(50) };
        let mut recorder = Recorder::default();
        let sample = Load::connect(&routes).unwrap().run(&payloads(10), settings, &mut recorder).unwrap();
        assert_eq!((sample.answered_batches, sample.journal_full_count), (50, 7), "{rate:?}");
        assert_eq!(server.with_state(|state| (state.captured_count, state.received_count)), (50, 57));
        assert_each_once(&recorder, 50);
        for partition in 0..2 {
            let here = recorder.stored.iter().filter(|stored| stored.partition.index == partition);
            let offsets: Vec<u64> = here.map(|stored| stored.base_offset.0).collect();
            assert_eq!(
                offsets,
                (0..offsets.len() as u64).collect::<Vec<_>>(),
                "in the order of their acknowledgements"
            );
        }
    }
}

#[test]
fn a_full_journal_ends_a_load_that_does_not_wait_for_it() {
    let (server, routes) = server_of(1);
    server.with_state(|state| state.full_count = 1);
    let error = Load::connect(&routes).unwrap().run(&payloads(10), burst(5), &mut Recorder::default()).unwrap_err();
    assert!(format!("{error:#}").contains("--journal-files"), "{error:#}");
}

#[test]
fn another_refusal_ends_every_load() {
    let (server, routes) = server_of(1);
    server.with_state(|state| state.refuses = Some((3, Code::BUSY)));
    let settings = LoadSettings { when_full: WhenFull::Wait, ..burst(5) };
    let mut recorder = Recorder::default();
    let error = Load::connect(&routes).unwrap().run(&payloads(10), settings, &mut recorder).unwrap_err();
    assert!(format!("{error:#}").contains("busy") && recorder.stored.len() == 3, "{error:#}");
}
