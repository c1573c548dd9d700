use florin_engine::model::{Offset, ProducerEpoch, ProducerId, Realtime, TopicId, TransactionKey};
use florin_engine::partition::CutReason;
use florin_engine::transaction::OpenTransaction;
use florin_net::client::{DescribedTopic, TopicSettings};
use florin_net::protocol::{PartitionDescription, TopicDescription};

use super::{describe_in_words, list_in_words, partition_document, question};

/// When descriptions are shown.
const NOW: Realtime = Realtime(1_767_323_049_500_000_000);

fn topic() -> TopicDescription {
    TopicDescription { id: TopicId(7), name: "payments".to_owned(), revision: 1, placement: vec![0, 1], keys: None }
}

fn partitions() -> [PartitionDescription; 2] {
    let known = PartitionDescription {
        start_offset: 1_010,
        high_watermark: 13_010,
        held_bytes: 4_194_304,
        stored_bytes: 8_192,
        producer_count: 2,
        last_append_time: 1_767_323_045_000_000_000,
        cut_bytes: 4_000,
        cut_time: 1_767_323_046_000_000_000,
        cut_reason: Some(CutReason::Age),
        stable_offset: 12_990,
        open_transaction_count: 2,
        oldest_transaction: Some(OpenTransaction {
            transaction: TransactionKey { producer: ProducerId(5), epoch: ProducerEpoch(3) },
            first_offset: Offset(12_990),
            since: Realtime(1_767_323_047_000_000_000),
        }),
        ..PartitionDescription::default()
    };
    [known, PartitionDescription { index: 1, shard: 1, code: 5, ..PartitionDescription::default() }]
}

#[test]
fn topics_are_listed_in_columns() {
    assert_eq!(list_in_words(&[topic()]), "topic     id  partitions\npayments   7           2\n");
    assert!(list_in_words(&[]).contains("florin topic create"));
}

#[test]
fn a_description_shows_what_is_known_and_why_the_rest_is_not() {
    let settings = TopicSettings::default();
    let described = DescribedTopic { topic: topic(), settings, partitions: partitions().to_vec() };
    let text = describe_in_words(&described, NOW);
    let lines: Vec<_> = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(lines[0], "topic payments (id 7) with 2 partitions, revision 1");
    assert!(lines[1].starts_with("keeps everything; "));
    assert_eq!(lines[3], "0 0 1010 13010 12990 12,000 4,194,304 8,192 2 2026-01-02T03:04:05.000000000Z");
    assert_eq!(lines[4], "1 1 ? ? ? ? ? ? ? not known: journal_full (5)");
    let cut =
        "partition 0: retention has cut 1,010 records, 4,000 bytes; last at 2026-01-02T03:04:06.000000000Z, by age";
    assert_eq!(lines[5], cut);
    let open = "partition 0: 2 transactions are open, the oldest of them 5:3, since 2026-01-02T03:04:07.000000000Z (2.5s), \
                from offset 12990 on: `florin txn list --partition payments:0`";
    assert_eq!(lines[6], open);
    assert_eq!(lines[7], "in all 12,000 records, 4MiB in memory (4194304 bytes), 8KiB at rest (8192 bytes)");
    assert_eq!(lines.len(), 8, "nothing is said of a partition that was never cut and has no open transaction");
}

#[test]
fn json_has_null_for_what_is_not_known() {
    let [known, unknown] =
        partitions().map(|partition| serde_json::to_value(partition_document(&partition)).expect("a document is JSON"));
    assert_eq!((&known["record_count"], &known["code"]), (&12_000.into(), &0.into()));
    assert_eq!(known["last_append_time"], "2026-01-02T03:04:05.000000000Z");
    assert_eq!((&known["stored_bytes"], &known["cut_record_count"]), (&8_192.into(), &1_010.into()));
    assert_eq!((&known["cut_bytes"], &known["cut_reason"]), (&4_000.into(), &"age".into()));
    assert_eq!(known["cut_time"], "2026-01-02T03:04:06.000000000Z");
    assert_eq!((&known["stable_offset"], &known["open_transaction_count"]), (&12_990.into(), &2.into()));
    let oldest = &known["oldest_transaction"];
    assert_eq!((&oldest["producer_id"], &oldest["producer_epoch"]), (&5.into(), &3.into()));
    assert_eq!((&oldest["first_offset"], &oldest["since"]), (&12_990.into(), &"2026-01-02T03:04:07.000000000Z".into()));
    assert_eq!(unknown["code"], 5);
    let offsets = ["start_offset", "high_watermark", "record_count", "held_bytes", "stored_bytes", "producer_count"];
    let cuts = ["last_append_time", "cut_record_count", "cut_bytes", "cut_time", "cut_reason"];
    let open = ["stable_offset", "open_transaction_count", "oldest_transaction"];
    for field in offsets.into_iter().chain(cuts).chain(open) {
        assert!(unknown[field].is_null(), "{field}");
    }
}

#[test]
fn the_question_says_how_much_is_lost() {
    let [known, unknown] = partitions();
    assert!(question(&topic(), &[known]).contains("payments holds 12,000 records; they cannot be brought back"));
    assert!(question(&topic(), &[known, unknown]).contains("holds at least 12,000 records"));
}
