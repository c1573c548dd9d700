//! Responses about topics with idempotency keys.

pub(in crate::protocol::response::tests) const KEYED_TOPIC_CREATED: &str = r#"
4c000000                         bytes: 76 follow
487b1b51                         checksum
38000000                         head_bytes: 56
0000                             kind: code 0, success
01                               version: 1
01                               flags: a response
1500000000000000                 correlation: 21
0700000000000000                 topic: 7
01000000                         revision: 1
0600                             name: 6 bytes
6f7264657273                     "orders"
02000000                         placement: 2 partitions
0000                             shard: 0
0300                             shard: 3
02                               key_source: 2, a header
01                               key_partitioner: 1, murmur2
5a00                             key_window_days: 90
0a00                             key_header: 10 bytes
7061796d656e742d6964             "payment-id"
01000000                         body_headers: 1
0600                             name: 6 bytes
616d6f756e74                     "amount"
"#;

pub(in crate::protocol::response::tests) const KNOWN: &str = r#"
49000000                         bytes: 73 follow
a1f1bd4c                         checksum
35000000                         head_bytes: 53
0000                             kind: code 0, success
01                               version: 1
01                               flags: a response
1600000000000000                 correlation: 22
2900000000000000                 base_offset: 41
15cd853dfe9c9717                 append_time: 1700000000123456789 ns
01                               duplicate: 1
02000000                         receipts: 2
2900000000000000                 offset: 41
15cd853dfe9c9717                 append_time: 1700000000123456789 ns
0900000000000000                 offset: 9
14cd853dfe9c9717                 append_time: 1700000000123456788 ns
"#;

pub(in crate::protocol::response::tests) const KEY: &str = r#"
29000000                         bytes: 41 follow
549acd9b                         checksum
15000000                         head_bytes: 21
0000                             kind: code 0, success
00                               version: 0
01                               flags: a response
1700000000000000                 correlation: 23
03000000                         partition: 3
01                               found: 1
2900000000000000                 offset: 41
15cd853dfe9c9717                 append_time: 1700000000123456789 ns
"#;

pub(in crate::protocol::response::tests) const KEY_ABSENT: &str = r#"
29000000                         bytes: 41 follow
940d8b02                         checksum
15000000                         head_bytes: 21
0000                             kind: code 0, success
00                               version: 0
01                               flags: a response
1800000000000000                 correlation: 24
03000000                         partition: 3
00                               found: 0
0000000000000000                 offset: 0
0000000000000000                 append_time: 0
"#;
