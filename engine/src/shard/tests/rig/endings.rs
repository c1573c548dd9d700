//! How what a shard has under way ends, one by one or until nothing is left.

use super::*;

impl Rig {
    pub(in crate::shard::tests) fn finish_block(&mut self) {
        let sequence = self.blocks.pop_front().expect("a block is being written");
        self.event(Event::BlockWritten { sequence, result: Ok(()) });
    }

    pub(in crate::shard::tests) fn fail_block(&mut self) {
        let sequence = self.blocks.pop_front().expect("a block is being written");
        self.event(Event::BlockWritten { sequence, result: Err(disk_error(DiskErrorKind::Failed)) });
    }

    pub(in crate::shard::tests) fn finish_superblock(&mut self) -> Superblock {
        let superblock = self.superblocks.pop_front().expect("a superblock is being written");
        self.event(Event::SuperblockWritten(Ok(())));
        superblock
    }

    pub(in crate::shard::tests) fn end_manifest(&mut self, result: Result<(), DiskError>) -> ManifestWrite {
        let manifest = self.manifests.pop_front().expect("a manifest is being written");
        self.event(Event::ManifestWritten(result));
        manifest
    }

    /// Ends the write of segment files that is under way: every file as `result` says.
    pub(in crate::shard::tests) fn end_write(&mut self, result: &Result<(), DiskError>) -> Rc<RestPlan> {
        self.end_write_with_keys(result, result)
    }

    /// The same, with keys as `of_keys` says.
    pub(in crate::shard::tests) fn end_write_with_keys(
        &mut self,
        result: &Result<(), DiskError>,
        of_keys: &Result<(), DiskError>,
    ) -> Rc<RestPlan> {
        let plan = self.writes.pop_front().expect("segment files are being written");
        let written = plan.write.files.iter().map(|file| {
            let index_bytes = if file.seal { 4096 } else { 0 };
            FileWritten { segment: file.segment, result: result.clone().map(|()| index_bytes) }
        });
        let files = written.collect();
        let keys = plan.keys.as_ref().map(|file| of_keys.clone().map(|()| self.key_work.write(&plan, file)));
        self.event(Event::SegmentsWritten(RestWritten { files, keys }));
        plan
    }

    /// Completes the merge, as if its runs had no batch below the start of their partitions.
    pub(in crate::shard::tests) fn end_merge(&mut self) -> Rc<MergePlan> {
        let plan = self.merges.pop_front().expect("runs are being put together");
        let mut end = Position(0);
        let together = |part: &MergePart| {
            let runs = || part.runs.iter().map(|(run, _)| run);
            let (first, last) = (&part.runs[0].0, &part.runs[part.runs.len() - 1].0);
            let run = Run {
                segment: plan.segment,
                position: end,
                bytes: runs().map(|run| run.bytes).sum(),
                next_offset: last.next_offset,
                last_append_time: last.last_append_time,
                max_timestamp_ms: runs().map(|run| run.max_timestamp_ms).max().expect("there are runs"),
                ..*first
            };
            end = run.end();
            run
        };
        let runs = plan.parts.iter().map(together).collect();
        self.event(Event::SegmentsMerged(Ok(Merged { runs, end, index_bytes: 4096 })));
        plan
    }

    /// Delivers the next message to this shard; those to others are dropped.
    pub(in crate::shard::tests) fn deliver(&mut self) {
        let (to, message) = self.messages.pop_front().expect("a message is under way");
        if to == self.id {
            self.event(Event::Message { from: self.id, message: message.into() });
        }
    }

    /// Completes every write and delivers every message until nothing happens any more.
    pub(in crate::shard::tests) fn settle(&mut self) {
        while !self.settle_without_merges() {
            self.end_merge();
        }
    }

    /// The same until a merge is all that is under way; whether there is none.
    pub(in crate::shard::tests) fn settle_without_merges(&mut self) -> bool {
        for _ in 0..10_000 {
            if !self.blocks.is_empty() {
                self.finish_block();
            } else if !self.superblocks.is_empty() {
                self.finish_superblock();
            } else if !self.manifests.is_empty() {
                self.end_manifest(Ok(()));
            } else if !self.writes.is_empty() {
                let full = Err(disk_error(DiskErrorKind::NoSpace));
                self.end_write(if self.disk_full { &full } else { &Ok(()) });
            } else if !self.messages.is_empty() {
                self.deliver();
            } else if let Some(event) = self.key_work.next() {
                self.event(event);
            } else {
                return self.merges.is_empty();
            }
        }
        panic!("the shard never comes to rest");
    }

    /// Completes block writes only.
    pub(in crate::shard::tests) fn settle_blocks(&mut self) {
        while !self.blocks.is_empty() {
            self.finish_block();
        }
    }
}
