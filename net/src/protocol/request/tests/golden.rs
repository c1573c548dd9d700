//! Whole frames of requests, byte by byte: a line is a field as hexadecimal digits, and what it is.
//!
//! They were built from the page by another program. They never change: other clients depend on them.

pub(super) mod transactions;

pub(super) const NEGOTIATE: &str = r#"
25000000                         bytes: 37 follow
e95b7625                         checksum
11000000                         head_bytes: 17
0000                             kind: api 0, negotiate
00                               version: 0
00                               flags: a request
0100000000000000                 correlation: 1
464c4f52494e0d0a                 magic: FLORIN, carriage return, line feed
0700                             client: 7 bytes
6578616d706c65                   "example"
"#;

pub(super) const METADATA: &str = r#"
31000000                         bytes: 49 follow
3686f743                         checksum
1d000000                         head_bytes: 29
0100                             kind: api 1, metadata
01                               version: 1
00                               flags: a request
0200000000000000                 correlation: 2
0800000000000000                 from: topics from id 8 on
02000000                         names: 2
0600                             name: 6 bytes
6f7264657273                     "orders"
0700                             name: 7 bytes
726566756e6473                   "refunds"
"#;

pub(super) const METADATA_OF_ALL: &str = r#"
20000000                         bytes: 32 follow
476e2f19                         checksum
0c000000                         head_bytes: 12
0100                             kind: api 1, metadata
01                               version: 1
00                               flags: a request
0300000000000000                 correlation: 3
0000000000000000                 from: topics from id 0 on
00000000                         names: none, so all
"#;

pub(super) const CREATE_TOPIC: &str = r#"
46000000                         bytes: 70 follow
25f47e82                         checksum
32000000                         head_bytes: 50
0200                             kind: api 2, create_topic
01                               version: 1
00                               flags: a request
0400000000000000                 correlation: 4
0c000000                         partition_count: 12
00000400                         record_bytes_max: 262144
0000100000000000                 segment_bytes: 1048576
0000000002000000                 retention_bytes: 8589934592
0000000000000000                 retention_ns: 0, everything is kept
0600                             name: 6 bytes
6f7264657273                     "orders"
00                               key_source: 0, no idempotency keys
00                               key_partitioner: 0
0000                             key_window_days: 0
0000                             key_header: 0 bytes
00000000                         body_headers: none
"#;

pub(super) const DELETE_TOPIC: &str = r#"
1c000000                         bytes: 28 follow
771ee324                         checksum
08000000                         head_bytes: 8
0300                             kind: api 3, delete_topic
00                               version: 0
00                               flags: a request
0500000000000000                 correlation: 5
0700000000000000                 topic: 7
"#;

pub(super) const DESCRIBE_TOPIC: &str = r#"
1c000000                         bytes: 28 follow
e1bc02ad                         checksum
08000000                         head_bytes: 8
0400                             kind: api 4, describe_topic
02                               version: 2
00                               flags: a request
0600000000000000                 correlation: 6
0700000000000000                 topic: 7
"#;

pub(super) const INIT_PRODUCER: &str = r#"
14000000                         bytes: 20 follow
fde92e15                         checksum
00000000                         head_bytes: 0
0500                             kind: api 5, init_producer
00                               version: 0
00                               flags: a request
0700000000000000                 correlation: 7
"#;

pub(super) const PRODUCE: &str = r#"
73000000                         bytes: 115 follow
8bc9203e                         checksum
0c000000                         head_bytes: 12
0600                             kind: api 6, produce
01                               version: 1
00                               flags: a request
0200000000000000                 correlation: 2
0700000000000000                 topic: 7
03000000                         partition: 3
0000000000000000                 base_offset: 0
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

pub(super) const FETCH: &str = r#"
32000000                         bytes: 50 follow
7b56b771                         checksum
1e000000                         head_bytes: 30
0700                             kind: api 7, fetch
01                               version: 1
00                               flags: a request
0900000000000000                 correlation: 9
0700000000000000                 topic: 7
03000000                         partition: 3
00000100                         bytes_max: 65536
f4010000                         wait_ms: 500
00                               from_kind: 0, an offset
2900000000000000                 from: offset 41
00                               isolation: 0, everything that is stored
"#;

pub(super) const FETCH_BY_TIME: &str = r#"
32000000                         bytes: 50 follow
72b3f0e3                         checksum
1e000000                         head_bytes: 30
0700                             kind: api 7, fetch
01                               version: 1
00                               flags: a request
0a00000000000000                 correlation: 10
0700000000000000                 topic: 7
03000000                         partition: 3
00000100                         bytes_max: 65536
00000000                         wait_ms: 0
01                               from_kind: 1, a time
15cd853dfe9c9717                 from: 1700000000123456789 ns
00                               isolation: 0, everything that is stored
"#;

pub(super) const LIST_START: &str = r#"
29000000                         bytes: 41 follow
00490386                         checksum
15000000                         head_bytes: 21
0800                             kind: api 8, list_offsets
01                               version: 1
00                               flags: a request
0b00000000000000                 correlation: 11
0700000000000000                 topic: 7
03000000                         partition: 3
00                               at_kind: 0, the start
0000000000000000                 at: nothing
"#;

pub(super) const LIST_END: &str = r#"
29000000                         bytes: 41 follow
5103e6be                         checksum
15000000                         head_bytes: 21
0800                             kind: api 8, list_offsets
01                               version: 1
00                               flags: a request
0c00000000000000                 correlation: 12
0700000000000000                 topic: 7
03000000                         partition: 3
01                               at_kind: 1, the end
0000000000000000                 at: nothing
"#;

pub(super) const LIST_BY_TIME: &str = r#"
29000000                         bytes: 41 follow
837915aa                         checksum
15000000                         head_bytes: 21
0800                             kind: api 8, list_offsets
01                               version: 1
00                               flags: a request
0d00000000000000                 correlation: 13
0700000000000000                 topic: 7
03000000                         partition: 3
02                               at_kind: 2, a time
15cd853dfe9c9717                 at: 1700000000123456789 ns
"#;

pub(super) const LIST_BY_TIMESTAMP: &str = r#"
29000000                         bytes: 41 follow
3d096607                         checksum
15000000                         head_bytes: 21
0800                             kind: api 8, list_offsets
01                               version: 1
00                               flags: a request
1100000000000000                 correlation: 17
0700000000000000                 topic: 7
03000000                         partition: 3
03                               at_kind: 3, a timestamp of records
7b68e5cf8b010000                 at: 1700000000123 ms
"#;

pub(super) const LIST_BY_TIMESTAMP_BEFORE_1970: &str = r#"
29000000                         bytes: 41 follow
b12b3940                         checksum
15000000                         head_bytes: 21
0800                             kind: api 8, list_offsets
01                               version: 1
00                               flags: a request
1200000000000000                 correlation: 18
0700000000000000                 topic: 7
03000000                         partition: 3
03                               at_kind: 3, a timestamp of records
ffffffffffffffff                 at: -1 ms
"#;

pub(super) const DESCRIBE_SHARDS: &str = r#"
14000000                         bytes: 20 follow
0a96ccc6                         checksum
00000000                         head_bytes: 0
0900                             kind: api 9, describe_shards
02                               version: 2
00                               flags: a request
0e00000000000000                 correlation: 14
"#;

pub(super) const CONFIRM_CLOCK: &str = r#"
14000000                         bytes: 20 follow
55ee0f33                         checksum
00000000                         head_bytes: 0
0a00                             kind: api 10, confirm_clock
00                               version: 0
00                               flags: a request
ffffffffffffffff                 correlation: 18446744073709551615
"#;

pub(super) const ALTER_TOPIC: &str = r#"
3d000000                         bytes: 61 follow
d55914ca                         checksum
29000000                         head_bytes: 41
0b00                             kind: api 11, alter_topic
01                               version: 1
00                               flags: a request
0f00000000000000                 correlation: 15
0700000000000000                 topic: 7
13                               sets: partition_count, record_bytes_max, retention_ns
10000000                         partition_count: 16
00000400                         record_bytes_max: 262144
0000000000000000                 segment_bytes: not set
0000000000000000                 retention_bytes: not set
000029f90f260200                 retention_ns: 604800000000000, 7 days
"#;

pub(super) const ALTER_TOPIC_TO_KEEP_EVERYTHING: &str = r#"
3d000000                         bytes: 61 follow
eb85fc6c                         checksum
29000000                         head_bytes: 41
0b00                             kind: api 11, alter_topic
01                               version: 1
00                               flags: a request
1000000000000000                 correlation: 16
0700000000000000                 topic: 7
0c                               sets: segment_bytes, retention_bytes
00000000                         partition_count: not set
00000000                         record_bytes_max: not set
0000100000000000                 segment_bytes: 1048576
0000000000000000                 retention_bytes: 0, everything is kept
0000000000000000                 retention_ns: not set
"#;

pub(super) const CREATE_KEYED_TOPIC: &str = r#"
58000000                         bytes: 88 follow
7b1fe8f7                         checksum
44000000                         head_bytes: 68
0200                             kind: api 2, create_topic
01                               version: 1
00                               flags: a request
1300000000000000                 correlation: 19
0c000000                         partition_count: 12
00000400                         record_bytes_max: 262144
0000100000000000                 segment_bytes: 1048576
0000000002000000                 retention_bytes: 8589934592
0000000000000000                 retention_ns: 0, everything is kept
0600                             name: 6 bytes
6f7264657273                     "orders"
02                               key_source: 2, a header
01                               key_partitioner: 1, murmur2
5a00                             key_window_days: 90
0a00                             key_header: 10 bytes
7061796d656e742d6964             "payment-id"
01000000                         body_headers: 1
0600                             name: 6 bytes
616d6f756e74                     "amount"
"#;

pub(super) const LOOK_UP_KEY: &str = r#"
24000000                         bytes: 36 follow
1f9d0b50                         checksum
10000000                         head_bytes: 16
0c00                             kind: api 12, look_up_key
00                               version: 0
00                               flags: a request
1400000000000000                 correlation: 20
0700000000000000                 topic: 7
04000000                         key: 4 bytes
70ff0031                         0x70, 0xff, 0x00, 0x31
"#;
