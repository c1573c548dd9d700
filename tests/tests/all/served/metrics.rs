//! What the page says about metrics, and what a server under load has to tell.

use std::collections::BTreeMap;

use florin_harness::served::observe::parse_metrics;
use florin_net::client::{Client, ClientSettings, Record, TransactionSettings};

use super::{open, partition_on, place, roomy, start};
use crate::tree::{Table, quoted, read, tables};

#[test]
fn served_the_metrics_in_the_page_are_those_that_a_server_has() {
    let Some(place) = place("the list of metrics") else { return };
    let server = start(&roomy(&place));
    let mut wire = open(server.address_of(0));
    let topic = wire.create_topic("payments", 2).expect("it is made");
    for shard in [0, 1] {
        wire.produce(partition_on(&topic, shard), b"12.50 EUR").expect("it is stored");
    }
    let client = Client::connect(ClientSettings::new(server.address_of(0).to_string())).expect("it is connected");
    let mut producer = client.transactional_producer(TransactionSettings::new("settlement")).expect("it is opened");
    let mut transaction = producer.begin().expect("it begins");
    let sent = transaction.send("payments", Record { partition: Some(1), ..Record::new("12.50 EUR") });
    sent.expect("it is taken").wait().expect("it is stored");
    let text = server.http_get("/metrics").body;
    let held_back = samples_of(&text, "florin_partition_held_back_seconds");
    let (id, key, shard) = (topic.id, transaction.key(), topic.placement[1]);
    assert_eq!(held_back, [format!("shard=\"{shard}\",topic=\"{id}\",partition=\"1\",transaction=\"{key}\"")]);
    assert!(text.ends_with("# EOF\n"), "{text}");
    let comments = |word: &str| -> BTreeMap<String, String> {
        let lines = text.lines().filter_map(|line| line.strip_prefix(&format!("# {word} ")));
        let pairs = lines.map(|line| line.split_once(' ').expect("a name and more"));
        pairs.map(|(name, rest)| (name.to_owned(), rest.to_owned())).collect()
    };
    let (helps, types) = (comments("HELP"), comments("TYPE"));
    let samples = parse_metrics(&text).expect("lines of metrics");
    let are: Vec<_> = helps
        .iter()
        .map(|(name, help)| {
            let kind = types.get(name).unwrap_or_else(|| panic!("{name} has no type"));
            let sample_name = if kind == "counter" { format!("{name}_total") } else { name.clone() };
            let sample = samples.iter().find(|sample| sample.name == sample_name);
            let sample = sample.unwrap_or_else(|| panic!("{name} has no sample"));
            let labels = sample.labels.split(',').map(|label| label.split('=').next().unwrap_or_default());
            [name.clone(), kind.clone(), labels.collect::<Vec<_>>().join(", "), help.clone()]
        })
        .collect();
    assert_eq!(types.len(), helps.len(), "every metric has a type and a help");
    let names = samples.iter().map(|sample| sample.name.trim_end_matches("_total"));
    assert!(names.into_iter().all(|name| helps.contains_key(name)), "every sample belongs to a metric");
    let page = tables(&read("tools/README.md"));
    let table = Table::find(&page, &["metric", "type", "labels", "help"]);
    let mut said: Vec<[String; 4]> = table
        .rows
        .iter()
        .map(|row| [quoted(&row[0])[0].to_owned(), row[1].clone(), row[2].clone(), row[3].clone()])
        .collect();
    said.sort();
    assert_eq!(said, are);
    for name in helps.keys() {
        let is_right = name.starts_with("florin_") && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        assert!(is_right && !name.ends_with("_total"), "{name} is no name as Prometheus wants it");
    }
    transaction.commit().expect("it is committed");
    // Its partition has noted that once it can be read so far.
    let described = client.describe_topic(topic.id).expect("it is described");
    let is_free = described.partitions[1].open_transaction_count == 0;
    let held_back = samples_of(&server.http_get("/metrics").body, "florin_partition_held_back_seconds");
    assert!(!is_free || held_back.is_empty(), "{held_back:?}");
    drop((producer, client));
    assert!(server.stop().status.success());
}

fn samples_of(text: &str, name: &str) -> Vec<String> {
    let samples = parse_metrics(text).expect("lines of metrics");
    samples.into_iter().filter(|sample| sample.name == name).map(|sample| sample.labels).collect()
}
