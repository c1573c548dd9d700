//! Golden bytes of requests about transactions, groups and batches that belong together.

pub(in crate::protocol) const OPEN_TRANSACTIONAL_ID: &str = r#"
26000000                         bytes: 38 follow
f4025a96                         checksum
12000000                         head_bytes: 18
0d00                             kind: api 13, open_transactional_id
00                               version: 0
00                               flags: a request
1500000000000000                 correlation: 21
10270000                         timeout_ms: 10000
0c00                             transactional_id: 12 bytes
736574746c656d656e742d31         "settlement-1"
"#;

pub(in crate::protocol) const COMMIT_TRANSACTION: &str = r#"
1f000000                         bytes: 31 follow
9ee3dffc                         checksum
0b000000                         head_bytes: 11
0e00                             kind: api 14, end_transaction
00                               version: 0
00                               flags: a request
1600000000000000                 correlation: 22
0500000000000100                 producer: 281474976710661
0700                             epoch: 7
01                               outcome: 1, commit
"#;

pub(in crate::protocol) const ABORT_TRANSACTION: &str = r#"
1f000000                         bytes: 31 follow
7a2c8fb7                         checksum
0b000000                         head_bytes: 11
0e00                             kind: api 14, end_transaction
00                               version: 0
00                               flags: a request
1700000000000000                 correlation: 23
0500000000000100                 producer: 281474976710661
0700                             epoch: 7
00                               outcome: 0, abort
"#;

pub(in crate::protocol) const LIST_TRANSACTIONS: &str = r#"
16000000                         bytes: 22 follow
ac8344fb                         checksum
02000000                         head_bytes: 2
0f00                             kind: api 15, list_transactions
00                               version: 0
00                               flags: a request
1800000000000000                 correlation: 24
0000                             after: 0 bytes
"#;

pub(in crate::protocol) const LIST_TRANSACTIONS_BEHIND: &str = r#"
22000000                         bytes: 34 follow
a831fe61                         checksum
0e000000                         head_bytes: 14
0f00                             kind: api 15, list_transactions
00                               version: 0
00                               flags: a request
1900000000000000                 correlation: 25
0c00                             after: 12 bytes
736574746c656d656e742d31         "settlement-1"
"#;

pub(in crate::protocol) const DESCRIBE_TRANSACTION: &str = r#"
22000000                         bytes: 34 follow
c26521fc                         checksum
0e000000                         head_bytes: 14
1000                             kind: api 16, describe_transaction
00                               version: 0
00                               flags: a request
1a00000000000000                 correlation: 26
0c00                             transactional_id: 12 bytes
736574746c656d656e742d31         "settlement-1"
"#;

pub(in crate::protocol) const COMMIT_OFFSETS: &str = r#"
41000000                         bytes: 65 follow
9aa24e71                         checksum
2d000000                         head_bytes: 45
1100                             kind: api 17, commit_offsets
00                               version: 0
00                               flags: a request
1b00000000000000                 correlation: 27
0600                             group: 6 bytes
6c6564676572                     "ledger"
ffffffffffffffff                 producer: none
ffff                             epoch: none
01000000                         offsets: 1
0700000000000000                 topic: 7
03000000                         partition: 3
2900000000000000                 offset: 41
0100                             metadata: 1 bytes
6d                               "m"
"#;

pub(in crate::protocol) const COMMIT_OFFSETS_IN_TRANSACTION: &str = r#"
41000000                         bytes: 65 follow
3d19c6dd                         checksum
2d000000                         head_bytes: 45
1100                             kind: api 17, commit_offsets
00                               version: 0
00                               flags: a request
1c00000000000000                 correlation: 28
0600                             group: 6 bytes
6c6564676572                     "ledger"
0500000000000100                 producer: 281474976710661
0700                             epoch: 7
01000000                         offsets: 1
0700000000000000                 topic: 7
03000000                         partition: 3
2900000000000000                 offset: 41
0100                             metadata: 1 bytes
6d                               "m"
"#;

pub(in crate::protocol) const FETCH_OFFSETS: &str = r#"
29000000                         bytes: 41 follow
2ed2e09e                         checksum
15000000                         head_bytes: 21
1200                             kind: api 18, fetch_offsets
00                               version: 0
00                               flags: a request
1d00000000000000                 correlation: 29
0600                             group: 6 bytes
6c6564676572                     "ledger"
00                               has_after: 0
0000000000000000                 topic: 0
00000000                         partition: 0
"#;

pub(in crate::protocol) const FETCH_OFFSETS_BEHIND: &str = r#"
29000000                         bytes: 41 follow
7c64c547                         checksum
15000000                         head_bytes: 21
1200                             kind: api 18, fetch_offsets
00                               version: 0
00                               flags: a request
1e00000000000000                 correlation: 30
0600                             group: 6 bytes
6c6564676572                     "ledger"
01                               has_after: 1
0700000000000000                 topic: 7
03000000                         partition: 3
"#;

pub(in crate::protocol) const LIST_GROUPS: &str = r#"
1c000000                         bytes: 28 follow
81182adc                         checksum
08000000                         head_bytes: 8
1300                             kind: api 19, list_groups
00                               version: 0
00                               flags: a request
1f00000000000000                 correlation: 31
0600                             after: 6 bytes
6c6564676572                     "ledger"
"#;

pub(in crate::protocol) const FORGET_GROUP: &str = r#"
1c000000                         bytes: 28 follow
4c44923e                         checksum
08000000                         head_bytes: 8
1400                             kind: api 20, forget_group
00                               version: 0
00                               flags: a request
2000000000000000                 correlation: 32
0600                             group: 6 bytes
6c6564676572                     "ledger"
"#;

pub(in crate::protocol) const PRODUCE_TOGETHER: &str = r#"
de000000                         bytes: 222 follow
94d8898f                         checksum
24000000                         head_bytes: 36
1500                             kind: api 21, produce_together
00                               version: 0
00                               flags: a request
2100000000000000                 correlation: 33
02000000                         batches: 2
0700000000000000                 topic: 7
03000000                         partition: 3
53000000                         batch_bytes: 83
0700000000000000                 topic: 7
04000000                         partition: 4
53000000                         batch_bytes: 83
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

pub(in crate::protocol) const FETCH_COMMITTED: &str = r#"
32000000                         bytes: 50 follow
726a7e0e                         checksum
1e000000                         head_bytes: 30
0700                             kind: api 7, fetch
01                               version: 1
00                               flags: a request
2200000000000000                 correlation: 34
0700000000000000                 topic: 7
03000000                         partition: 3
00000100                         bytes_max: 65536
f4010000                         wait_ms: 500
00                               from_kind: 0, an offset
2900000000000000                 from: offset 41
01                               isolation: 1, what is committed
"#;

pub(in crate::protocol) const LIST_STABLE: &str = r#"
29000000                         bytes: 41 follow
d2182369                         checksum
15000000                         head_bytes: 21
0800                             kind: api 8, list_offsets
01                               version: 1
00                               flags: a request
2300000000000000                 correlation: 35
0700000000000000                 topic: 7
03000000                         partition: 3
04                               at_kind: 4, the last stable offset
0000000000000000                 at: nothing
"#;
