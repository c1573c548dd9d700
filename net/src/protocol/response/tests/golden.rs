//! Whole frames of responses, byte by byte: a line is a field as hexadecimal digits, and what it is.
//!
//! They were built from the page by another program. They never change: other clients depend on them.

mod errors;
mod keys;
pub(super) mod transactions;

pub(super) use errors::*;
pub(super) use keys::*;

pub(super) const NEGOTIATED: &str = r#"
aa000000                         bytes: 170 follow
7050ff61                         checksum
96000000                         head_bytes: 150
0000                             kind: code 0, success
00                               version: 0
01                               flags: a response
0100000000000000                 correlation: 1
00112233445566778899aabbccddeeff directory_id
0100                             shard: 1
0400                             shard_count: 4
00001100                         request_bytes_max: 1114112
00001000                         batch_bytes_max: 1048576
00008000                         fetch_bytes_max: 8388608
00040000                         requests_max: 1024
05000000                         retry_window_batches: 5
c0270900                         idle_ms: 600000
0c00                             server: 12 bytes
666c6f72696e20302e312e30         "florin 0.1.0"
16000000                         apis: 22
0000                             api: 0, negotiate
00                               version_min: 0
00                               version_max: 0
0100                             api: 1, metadata
01                               version_min: 1
01                               version_max: 1
0200                             api: 2, create_topic
01                               version_min: 1
01                               version_max: 1
0300                             api: 3, delete_topic
00                               version_min: 0
00                               version_max: 0
0400                             api: 4, describe_topic
02                               version_min: 2
02                               version_max: 2
0500                             api: 5, init_producer
00                               version_min: 0
00                               version_max: 0
0600                             api: 6, produce
01                               version_min: 1
01                               version_max: 1
0700                             api: 7, fetch
01                               version_min: 1
01                               version_max: 1
0800                             api: 8, list_offsets
01                               version_min: 1
01                               version_max: 1
0900                             api: 9, describe_shards
02                               version_min: 2
02                               version_max: 2
0a00                             api: 10, confirm_clock
00                               version_min: 0
00                               version_max: 0
0b00                             api: 11, alter_topic
01                               version_min: 1
01                               version_max: 1
0c00                             api: 12, look_up_key
00                               version_min: 0
00                               version_max: 0
0d00                             api: 13, open_transactional_id
00                               version_min: 0
00                               version_max: 0
0e00                             api: 14, end_transaction
00                               version_min: 0
00                               version_max: 0
0f00                             api: 15, list_transactions
00                               version_min: 0
00                               version_max: 0
1000                             api: 16, describe_transaction
00                               version_min: 0
00                               version_max: 0
1100                             api: 17, commit_offsets
00                               version_min: 0
00                               version_max: 0
1200                             api: 18, fetch_offsets
00                               version_min: 0
00                               version_max: 0
1300                             api: 19, list_groups
00                               version_min: 0
00                               version_max: 0
1400                             api: 20, forget_group
00                               version_min: 0
00                               version_max: 0
1500                             api: 21, produce_together
00                               version_min: 0
00                               version_max: 0
"#;

pub(super) const TOPICS: &str = r#"
60000000                         bytes: 96 follow
02acf0c1                         checksum
4c000000                         head_bytes: 76
0000                             kind: code 0, success
01                               version: 1
01                               flags: a response
0200000000000000                 correlation: 2
0b00                             host: 11 bytes
6462312e6578616d706c65           "db1.example"
04000000                         ports: 4
b924                             port: 9401
ba24                             port: 9402
0000                             port: none
bc24                             port: 9404
01                               complete: 1
0900000000000000                 next: 9
01000000                         topics: 1
0700000000000000                 topic: 7
02000000                         revision: 2
0600                             name: 6 bytes
6f7264657273                     "orders"
02000000                         placement: 2 partitions
0000                             shard: 0
0300                             shard: 3
00                               key_source: 0, no idempotency keys
00                               key_partitioner: 0
0000                             key_window_days: 0
0000                             key_header: 0 bytes
00000000                         body_headers: none
"#;

pub(super) const TOPIC_CREATED: &str = r#"
3a000000                         bytes: 58 follow
e4b23ff5                         checksum
26000000                         head_bytes: 38
0000                             kind: code 0, success
01                               version: 1
01                               flags: a response
0300000000000000                 correlation: 3
0700000000000000                 topic: 7
01000000                         revision: 1
0600                             name: 6 bytes
6f7264657273                     "orders"
02000000                         placement: 2 partitions
0000                             shard: 0
0300                             shard: 3
00                               key_source: 0, no idempotency keys
00                               key_partitioner: 0
0000                             key_window_days: 0
0000                             key_header: 0 bytes
00000000                         body_headers: none
"#;

pub(super) const TOPIC_DELETED: &str = r#"
1c000000                         bytes: 28 follow
11d7cfd0                         checksum
08000000                         head_bytes: 8
0000                             kind: code 0, success
00                               version: 0
01                               flags: a response
0400000000000000                 correlation: 4
0700000000000000                 topic: 7
"#;

pub(super) const TOPIC_DESCRIBED: &str = r#"
32010000                         bytes: 306 follow
a80b9f49                         checksum
1e010000                         head_bytes: 286
0000                             kind: code 0, success
02                               version: 2
01                               flags: a response
0500000000000000                 correlation: 5
0700000000000000                 topic: 7
02000000                         revision: 2
0600                             name: 6 bytes
6f7264657273                     "orders"
02000000                         placement: 2 partitions
0000                             shard: 0
0300                             shard: 3
00                               key_source: 0, no idempotency keys
00                               key_partitioner: 0
0000                             key_window_days: 0
0000                             key_header: 0 bytes
00000000                         body_headers: none
00000400                         record_bytes_max: 262144
0000100000000000                 segment_bytes: 1048576
0000000002000000                 retention_bytes: 8589934592
0000000000000000                 retention_ns: 0, everything is kept
02000000                         partitions: 2
00000000                         index: 0
0000                             shard: 0
0000                             code: 0
0c00000000000000                 start_offset: 12
2a00000000000000                 high_watermark: 42
6810000000000000                 held_bytes: 4200
0020000000000000                 stored_bytes: 8192
03000000                         producer_count: 3
15cd853dfe9c9717                 last_append_time: 1700000000123456789
d204000000000000                 cut_bytes: 1234
16cd853dfe9c9717                 cut_time: 1700000000123456790
02                               cut_reason: 2, size
2900000000000000                 stable_offset: 41
02000000                         open_transactions: 2
01                               has_oldest: 1
0500000000000100                 producer: 281474976710661
0700                             epoch: 7
2900000000000000                 first_offset: 41
15cd853dfe9c9717                 since: 1700000000123456789
01000000                         index: 1
0300                             shard: 3
0300                             code: 3
0000000000000000                 start_offset: 0
0000000000000000                 high_watermark: 0
0000000000000000                 held_bytes: 0
0000000000000000                 stored_bytes: 0
00000000                         producer_count: 0
0000000000000000                 last_append_time: 0
0000000000000000                 cut_bytes: 0
0000000000000000                 cut_time: 0
00                               cut_reason: 0, nothing was cut
0000000000000000                 stable_offset: 0
00000000                         open_transactions: 0
00                               has_oldest: 0
0000000000000000                 producer: 0
0000                             epoch: 0
0000000000000000                 first_offset: 0
0000000000000000                 since: 0
"#;

pub(super) const PRODUCER: &str = r#"
1e000000                         bytes: 30 follow
f2eee3fa                         checksum
0a000000                         head_bytes: 10
0000                             kind: code 0, success
00                               version: 0
01                               flags: a response
0600000000000000                 correlation: 6
0500000000000100                 id: 281474976710661
0000                             epoch: 0
"#;

pub(super) const PRODUCED: &str = r#"
29000000                         bytes: 41 follow
cfe09d14                         checksum
15000000                         head_bytes: 21
0000                             kind: code 0, success
01                               version: 1
01                               flags: a response
0200000000000000                 correlation: 2
2900000000000000                 base_offset: 41
15cd853dfe9c9717                 append_time: 1700000000123456789 ns
00                               duplicate: 0
00000000                         receipts: none
"#;

pub(super) const FETCHED: &str = r#"
b5000000                         bytes: 181 follow
60ab4be0                         checksum
4e000000                         head_bytes: 78
0000                             kind: code 0, success
01                               version: 1
01                               flags: a response
0800000000000000                 correlation: 8
0000000000000000                 start_offset: 0
2a00000000000000                 high_watermark: 42
2a00000000000000                 stable_offset: 42
01000000                         aborted: 1
0500000000000100                 producer: 281474976710661
0700                             epoch: 7
2700000000000000                 first_offset: 39
2a00000000000000                 marker: 42
01000000                         batches: 1
2900000000000000                 base_offset: 41
15cd853dfe9c9717                 append_time: 1700000000123456789 ns
53000000                         batch_bytes: 83
0000000000000029                 base_offset: 41
00000047                         batch_length: 71 follow
00000000                         partition_leader_epoch: 0
02                               magic: 2
09a10a9c                         crc
0000                             attributes: not compressed
00000000                         last_offset_delta: 0
0000018bcfe56800                 base_timestamp: 1700000000000 ms
0000018bcfe56800                 max_timestamp: 1700000000000 ms
0001000000000005                 producer_id: 281474976710661
0000                             producer_epoch: 0
00000000                         base_sequence: 0
00000001                         record_count: 1
2a                               record: 21 bytes
00                               its attributes
00                               timestamp delta: 0
00                               offset delta: 0
0c                               key: 6 bytes
636172642d31                     "card-1"
12                               value: 9 bytes
31322e353020455552               "12.50 EUR"
00                               headers: none
"#;

pub(super) const FETCHED_NOTHING: &str = r#"
34000000                         bytes: 52 follow
8371ce42                         checksum
20000000                         head_bytes: 32
0000                             kind: code 0, success
01                               version: 1
01                               flags: a response
0900000000000000                 correlation: 9
0000000000000000                 start_offset: 0
2a00000000000000                 high_watermark: 42
2a00000000000000                 stable_offset: 42
00000000                         aborted: none
00000000                         batches: none
"#;

pub(super) const OFFSET: &str = r#"
1c000000                         bytes: 28 follow
f2a5a956                         checksum
08000000                         head_bytes: 8
0000                             kind: code 0, success
01                               version: 1
01                               flags: a response
0a00000000000000                 correlation: 10
2a00000000000000                 offset: 42
"#;

pub(super) const SHARDS: &str = r#"
93010000                         bytes: 403 follow
4f9743f3                         checksum
7f010000                         head_bytes: 383
0000                             kind: code 0, success
02                               version: 2
01                               flags: a response
0b00000000000000                 correlation: 11
02000000                         shards: 2
0000                             shard: 0
01                               state: 1
01                               clock_suspended: 1
b924                             port: 9401
0600000000000000                 epoch: 6
e803000000000000                 durable_sequence: 1000
e903000000000000                 appended_sequence: 1001
0c000000                         partition_count: 12
03000000                         connection_count: 3
02000000                         waiting_count: 2
04000000                         unused_file_count: 4
6810000000000000                 held_bytes: 4200
1100000000000000                 captured_count: 17
01                               disk_full: 1
01                               manifest_full: 1
0000001400000000                 held_bytes_max: 335544320
07000000                         segment_count: 7
0000100000000000                 stored_bytes: 1048576
0000010000000000                 unsynced_bytes: 65536
0000040000000000                 journal_used_bytes: 262144
0000001000000000                 journal_bytes: 268435456
5302000000000000                 manifest_run_bytes: 595
0000400000000000                 manifest_run_bytes_max: 4194304
1500000000000000                 cold_read_count: 21
05000000                         cold_waiting_count: 5
0b00000000000000                 keys_recent_count: 11
000c000000000000                 keys_cached_bytes: 3072
0c00000000000000                 keys_read_count: 12
0d000000                         keys_waiting_count: 13
0e000000                         transactional_id_count: 14
0f000000                         unsettled_transaction_count: 15
10000000                         open_transaction_count: 16
11000000                         group_count: 17
12000000                         coordinator_waiting_count: 18
0000                             problem: 0 bytes
0300                             shard: 3
04                               state: 4
00                               clock_suspended: 0
0000                             port: 0
0000000000000000                 epoch: 0
0000000000000000                 durable_sequence: 0
0000000000000000                 appended_sequence: 0
00000000                         partition_count: 0
00000000                         connection_count: 0
00000000                         waiting_count: 0
00000000                         unused_file_count: 0
0000000000000000                 held_bytes: 0
0000000000000000                 captured_count: 0
00                               disk_full: 0
00                               manifest_full: 0
0000000000000000                 held_bytes_max: 0
00000000                         segment_count: 0
0000000000000000                 stored_bytes: 0
0000000000000000                 unsynced_bytes: 0
0000000000000000                 journal_used_bytes: 0
0000000000000000                 journal_bytes: 0
0000000000000000                 manifest_run_bytes: 0
0000000000000000                 manifest_run_bytes_max: 0
0000000000000000                 cold_read_count: 0
00000000                         cold_waiting_count: 0
0000000000000000                 keys_recent_count: 0
0000000000000000                 keys_cached_bytes: 0
0000000000000000                 keys_read_count: 0
00000000                         keys_waiting_count: 0
00000000                         transactional_id_count: 0
00000000                         unsettled_transaction_count: 0
00000000                         open_transaction_count: 0
00000000                         group_count: 0
00000000                         coordinator_waiting_count: 0
0700                             problem: 7 bytes
64616d61676564                   "damaged"
"#;

pub(super) const CLOCK_CONFIRMED: &str = r#"
14000000                         bytes: 20 follow
f638d98c                         checksum
00000000                         head_bytes: 0
0000                             kind: code 0, success
00                               version: 0
01                               flags: a response
0c00000000000000                 correlation: 12
"#;

pub(super) const TOPIC_ALTERED: &str = r#"
56000000                         bytes: 86 follow
af2f13a0                         checksum
42000000                         head_bytes: 66
0000                             kind: code 0, success
01                               version: 1
01                               flags: a response
1400000000000000                 correlation: 20
0700000000000000                 topic: 7
02000000                         revision: 2
0600                             name: 6 bytes
6f7264657273                     "orders"
02000000                         placement: 2 partitions
0000                             shard: 0
0300                             shard: 3
00                               key_source: 0, no idempotency keys
00                               key_partitioner: 0
0000                             key_window_days: 0
0000                             key_header: 0 bytes
00000000                         body_headers: none
00000400                         record_bytes_max: 262144
0000100000000000                 segment_bytes: 1048576
0000000002000000                 retention_bytes: 8589934592
0000000000000000                 retention_ns: 0, everything is kept
"#;
