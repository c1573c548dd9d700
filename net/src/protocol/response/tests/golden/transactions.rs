//! Golden bytes of responses about transactions, groups and batches that belong together.

pub(in crate::protocol) const TRANSACTIONAL_ID_OPENED: &str = r#"
2a000000                         bytes: 42 follow
2275ce21                         checksum
16000000                         head_bytes: 22
0000                             kind: code 0, success
00                               version: 0
01                               flags: a response
1a00000000000000                 correlation: 26
0500000000000100                 producer: 281474976710661
0700                             epoch: 7
01                               has_last: 1
0500000000000100                 producer: 281474976710661
0700                             epoch: 7
01                               outcome: 1, committed
"#;

pub(in crate::protocol) const TRANSACTIONAL_ID_OPENED_FIRST: &str = r#"
2a000000                         bytes: 42 follow
faade07a                         checksum
16000000                         head_bytes: 22
0000                             kind: code 0, success
00                               version: 0
01                               flags: a response
1b00000000000000                 correlation: 27
0500000000000100                 producer: 281474976710661
0700                             epoch: 7
00                               has_last: 0
0000000000000000                 producer: 0
0000                             epoch: 0
00                               outcome: 0
"#;

pub(in crate::protocol) const TRANSACTION_ENDED: &str = r#"
1f000000                         bytes: 31 follow
5caaa859                         checksum
0b000000                         head_bytes: 11
0000                             kind: code 0, success
00                               version: 0
01                               flags: a response
1c00000000000000                 correlation: 28
01                               outcome: 1, committed
0500000000000100                 producer: 281474976710661
0700                             epoch: 7
"#;

pub(in crate::protocol) const TRANSACTIONS: &str = r#"
dc000000                         bytes: 220 follow
1ab0229f                         checksum
c8000000                         head_bytes: 200
0000                             kind: code 0, success
00                               version: 0
01                               flags: a response
1d00000000000000                 correlation: 29
02000000                         transactions: 2
0c00                             transactional_id: 12 bytes
736574746c656d656e742d31         "settlement-1"
0500000000000100                 producer: 281474976710661
0700                             epoch: 7
10270000                         timeout_ms: 10000
01                               is_ongoing: 1
15cd853dfe9c9717                 since: 1700000000123456789
01                               has_last: 1
0500000000000100                 producer: 281474976710661
0700                             epoch: 7
01                               outcome: 1, committed
46000000                         participant_count: 70
02000000                         participants: 2
01                               participant: 1, a partition
0700000000000000                 topic: 7
03000000                         partition: 3
0000                             group: 0 bytes
0000                             shard: 0
02                               participant: 2, a group
0000000000000000                 topic: 0
00000000                         partition: 0
0600                             group: 6 bytes
6c6564676572                     "ledger"
0100                             shard: 1
01000000                         unnoted_count: 1
01000000                         unnoted: 1
0500000000000100                 producer: 281474976710661
0700                             epoch: 7
01                               outcome: 1, committed
02                               participant: 2, a group
0000000000000000                 topic: 0
00000000                         partition: 0
0600                             group: 6 bytes
6c6564676572                     "ledger"
0100                             shard: 1
0400                             transactional_id: 4 bytes
73686f70                         "shop"
0500000000000100                 producer: 281474976710661
0700                             epoch: 7
01000000                         timeout_ms: 1
00                               is_ongoing: 0
0000000000000000                 since: 0
00                               has_last: 0
0000000000000000                 producer: 0
0000                             epoch: 0
00                               outcome: 0
00000000                         participant_count: 0
00000000                         participants: none
00000000                         unnoted_count: 0
00000000                         unnoted: none
"#;

pub(in crate::protocol) const TRANSACTION: &str = r#"
51000000                         bytes: 81 follow
1a8b1e6f                         checksum
3d000000                         head_bytes: 61
0000                             kind: code 0, success
00                               version: 0
01                               flags: a response
1e00000000000000                 correlation: 30
01000000                         transactions: 1
0400                             transactional_id: 4 bytes
73686f70                         "shop"
0500000000000100                 producer: 281474976710661
0700                             epoch: 7
01000000                         timeout_ms: 1
00                               is_ongoing: 0
0000000000000000                 since: 0
00                               has_last: 0
0000000000000000                 producer: 0
0000                             epoch: 0
00                               outcome: 0
00000000                         participant_count: 0
00000000                         participants: none
00000000                         unnoted_count: 0
00000000                         unnoted: none
"#;

pub(in crate::protocol) const TRANSACTION_ABSENT: &str = r#"
18000000                         bytes: 24 follow
b394b02d                         checksum
04000000                         head_bytes: 4
0000                             kind: code 0, success
00                               version: 0
01                               flags: a response
1f00000000000000                 correlation: 31
00000000                         transactions: none
"#;

pub(in crate::protocol) const OFFSETS_COMMITTED: &str = r#"
14000000                         bytes: 20 follow
d8dbffe2                         checksum
00000000                         head_bytes: 0
0000                             kind: code 0, success
00                               version: 0
01                               flags: a response
2000000000000000                 correlation: 32
"#;

pub(in crate::protocol) const OFFSETS: &str = r#"
37000000                         bytes: 55 follow
33c89f6d                         checksum
23000000                         head_bytes: 35
0000                             kind: code 0, success
00                               version: 0
01                               flags: a response
2100000000000000                 correlation: 33
01000000                         offsets: 1
0700000000000000                 topic: 7
03000000                         partition: 3
2900000000000000                 offset: 41
0100                             metadata: 1 bytes
6d                               "m"
15cd853dfe9c9717                 commit_time: 1700000000123456789
"#;

pub(in crate::protocol) const GROUPS: &str = r#"
20000000                         bytes: 32 follow
3f54f606                         checksum
0c000000                         head_bytes: 12
0000                             kind: code 0, success
00                               version: 0
01                               flags: a response
2200000000000000                 correlation: 34
01000000                         groups: 1
0600                             group: 6 bytes
6c6564676572                     "ledger"
"#;

pub(in crate::protocol) const GROUP_FORGOTTEN: &str = r#"
14000000                         bytes: 20 follow
b15cbb39                         checksum
00000000                         head_bytes: 0
0000                             kind: code 0, success
00                               version: 0
01                               flags: a response
2300000000000000                 correlation: 35
"#;

pub(in crate::protocol) const PRODUCED_TOGETHER: &str = r#"
43000000                         bytes: 67 follow
7f530c5a                         checksum
2f000000                         head_bytes: 47
0000                             kind: code 0, success
00                               version: 0
01                               flags: a response
2400000000000000                 correlation: 36
01                               duplicate: 1
ffffffffffffffff                 producer: none
ffff                             epoch: none
02000000                         receipts: 2
2900000000000000                 base_offset: 41
15cd853dfe9c9717                 append_time: 1700000000123456789
0900000000000000                 base_offset: 9
14cd853dfe9c9717                 append_time: 1700000000123456788
"#;

pub(in crate::protocol) const PRODUCED_AS_A_TRANSACTION: &str = r#"
43000000                         bytes: 67 follow
ac0d7cb6                         checksum
2f000000                         head_bytes: 47
0000                             kind: code 0, success
00                               version: 0
01                               flags: a response
2500000000000000                 correlation: 37
00                               duplicate: 0
0500000000000100                 producer: 281474976710661
0700                             epoch: 7
02000000                         receipts: 2
2900000000000000                 base_offset: 41
15cd853dfe9c9717                 append_time: 1700000000123456789
0900000000000000                 base_offset: 9
14cd853dfe9c9717                 append_time: 1700000000123456788
"#;

pub(in crate::protocol) const ABORT_TRANSACTION: &str = r#"
38000000                         bytes: 56 follow
4cb95b31                         checksum
24000000                         head_bytes: 36
3c00                             kind: code 60, transaction_aborted
01                               version: 1
01                               flags: a response
2600000000000000                 correlation: 38
07                               action: 7, abort transaction
0500000000000100                 detail_first: 281474976710661
0700000000000000                 detail_second: 7
1100                             message: 17 bytes
626567696e20616e6f74686572206f6e65 "begin another one"
"#;
