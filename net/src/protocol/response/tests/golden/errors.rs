//! Errors, which read the same for every api.

pub(in crate::protocol::response::tests) const WITHOUT_DETAILS: &str = r#"
2b000000                         bytes: 43 follow
242caca7                         checksum
17000000                         head_bytes: 23
0500                             kind: code 5, journal_full
01                               version: 1
01                               flags: a response
0d00000000000000                 correlation: 13
01                               action: 1, retry
0000000000000000                 detail_first: 0
0000000000000000                 detail_second: 0
0400                             message: 4 bytes
66756c6c                         "full"
"#;

pub(in crate::protocol::response::tests) const WITH_ONE_DETAIL: &str = r#"
38000000                         bytes: 56 follow
2a8d4e83                         checksum
24000000                         head_bytes: 36
2000                             kind: code 32, fenced
01                               version: 1
01                               flags: a response
0e00000000000000                 correlation: 14
03                               action: 3, fenced
0200000000000000                 detail_first: 2
0000000000000000                 detail_second: 0
1100                             message: 17 bytes
66656e6365642062792065706f63682032 "fenced by epoch 2"
"#;

pub(in crate::protocol::response::tests) const WITH_TWO_DETAILS: &str = r#"
36000000                         bytes: 54 follow
86404ee6                         checksum
22000000                         head_bytes: 34
1500                             kind: code 21, offset_out_of_range
01                               version: 1
01                               flags: a response
0f00000000000000                 correlation: 15
04                               action: 4, fix request
0a00000000000000                 detail_first: 10
2a00000000000000                 detail_second: 42
0f00                             message: 15 bytes
63686f6f736520313020746f203432   "choose 10 to 42"
"#;

pub(in crate::protocol::response::tests) const REFRESH: &str = r#"
31000000                         bytes: 49 follow
75966a65                         checksum
1d000000                         head_bytes: 29
0b00                             kind: code 11, not_owner
01                               version: 1
01                               flags: a response
1000000000000000                 correlation: 16
02                               action: 2, refresh
0300000000000000                 detail_first: 3
0000000000000000                 detail_second: 0
0a00                             message: 10 bytes
6f6e2073686172642033             "on shard 3"
"#;

pub(in crate::protocol::response::tests) const FATAL: &str = r#"
27000000                         bytes: 39 follow
dd198f7a                         checksum
13000000                         head_bytes: 19
2500                             kind: code 37, producer_ids_exhausted
00                               version: 0
01                               flags: a response
1100000000000000                 correlation: 17
05                               action: 5, fatal
0000000000000000                 detail_first: 0
0000000000000000                 detail_second: 0
0000                             message: 0 bytes
"#;

pub(in crate::protocol::response::tests) const OUTCOME_UNKNOWN: &str = r#"
2e000000                         bytes: 46 follow
68b83e81                         checksum
1a000000                         head_bytes: 26
0400                             kind: code 4, outcome_unknown
01                               version: 1
01                               flags: a response
1200000000000000                 correlation: 18
06                               action: 6, outcome unknown
0000000000000000                 detail_first: 0
0000000000000000                 detail_second: 0
0700                             message: 7 bytes
756e6b6e6f776e                   "unknown"
"#;

pub(in crate::protocol::response::tests) const OF_NO_REQUEST: &str = r#"
30000000                         bytes: 48 follow
803fb72c                         checksum
1c000000                         head_bytes: 28
6500                             kind: code 101, frame_too_large
00                               version: 0
01                               flags: a response
0000000000000000                 correlation: 0
04                               action: 4, fix request
0000110000000000                 detail_first: 1114112
0000000000000000                 detail_second: 0
0900                             message: 9 bytes
746f6f206c61726765               "too large"
"#;

pub(in crate::protocol::response::tests) const UNKNOWN_TO_THIS_BUILD: &str = r#"
29000000                         bytes: 41 follow
8c1c5251                         checksum
15000000                         head_bytes: 21
e703                             kind: code 999, not in the table
00                               version: 0
01                               flags: a response
1300000000000000                 correlation: 19
01                               action: 1, retry
0100000000000000                 detail_first: 1
0200000000000000                 detail_second: 2
0200                             message: 2 bytes
c3a9                             "é"
"#;

pub(in crate::protocol::response::tests) const WITH_RECORDS: &str = r#"
77000000                         bytes: 119 follow
095966e7                         checksum
63000000                         head_bytes: 99
3500                             kind: code 53, key_conflict
01                               version: 1
01                               flags: a response
1900000000000000                 correlation: 25
04                               action: 4, fix request
0200000000000000                 detail_first: 2
2800000000000000                 detail_second: 40
0800                             message: 8 bytes
636f6e666c696374                 "conflict"
04000000                         records: 4
00                               verdict: 0, new
0000000000000000                 place: 0
0000000000000000                 append_time: 0
01                               verdict: 1, duplicate
2900000000000000                 place: offset 41
15cd853dfe9c9717                 append_time: 1700000000123456789
02                               verdict: 2, conflict
2800000000000000                 place: offset 40
14cd853dfe9c9717                 append_time: 1700000000123456788
03                               verdict: 3, repeated
0000000000000000                 place: the record with index 0
0000000000000000                 append_time: 0
"#;
