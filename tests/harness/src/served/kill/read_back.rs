//! Everything that a server holds, read over the wire right after its start.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use florin_engine::model::{Offset, PartitionId};
use florin_net::protocol::ListAt;

use super::{SHARD_COUNT, open};
use crate::served::ledger::topics::Topic;
use crate::served::ledger::{Contents, Ledger, Note};
use crate::served::load::reader::placed;
use crate::served::server::Server;
use crate::served::wire::Wire;

/// Notes all topics and everything in them; returns the topics.
pub(super) fn read_back(server: &Server, ledger: &Mutex<Ledger>) -> Result<Vec<Topic>, String> {
    let note = |note: &Note| ledger.lock().unwrap_or_else(PoisonError::into_inner).note(note);
    let mut wires = BTreeMap::new();
    for shard in 0..SHARD_COUNT {
        wires.insert(shard, open(server, shard)?);
    }
    let first = wires.get_mut(&0).expect("there is a shard 0");
    let page = first.metadata().map_err(|error| format!("metadata: {error:?}"))?;
    if !page.complete || page.next.0 != 0 {
        return Err(format!("shard 0 does not list all topics: {page:?}"));
    }
    let topic = |topic: florin_net::protocol::TopicDescription| Topic {
        id: topic.id,
        name: topic.name,
        placement: topic.placement,
    };
    let topics: Vec<_> = page.topics.into_iter().map(topic).collect();
    note(&Note::Listed(topics.clone()));
    for topic in &topics {
        for (partition, shard) in topic.partitions().zip(&topic.placement) {
            let wire = wires.get_mut(shard).ok_or_else(|| format!("{topic:?} is on no shard"))?;
            let contents = read_partition(wire, partition)?;
            note(&Note::ReadBack(partition, contents));
        }
    }
    note(&Note::AllRead);
    Ok(topics)
}

fn read_partition(wire: &mut Wire, partition: PartitionId) -> Result<Contents, String> {
    let text = |error| format!("partition {partition}: {error:?}");
    let start = wire.list_offset(partition, ListAt::Start).map_err(text)?.0;
    let end = wire.list_offset(partition, ListAt::End).map_err(text)?.0;
    let (mut batches, mut next) = (Vec::new(), start);
    loop {
        let fetched = wire.fetch(partition, Offset(next), 0).map_err(text)?;
        if (fetched.start_offset.0, fetched.high_watermark.0) != (start, end) {
            return Err(format!("partition {partition} had {start} to {end}, now {fetched:?}"));
        }
        if fetched.batches.is_empty() {
            // That there is something missing, or too much, is for the ledger to say.
            return Ok(Contents { start, end, batches });
        }
        for fetched in &fetched.batches {
            let placed = placed(partition, fetched)?;
            next = placed.last_offset + 1;
            batches.push(placed);
        }
    }
}
