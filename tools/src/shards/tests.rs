use florin_engine::model::Id128;
use florin_net::protocol::{Negotiated, ShardDescription, ShardState};

use super::{document, in_words};

fn negotiated() -> Negotiated {
    Negotiated {
        directory_id: Id128([0xab; 16]),
        shard: 0,
        shard_count: 2,
        server: "florin 0.1.0".to_owned(),
        request_bytes_max: 0,
        batch_bytes_max: 0,
        fetch_bytes_max: 0,
        requests_max: 0,
        retry_window_batches: 5,
        idle_ms: 0,
        apis: Vec::new(),
    }
}

fn shards() -> [ShardDescription; 2] {
    let serving = ShardDescription {
        state: ShardState::Serving,
        clock_suspended: true,
        port: 7878,
        epoch: 3,
        held_bytes: 1_234_567,
        ..ShardDescription::default()
    };
    let problem = "the journal is damaged".to_owned();
    [serving, ShardDescription { shard: 1, state: ShardState::NotOpen, problem, ..ShardDescription::default() }]
}

#[test]
fn shards_are_listed_with_what_is_wrong_below_them() {
    let text = in_words(&negotiated(), &shards());
    let lines: Vec<_> = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(lines[0], format!("florin 0.1.0, directory {}", "ab".repeat(16)));
    assert_eq!(lines[2], "0 serving 7878 3 0 0 0 0 0 1,234,567 0");
    assert_eq!(lines[3], "its wall clock jumped: look at it, then `florin clock confirm --shard 0`");
    assert_eq!(lines[4], "1 not open none 0 0 0 0 0 0 0 0");
    assert_eq!(lines[5], "the journal is damaged");
}

#[test]
fn json_has_null_for_no_port_and_no_problem() {
    let [serving, closed] = shards().map(|shard| serde_json::to_value(document(&shard)).expect("a document is JSON"));
    assert_eq!((&serving["state"], &serving["port"]), (&"serving".into(), &7878.into()));
    assert!(serving["problem"].is_null() && closed["port"].is_null());
    assert_eq!((&closed["state"], &closed["problem"]), (&"not_open".into(), &"the journal is damaged".into()));
}
