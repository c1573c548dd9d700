//! What is told of transactions to people.

use std::fmt::Write;
use std::time::Duration;

use florin_engine::format::control::Participant;
use florin_engine::model::Realtime;
use florin_net::client::{TransactionState, TransactionStatus};

use super::{HeldBack, Listing, has, shard_of};
use crate::client::{TopicNames, code_name};
use crate::duration::Span;
use crate::size::counted;
use crate::table::{Align, Table};
use crate::time::rfc3339;
use crate::topic::open_in_words;

/// What transactions are seen with.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The topics that there are.
    pub names: &'a TopicNames,
    /// When.
    pub now: Realtime,
    /// Shards of the server.
    pub shard_count: u16,
}

/// A list; only of those that hold something back if it is `filtered`.
pub(super) fn listing(listing: &Listing, filtered: bool, view: &View<'_>) -> String {
    let mut text = String::new();
    if let Some(held_back) = &listing.held_back {
        put_held_back(&mut text, held_back, listing, view);
    }
    if listing.statuses.is_empty() {
        text += match filtered {
            true => "no transactional id is known to hold it back\n",
            false => "no transactional ids: whoever sends transactions opens one\n",
        };
    } else {
        put_table(&mut text, &listing.statuses, view);
    }
    if filtered && !listing.cannot_tell.is_empty() {
        let names: Vec<_> = listing.cannot_tell.iter().map(ToString::to_string).collect();
        let _ =
            writeln!(text, "these write to more than is told of and may hold it back as well: {}", names.join(", "));
    }
    text
}

fn put_held_back(text: &mut String, held_back: &HeldBack, listing: &Listing, view: &View<'_>) {
    let HeldBack { topic, partition } = held_back;
    let _ = write!(text, "partition {} of topic {topic} on shard {}: ", partition.index, partition.shard);
    if partition.code != 0 {
        let _ = writeln!(text, "not known: {}", code_name(partition.code));
        return;
    }
    let _ = writeln!(
        text,
        "what is committed can be read up to offset {}, it ends at offset {}",
        partition.stable_offset, partition.high_watermark
    );
    *text += &open_in_words(topic, partition, view.now);
    let oldest = partition.oldest_transaction.map(|oldest| oldest.transaction);
    let is_orphan = |key| listing.cannot_tell.is_empty() && !listing.statuses.iter().any(|status| has(status, key));
    if let Some(oldest) = oldest.filter(|key| is_orphan(*key)) {
        let _ = writeln!(
            text,
            "  no transactional id has transaction {oldest}: it ended meanwhile, or the partition asks how it ended; \
             look again, and if it stays so, see with `florin shard list` whether all shards serve"
        );
    }
}

fn put_table(text: &mut String, statuses: &[TransactionStatus], view: &View<'_>) {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("transactional id", Left),
        ("shard", Right),
        ("transaction", Left),
        ("state", Left),
        ("since", Left),
        ("for", Right),
        ("time-out", Right),
        ("participants", Right),
        ("last ended", Left),
        ("not noted", Right),
    ]);
    for status in statuses {
        let (state, since, age) = match status.state {
            TransactionState::Ready => ("ready", "-".to_owned(), "-".to_owned()),
            TransactionState::Ongoing { since } => {
                ("ongoing", rfc3339(since), Span::between(since, view.now).rounded())
            }
        };
        table.row(vec![
            status.name.to_string(),
            shard_of(status, view.shard_count).to_string(),
            status.current.to_string(),
            state.to_owned(),
            since,
            age,
            timeout(status),
            status.participant_count.to_string(),
            status.last.map_or_else(|| "-".to_owned(), |last| format!("{} {}", last.transaction, last.outcome.name())),
            status.unnoted_count.to_string(),
        ]);
    }
    table.render(text, 0);
}

fn timeout(status: &TransactionStatus) -> String {
    Span(Duration::from_millis(status.timeout_ms.into())).to_string()
}

/// How the last transaction ended.
pub(super) fn last(status: &TransactionStatus) -> String {
    match status.last {
        Some(last) => format!("the last one that ended, {}, was {}", last.transaction, last.outcome.name()),
        None => "how one of it ended is not known".to_owned(),
    }
}

/// All that is known of a transactional id.
pub(super) fn description(status: &TransactionStatus, view: &View<'_>) -> String {
    let mut text = format!("transactional id {} on shard {}: ", status.name, shard_of(status, view.shard_count));
    let _ = match status.state {
        TransactionState::Ready => writeln!(text, "no transaction is open, the next one is {}", status.current),
        TransactionState::Ongoing { since } => writeln!(
            text,
            "transaction {} is open since {} ({})",
            status.current,
            rfc3339(since),
            Span::between(since, view.now).rounded()
        ),
    };
    let _ = writeln!(text, "  each may take {}; {}", timeout(status), last(status));
    put_participants(&mut text, status, view);
    put_unnoted(&mut text, status, view);
    text
}

/// What was aborted.
pub(super) fn aborted(status: &TransactionStatus, view: &View<'_>) -> String {
    let mut text = format!("aborted transaction {} of transactional id {}", status.current, status.name);
    if let TransactionState::Ongoing { since } = status.state {
        let _ = write!(text, ", open since {} ({})", rfc3339(since), Span::between(since, view.now).rounded());
    }
    text += ": nothing of it counts\n";
    put_participants(&mut text, status, view);
    text
}

fn put_participants(text: &mut String, status: &TransactionStatus, view: &View<'_>) {
    if status.participant_count == 0 {
        return;
    }
    let participants = counted(status.participant_count as u64, "participant", "participants");
    let _ = writeln!(text, "{participants} that it writes to:");
    let mut table = Table::new(&[("participant", Align::Left), ("shard", Align::Right)]);
    for (participant, shard) in &status.participants {
        table.row(vec![name(participant, view), shard.to_string()]);
    }
    put_more(&mut table, status.participant_count.saturating_sub(status.participants.len()));
    table.render(text, 2);
}

fn put_unnoted(text: &mut String, status: &TransactionStatus, view: &View<'_>) {
    if status.unnoted_count == 0 {
        return;
    }
    let participants = match status.unnoted_count {
        1 => "1 participant that has".to_owned(),
        count => format!("{count} participants that have"),
    };
    let _ = writeln!(text, "{participants} not noted yet how an earlier transaction ended:");
    let columns = [("transaction", Align::Left), ("ended", Align::Left), ("participant", Align::Left)];
    let mut table = Table::new(&[&columns[..], &[("shard", Align::Right)]].concat());
    for unnoted in &status.unnoted {
        table.row(vec![
            unnoted.transaction.to_string(),
            unnoted.outcome.name().to_owned(),
            name(&unnoted.participant, view),
            unnoted.shard.to_string(),
        ]);
    }
    put_more(&mut table, status.unnoted_count.saturating_sub(status.unnoted.len()));
    table.render(text, 2);
}

fn put_more(table: &mut Table, more: usize) {
    if more > 0 {
        table.line(format!("and {more} more"));
    }
}

/// As it is shown: `partition payments:3`, `group ledger`.
fn name(participant: &Participant, view: &View<'_>) -> String {
    match participant {
        Participant::Partition(partition) => match view.names.get(&partition.topic) {
            Some(topic) => format!("partition {topic}:{}", partition.index),
            None => format!("partition {} of topic {} that is gone", partition.index, partition.topic),
        },
        Participant::Group(group) => format!("group {group}"),
    }
}
