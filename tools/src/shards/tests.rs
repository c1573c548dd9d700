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
        held_bytes_max: 64 << 20,
        journal_used_bytes: 1 << 20,
        journal_bytes: 8 << 20,
        manifest_run_bytes: 4000,
        manifest_run_bytes_max: 4096,
        stored_bytes: 5_000_000,
        segment_count: 3,
        unsynced_bytes: 65_536,
        cold_read_count: 1_200,
        cold_waiting_count: 2,
        disk_full: true,
        manifest_full: true,
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
    assert_eq!(lines[2], "0 serving 7878 3 0 0 0 0 0");
    assert_eq!(lines[3], "its wall clock jumped: look at it, then `florin clock confirm --shard 0`");
    assert!(lines[4].starts_with("its disk is full, captures go on until its journal is: make room"), "{text}");
    assert!(lines[5].starts_with("its manifest has no room for more runs") && lines[5].contains("fewer partitions"));
    assert_eq!(lines[6], "1 not open none 0 0 0 0 0 0");
    assert_eq!(lines[7..9], ["the journal is damaged", ""]);
    assert_eq!(lines[9], "shard journal memory manifest at rest segment files unsynced cold reads waiting for one");
    assert_eq!(lines[10], "0 12% of 8MiB 1% of 64MiB 97% of 4KiB 5,000,000 3 65,536 1,200 2");
    assert_eq!(lines.len(), 11, "a shard that is not open stores nothing that is known");
}

#[test]
fn json_has_null_for_no_port_and_no_problem() {
    let [serving, closed] = shards().map(|shard| serde_json::to_value(document(&shard)).expect("a document is JSON"));
    assert_eq!((&serving["state"], &serving["port"]), (&"serving".into(), &7878.into()));
    assert_eq!((&serving["disk_full"], &serving["manifest_full"]), (&true.into(), &true.into()));
    assert_eq!((&serving["stored_bytes"], &serving["cold_read_count"]), (&5_000_000.into(), &1_200.into()));
    assert!(serving["problem"].is_null() && closed["port"].is_null());
    assert_eq!((&closed["state"], &closed["problem"]), (&"not_open".into(), &"the journal is damaged".into()));
}
