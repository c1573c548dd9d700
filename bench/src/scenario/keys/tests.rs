use super::{Facts, routes_of};
use crate::client::payload::{PayloadKind, Payloads};
use crate::client::routes;
use crate::client::stamp::KeyStamp;

#[test]
fn every_fact_has_a_name_of_its_own() {
    let facts = Facts { index_bytes: 1, rss_bytes_after: 2, ..Facts::default() }.named();
    let names: std::collections::BTreeSet<_> = facts.iter().map(|(name, _)| *name).collect();
    assert_eq!(names.len(), facts.len());
    assert!(facts.contains(&("index_bytes", Some(1.0))) && facts.contains(&("rss_bytes_after", Some(2.0))));
}

#[test]
fn the_same_routes_get_other_keys() {
    let payloads = Payloads::build_with_keys(&PayloadKind::Fixed, 64).expect("they are built");
    let stamp = KeyStamp::of(payloads.batch(0), 8, 1).expect("there is a place");
    let mut routes = routes::to_bare("127.0.0.1:1", 2);
    routes.iter_mut().enumerate().for_each(|(number, route)| route.keys = Some(stamp.of_connection(number)));
    let others = routes_of(&routes, 5);
    assert!(others.iter().zip(&routes).all(|(other, route)| other.keys != route.keys));
    assert_ne!(others[0].keys, others[1].keys);
}
