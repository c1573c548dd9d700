//! Reads everything back after a start and holds it against what clients know.

use bytes::Bytes;
use florin_engine::model::{Offset, PartitionId, ShardId};
use florin_engine::partition::Isolation;
use florin_engine::shard::{FetchFrom, Fetched, OffsetAt, Request};

use super::checkers::{Checked, durability, exactly_once, no_gap};
use super::clients::key_of;
use super::model::SentBatch;
use super::run::{Asked, World};

/// Reads of one partition that may fail because faults were injected.
const READ_FAULTS_MAX: u32 = 16;
/// Keys of one partition that are looked up.
const KEYS_LOOKED_UP: usize = 12;

impl World {
    /// Lists topics and ends, reads every partition from its first offset, and checks all of it.
    pub(super) fn read_back(&mut self) -> Checked {
        let shard = ShardId(0);
        self.submit(shard, Asked::Metadata { shard }, Request::Metadata);
        self.answer_all()?;
        for partition in self.live_partitions() {
            let owner = self.owner(partition).expect("the topic is known");
            let end = Request::ListOffset { partition, at: OffsetAt::End };
            self.submit(owner, Asked::ListOffset { partition, at: OffsetAt::End }, end);
            self.read_whole(partition, owner)?;
            self.look_up_keys(partition, owner)?;
        }
        Ok(())
    }

    /// Asks for the keys of some batches that were acknowledged.
    fn look_up_keys(&mut self, partition: PartitionId, owner: ShardId) -> Checked {
        let Some(place) = self.key_place(partition).filter(|_| self.keys_are_known(partition)) else { return Ok(()) };
        let acked = |sent: &SentBatch| sent.partition == partition && sent.receipt.is_some() && !sent.forbidden;
        let serials: Vec<u64> =
            self.model.sent.iter().filter(|(_, sent)| acked(sent)).map(|(serial, _)| *serial).collect();
        let step = serials.len().div_ceil(KEYS_LOOKED_UP).max(1);
        for serial in serials.into_iter().rev().step_by(step) {
            let key = Bytes::from(key_of(serial, 0, place));
            self.submit(owner, Asked::LookUpKey { serial }, Request::LookUpKey { partition, key });
        }
        self.answer_all()
    }

    /// Reads a partition from its first offset to its end, answer by answer.
    fn read_whole(&mut self, partition: PartitionId, owner: ShardId) -> Checked {
        let mut whole = Fetched::default();
        let mut next = Offset(self.start_of(partition));
        let mut faults = 0;
        loop {
            let (from, isolation) = (FetchFrom::Offset(next), Isolation::Uncommitted);
            let request = Request::Fetch { partition, from, bytes_max: usize::MAX, wait_ns: 0, isolation };
            let asked = Asked::Fetch { partition, from: next.0, bytes_max: usize::MAX, verify: true };
            self.submit(owner, asked, request);
            self.answer_all()?;
            if let Some(lost) = self.read_lost.take() {
                next = lost;
                continue;
            }
            let Some(part) = self.read_back.take() else {
                if !std::mem::take(&mut self.read_again) {
                    return Ok(());
                }
                faults += 1;
                next = next.max(Offset(self.start_of(partition)));
                if faults > READ_FAULTS_MAX {
                    return durability::cannot_be_read(partition, next);
                }
                continue;
            };
            let is_end = part.batches.is_empty();
            next = part.batches.last().map_or(next, |last| last.next_offset());
            whole.batches.extend(part.batches);
            (whole.start_offset, whole.high_watermark) = (part.start_offset, part.high_watermark);
            if is_end || next >= whole.high_watermark {
                break;
            }
        }
        self.summary.verified_count += whole.batches.len() as u64;
        self.is_complete(partition, next.0, &whole)
    }

    /// Everything that anybody knows of the partition must have been read.
    fn is_complete(&self, partition: PartitionId, end: u64, fetched: &Fetched) -> Checked {
        let start = self.start_of(partition);
        let serials = exactly_once::serials_once(partition, fetched)?;
        no_gap::is_whole(partition, start, end, fetched)?;
        let of_partition = self.damage_seen.iter().filter(|(of, ..)| *of == partition);
        let damaged: Vec<(Offset, Offset)> = of_partition.map(|(_, from, to)| (*from, *to)).collect();
        self.model.nothing_is_gone(partition, start, &serials, &damaged)?;
        if damaged.is_empty() { self.sequences_follow(partition, fetched) } else { Ok(()) }
    }

    fn start_of(&self, partition: PartitionId) -> u64 {
        self.model.partitions.get(&partition).map_or(0, |facts| facts.start)
    }
}
