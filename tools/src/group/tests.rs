use florin_engine::model::{Offset, PartitionId, Realtime, TopicId};
use florin_engine::shard::Action;
use florin_net::client::{ClientError, DescribedTopic, GroupId, GroupOffset, TopicSettings};
use florin_net::protocol::{Code, ErrorResponse, PartitionDescription, TopicDescription};

use super::{Progress, Topics, in_words, list_in_words, offsets_in_words};
use crate::cli::network::ServerArguments;

/// 2026-01-02T03:04:05Z.
const WHEN: Realtime = Realtime(1_767_323_045_000_000_000);

fn group(name: &str) -> GroupId {
    GroupId::new(name).expect("a name")
}

fn topics() -> Topics {
    let topic = TopicDescription {
        id: TopicId(7),
        name: "payments".to_owned(),
        revision: 1,
        placement: vec![0, 1],
        keys: None,
    };
    let known = PartitionDescription { stable_offset: 1_240, high_watermark: 1_300, ..PartitionDescription::default() };
    let silent = PartitionDescription { index: 1, shard: 1, code: 5, ..PartitionDescription::default() };
    let described = DescribedTopic { topic, settings: TopicSettings::default(), partitions: vec![known, silent] };
    Topics::from([(TopicId(7), described)])
}

fn progress(topic: u64, index: u32, offset: u64) -> Progress {
    let partition = PartitionId { topic: TopicId(topic), index };
    Progress::of(GroupOffset { partition, offset: Offset(offset), metadata: "by\t7".into() }, WHEN, &topics())
}

#[test]
fn offsets_are_shown_with_what_is_committed_behind_them() {
    let all = [progress(7, 0, 5), progress(7, 1, 5), progress(8, 0, 5), progress(7, 0, 1_250)];
    let text = offsets_in_words(&group("ledger"), &all);
    let lines: Vec<_> = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        lines,
        [
            "group ledger in 4 partitions, in all 1,235 behind",
            "topic partition committed lag when metadata",
            "payments 0 5 1,235 2026-01-02T03:04:05.000000000Z by\\t7",
            "payments 1 5 ? 2026-01-02T03:04:05.000000000Z not known: journal_full (5) by\\t7",
            "id 8, which is gone 0 5 - 2026-01-02T03:04:05.000000000Z by\\t7",
            "payments 0 1250 0 2026-01-02T03:04:05.000000000Z by\\t7",
        ]
    );
}

#[test]
fn json_has_null_for_what_is_gone_and_for_what_is_not_known() {
    let json = |progress: Progress| serde_json::to_value(progress.document()).expect("a document is JSON");
    let known = json(progress(7, 0, 5));
    assert_eq!(
        (&known["topic"], &known["topic_name"], &known["partition"]),
        (&7.into(), &"payments".into(), &0.into())
    );
    assert_eq!((&known["offset"], &known["stable_offset"], &known["lag"]), (&5.into(), &1_240.into(), &1_235.into()));
    assert_eq!((&known["metadata"], &known["code"]), (&"by\t7".into(), &0.into()));
    assert_eq!(known["committed"], "2026-01-02T03:04:05.000000000Z");
    let silent = json(progress(7, 1, 5));
    assert_eq!((&silent["code"], &silent["topic_name"]), (&5.into(), &"payments".into()));
    assert!(silent["lag"].is_null() && silent["stable_offset"].is_null());
    let gone = json(progress(8, 0, 5));
    assert_eq!(gone["code"], 0);
    assert!(gone["lag"].is_null() && gone["topic_name"].is_null());
}

#[test]
fn groups_are_listed_with_their_shards() {
    assert_eq!(list_in_words(&[group("ledger")], 1), "group   shard\nledger      0\n");
    assert!(list_in_words(&[], 1).contains("no groups"));
}

#[test]
fn a_refusal_says_what_to_do_next() {
    let at = ServerArguments { server: "127.0.0.1:7878".to_owned() };
    let said = |code, action| {
        let (message, records) = ("it says so".to_owned(), Vec::new());
        let refusal = ErrorResponse { code, action, details: [0; 2], message, records };
        in_words(ClientError::Refused(refusal), &group("ledger"), &at).to_string()
    };
    let unknown = said(Code::UNKNOWN_GROUP, Action::FixRequest);
    assert!(unknown.starts_with("the server at 127.0.0.1:7878 has no group ledger (code 69)"), "{unknown}");
    let undecided = said(Code::OFFSETS_UNDECIDED, Action::Retry);
    assert!(undecided.contains("open still (code 67): `florin txn list --group ledger` says which"), "{undecided}");
    assert!(said(Code::STOPPING, Action::Retry).contains("it says so (code 2)"));
}
