use std::collections::BTreeMap;

use florin_engine::format::control::Participant;
use florin_engine::model::{Offset, PartitionId, ProducerEpoch, ProducerId, Realtime, ShardId, TopicId};
use florin_engine::shard::Action;
use florin_engine::transaction::OpenTransaction;
use florin_net::client::{
    ClientError, Ended, GroupId, TransactionKey, TransactionOutcome, TransactionState, TransactionStatus,
    TransactionalId, Unnoted,
};
use florin_net::protocol::{Code, ErrorResponse, PartitionDescription};

use super::document::{DescribeDocument, ListDocument};
use super::words::{self, View};
use super::{HeldBack, Listing, Plan, not_aborted, plan};
use crate::client::TopicNames;

/// 2026-01-02T03:04:05Z.
const SINCE: u64 = 1_767_323_045_000_000_000;

fn key(epoch: u16) -> TransactionKey {
    TransactionKey { producer: ProducerId(5), epoch: ProducerEpoch(epoch) }
}

fn partition(topic: u64, index: u32) -> Participant {
    Participant::Partition(PartitionId { topic: TopicId(topic), index })
}

fn group(name: &str) -> Participant {
    Participant::Group(GroupId::new(name).expect("a name"))
}

fn ready(name: &str) -> TransactionStatus {
    TransactionStatus {
        name: TransactionalId::new(name).expect("a name"),
        current: key(3),
        state: TransactionState::Ready,
        timeout_ms: 10_000,
        participants: Vec::new(),
        participant_count: 0,
        last: None,
        unnoted: Vec::new(),
        unnoted_count: 0,
    }
}

/// Open, and so many seconds older than others.
fn open(name: &str, older_s: u64, participants: &[Participant]) -> TransactionStatus {
    TransactionStatus {
        state: TransactionState::Ongoing { since: Realtime(SINCE - older_s * 1_000_000_000) },
        participants: participants.iter().map(|participant| (participant.clone(), ShardId(1))).collect(),
        participant_count: participants.len(),
        last: Some(Ended { transaction: key(2), outcome: TransactionOutcome::Committed }),
        ..ready(name)
    }
}

fn unnoted(name: &str, participant: Participant) -> TransactionStatus {
    let (transaction, outcome) = (key(2), TransactionOutcome::Aborted);
    let unnoted = vec![Unnoted { transaction, outcome, participant, shard: ShardId(1) }];
    TransactionStatus { last: Some(Ended { transaction, outcome }), unnoted, unnoted_count: 1, ..ready(name) }
}

fn held_back(oldest: Option<TransactionKey>) -> HeldBack {
    let since = Realtime(SINCE);
    let oldest = oldest.map(|transaction| OpenTransaction { transaction, first_offset: Offset(40), since });
    let partition = PartitionDescription {
        index: 3,
        shard: 1,
        high_watermark: 50,
        stable_offset: if oldest.is_some() { 40 } else { 50 },
        open_transaction_count: u32::from(oldest.is_some()),
        oldest_transaction: oldest,
        ..PartitionDescription::default()
    };
    HeldBack { topic: "payments".to_owned(), partition }
}

fn names() -> TopicNames {
    BTreeMap::from([(TopicId(7), "payments".to_owned())])
}

/// Two seconds and a half after [`SINCE`].
fn view(names: &TopicNames) -> View<'_> {
    View { names, now: Realtime(SINCE + 2_500_000_000), shard_count: 2 }
}

fn shown(listing: &Listing) -> Vec<&str> {
    listing.statuses.iter().map(|status| status.name.as_str()).collect()
}

/// Lines with one space between words.
fn lines(text: &str) -> Vec<String> {
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn open_transactions_come_first_by_age_and_then_the_others_by_name() {
    let all = vec![ready("b"), open("young", 1, &[]), ready("a"), open("old", 9, &[])];
    let listing = Listing::new(all, None, None);
    assert_eq!(shown(&listing), ["old", "young", "a", "b"]);
    let names = names();
    let said = lines(&words::listing(&listing, false, &view(&names)));
    assert_eq!(
        said[0],
        "transactional id shard transaction state since for time-out participants last ended not noted"
    );
    assert!(said[1].ends_with("5:3 ongoing 2026-01-02T03:03:56.000000000Z 11.5s 10s 0 5:2 committed 0"), "{said:?}");
    assert!(said[4].starts_with("b ") && said[4].ends_with("5:3 ready - - 10s 0 - 0"), "{said:?}");
    let none = words::listing(&Listing::new(Vec::new(), None, None), false, &view(&names));
    assert!(none.contains("no transactional ids"));
}

#[test]
fn a_partition_is_held_back_by_what_writes_to_it_and_by_what_it_has_not_noted() {
    let by = partition(7, 3);
    let all = vec![
        ready("idle"),
        unnoted("ended", by.clone()),
        open("elsewhere", 9, &[partition(7, 4), group("ledger")]),
        open("here", 1, &[group("ledger"), by.clone()]),
    ];
    let listing = Listing::new(all.clone(), Some(&by), Some(held_back(Some(key(3)))));
    assert_eq!(shown(&listing), ["elsewhere", "here", "ended"], "its oldest transaction is the current one of both");
    let listing = Listing::new(all.clone(), Some(&by), Some(held_back(Some(key(2)))));
    assert_eq!(shown(&listing), ["here", "ended"]);
    let names = names();
    let said = words::listing(&listing, true, &view(&names));
    assert!(
        said.starts_with("partition 3 of topic payments on shard 1: what is committed can be read up to offset 40")
    );
    assert!(said.contains("5:2, since 2026-01-02T03:04:05.000000000Z (2.5s), from offset 40 on"), "{said}");
    assert!(!said.contains("no transactional id"), "{said}");

    let of_group = Listing::new(all.clone(), Some(&group("ledger")), None);
    assert_eq!(shown(&of_group), ["elsewhere", "here"]);
    let free = Listing::new(all, Some(&partition(7, 9)), Some(held_back(None)));
    let said = words::listing(&free, true, &view(&names));
    assert!(
        said.contains("up to offset 50") && said.contains("no transactional id is known to hold it back"),
        "{said}"
    );
}

#[test]
fn an_open_transaction_that_nobody_has_is_named_and_so_is_who_writes_to_more_than_is_told() {
    let by = partition(7, 3);
    let orphan = TransactionKey { producer: ProducerId(9), epoch: ProducerEpoch(0) };
    let names = names();
    let listing = Listing::new(vec![open("elsewhere", 1, &[])], Some(&by), Some(held_back(Some(orphan))));
    let said = words::listing(&listing, true, &view(&names));
    assert!(said.contains("no transactional id has transaction 9:0") && said.contains("florin shard list"), "{said}");

    let many = TransactionStatus { participant_count: 65, ..open("many", 1, &[partition(7, 4)]) };
    let listing = Listing::new(vec![many.clone()], Some(&by), Some(held_back(Some(orphan))));
    let said = words::listing(&listing, true, &view(&names));
    assert!(said.contains("may hold it back as well: many") && !said.contains("no transactional id has"), "{said}");
    let json = serde_json::to_value(ListDocument::of(&listing, &view(&names))).expect("a document is JSON");
    assert_eq!(json["unanswered_shards"], serde_json::json!([]));
    assert_eq!((&json["cannot_tell"][0], &json["held_back"]["stable_offset"]), (&"many".into(), &40.into()));
    assert_eq!((&json["held_back"]["topic_name"], &json["held_back"]["partition"]), (&"payments".into(), &3.into()));
    let free = Listing::new(vec![many.clone()], Some(&by), Some(held_back(None)));
    assert!(free.cannot_tell.is_empty(), "nothing is open there");
    assert!(words::description(&many, &view(&names)).contains("  and 64 more\n"));
}

#[test]
fn a_description_names_topics_groups_and_who_has_not_noted_an_end() {
    let status = TransactionStatus {
        unnoted: unnoted("of", group("ledger")).unnoted,
        unnoted_count: 1,
        ..open("writer", 0, &[partition(7, 3), partition(8, 1), group("ledger")])
    };
    let names = names();
    let said = lines(&words::description(&status, &view(&names)));
    assert!(said[0].starts_with("transactional id writer on shard "), "{said:?}");
    assert!(said[0].ends_with("transaction 5:3 is open since 2026-01-02T03:04:05.000000000Z (2.5s)"), "{said:?}");
    assert_eq!(
        said[1..],
        [
            "each may take 10s; the last one that ended, 5:2, was committed",
            "3 participants that it writes to:",
            "participant shard",
            "partition payments:3 1",
            "partition 1 of topic 8 that is gone 1",
            "group ledger 1",
            "1 participant that has not noted yet how an earlier transaction ended:",
            "transaction ended participant shard",
            "5:2 aborted group ledger 1",
        ]
    );
    let json = serde_json::to_value(DescribeDocument::of(&status, &view(&names))).expect("a document is JSON");
    assert_eq!(
        (&json["state"], &json["age_ms"], &json["timeout_ms"]),
        (&"ongoing".into(), &2500.into(), &10_000.into())
    );
    assert_eq!(
        (&json["participants"][0]["topic_name"], &json["participants"][0]["partition"]),
        (&"payments".into(), &3.into())
    );
    assert!(json["participants"][1]["topic_name"].is_null() && json["participants"][2]["topic"].is_null());
    assert_eq!((&json["unnoted"][0]["group"], &json["unnoted"][0]["outcome"]), (&"ledger".into(), &"aborted".into()));
    assert_eq!((&json["last"]["producer_epoch"], &json["last"]["outcome"]), (&2.into(), &"committed".into()));

    let said = words::description(&ready("idle"), &view(&names));
    assert!(said.contains("no transaction is open, the next one is 5:3") && said.lines().count() == 2, "{said}");
    let said = words::aborted(&status, &view(&names));
    assert!(said.starts_with("aborted transaction 5:3 of transactional id writer, open since 2026-01-02"), "{said}");
    assert!(said.contains("partition payments:3") && said.contains("group ledger"), "{said}");
}

#[test]
fn only_the_transaction_that_was_looked_at_is_aborted() {
    let status = open("writer", 0, &[]);
    assert_eq!(plan(&status, None), Plan::Abort(key(3)));
    assert_eq!(plan(&status, Some(key(3))), Plan::Abort(key(3)));
    let Plan::Refuse(why) = plan(&status, Some(key(2))) else { panic!("another one is open") };
    assert_eq!(why, "transactional id writer has transaction 5:3 open, not 5:2, which was committed before");
    let Plan::Refuse(why) = plan(&status, Some(key(1))) else { panic!("another one is open") };
    assert_eq!(why, "transactional id writer has transaction 5:3 open, not 5:1");
}

#[test]
fn where_nothing_is_open_nothing_is_aborted() {
    let Plan::Nothing(why) = plan(&ready("idle"), None) else { panic!("nothing is open") };
    assert_eq!(why, "transactional id idle has no open transaction; how one of it ended is not known");
    assert!(matches!(plan(&ready("idle"), Some(key(3))), Plan::Nothing(_)), "it has not begun");
    assert!(matches!(plan(&ready("idle"), Some(key(1))), Plan::Refuse(_)), "nobody knows that one");
    let ended = |outcome| TransactionStatus { last: Some(Ended { transaction: key(2), outcome }), ..ready("idle") };
    let Plan::Nothing(why) = plan(&ended(TransactionOutcome::Aborted), Some(key(2))) else { panic!("it was aborted") };
    assert_eq!(why, "transaction 5:2 of transactional id idle was aborted before");
    let Plan::Refuse(why) = plan(&ended(TransactionOutcome::Committed), Some(key(2))) else { panic!("it counts") };
    assert_eq!(why, "transaction 5:2 of transactional id idle was committed");
}

#[test]
fn what_ended_before_it_could_be_aborted_is_told() {
    let (code, action, message) = (Code::TRANSACTION_COMMITTED, Action::FixRequest, "it was committed".to_owned());
    let refusal = ErrorResponse { code, action, details: [0; 2], message, records: Vec::new() };
    let said = not_aborted(ClientError::Refused(refusal), &ready("writer").name).to_string();
    assert!(said.contains("transaction_committed (61)") && said.contains("`florin txn describe writer`"), "{said}");
    assert!(not_aborted(ClientError::Closed, &ready("writer").name).downcast_ref::<ClientError>().is_some());
}
