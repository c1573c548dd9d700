use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::bail;

use super::EachStored;
use crate::client::control::Control;
use crate::client::fake_server::FakeServer;
use crate::client::load::{Load, LoadSettings};
use crate::client::payload::{PayloadKind, Payloads};
use crate::client::routes::{Route, to_each_partition};

fn endless() -> LoadSettings {
    LoadSettings { in_flight: 2, ..LoadSettings::lasting(Duration::from_secs(600)) }
}

fn server_of(partition_count: u32) -> (FakeServer, Vec<Route>, Payloads) {
    let server = FakeServer::start(1);
    let mut control = Control::connect(&server.address(0)).unwrap();
    control.create_topic("observed", partition_count).unwrap();
    let routes = to_each_partition(&control.placement("observed").unwrap()).unwrap();
    (server, routes, Payloads::build(&PayloadKind::Random, 32, 3).unwrap())
}

#[test]
fn a_function_hears_of_every_batch_with_its_place_and_may_end_the_load() {
    let (server, routes, payloads) = server_of(4);
    let mut heard = Vec::new();
    let mut noting = EachStored::new(|stored| {
        heard.push(*stored);
        Ok(if heard.len() == 50 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    });
    let sample = Load::connect(&routes).unwrap().run(&payloads, endless(), &mut noting).unwrap();
    // It ends behind what one connection had received.
    assert!((50..=52).contains(&heard.len()), "{}", heard.len());
    assert_eq!(sample.answered_batches, heard.len() as u64);
    assert!(sample.sent_batches >= sample.answered_batches && sample.sent_batches <= sample.answered_batches + 8);
    server.with_state(|state| {
        for stored in &heard {
            let log = &state.logs[&stored.partition];
            let found = log.batches.iter().find(|(base_offset, _)| *base_offset == stored.base_offset.0).unwrap();
            assert_eq!(&found.1, payloads.batch(stored.batch));
            assert!(stored.since <= stored.at);
        }
    });
}

#[test]
fn what_a_function_finds_wrong_ends_the_load() {
    let (_server, routes, payloads) = server_of(1);
    let mut failing = EachStored::new(|stored| bail!("batch {} is wrong", stored.batch));
    let error = Load::connect(&routes).unwrap().run(&payloads, endless(), &mut failing).unwrap_err();
    assert_eq!(error.to_string(), "batch 0 is wrong");
}
