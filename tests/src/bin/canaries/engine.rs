//! Canaries in the engine, noticed in the engine's own worlds.

use florin_tests::sweep::Kind;

use super::Canary;

/// Rules of the engine.
pub const CANARIES: &[Canary] = &[
    Canary {
        name: "retention by bytes keeps nothing",
        world: Kind::Engine,
        seeds: 400,
        edits: &[(
            "engine/src/partition/retention.rs",
            "let spare = retention.bytes.is_some_and(|bytes| left_bytes >= bytes);",
            "let spare = retention.bytes.is_some_and(|bytes| left_bytes >= bytes.min(0));",
        )],
    },
    Canary {
        name: "a repair takes no block behind a missing one",
        world: Kind::Engine,
        seeds: 400,
        edits: &[(
            "engine/src/journal/recovery/salvage.rs",
            "let end = if superblock.clean { durable } else { durable.max(last) };",
            "let end = if superblock.clean { durable.max(durable.min(last)) } else { durable };",
        )],
    },
    Canary {
        name: "memory is not let go of",
        world: Kind::Engine,
        seeds: 400,
        edits: &[(
            "engine/src/shard/segments.rs",
            "while self.held_bytes > self.segments.memory_bytes_max\n",
            "while self.held_bytes > usize::MAX - 1\n",
        )],
    },
    Canary {
        name: "an ack leaves before its block is durable",
        world: Kind::Engine,
        seeds: 400,
        edits: &[(
            "engine/src/shard/durable.rs",
            "if depends_on <= self.journal.marks().durable() {",
            "if depends_on <= self.journal.marks().appended() {",
        )],
    },
    Canary {
        name: "a duplicate is answered before its original is durable",
        world: Kind::Engine,
        seeds: 400,
        edits: &[(
            "engine/src/shard/capture.rs",
            "Some((Some(receipt.sequence), Reply::Captured",
            "Some((None, Reply::Captured",
        )],
    },
    Canary {
        name: "a producer that goes on is forgotten",
        world: Kind::Engine,
        seeds: 400,
        edits: &[(
            "engine/src/shard/capture.rs",
            "let idle_ns = PRODUCER_IDLE_NS;",
            "let idle_ns = PRODUCER_IDLE_NS.min(0);",
        )],
    },
    Canary {
        name: "what keys say of a batch is told before that is durable",
        world: Kind::Engine,
        seeds: 400,
        edits: &[(
            "engine/src/shard/keyed/admit.rs",
            "(latest >= state.durable_offset()).then(",
            "(latest >= Offset(u64::MAX)).then(",
        )],
    },
    Canary {
        name: "keys are lost while their records are kept",
        world: Kind::Engine,
        seeds: 400,
        edits: &[(
            "engine/src/shard/segments.rs",
            "keys.at_rest(Some(*run), part.next_offset);",
            "keys.at_rest(Some(*run).filter(|run| run.entry_count > 8), part.next_offset);",
        )],
    },
    Canary {
        name: "a batch is at rest although its keys were not written",
        world: Kind::Engine,
        seeds: 400,
        edits: &[(
            "engine/src/shard/segments.rs",
            "key_error.filter(|_| has_keys)",
            "key_error.filter(|_| has_keys && false)",
        )],
    },
    Canary {
        name: "retention cuts a batch whose keys are nowhere else",
        world: Kind::Engine,
        seeds: 400,
        edits: &[(
            "engine/src/partition/retention.rs",
            "if self.keys.is_some() { self.flushed_offset() } else { self.durable_offset }",
            "self.durable_offset",
        )],
    },
    Canary {
        name: "a batch with one known payment is stored as a whole",
        world: Kind::Engine,
        seeds: 400,
        edits: &[(
            "engine/src/key/judge.rs",
            "verdicts.iter().all(|verdict| *verdict == KeyVerdict::New)",
            "verdicts.iter().any(|verdict| *verdict == KeyVerdict::New)",
        )],
    },
    Canary {
        name: "a ring file is used again while its batches are needed",
        world: Kind::Engine,
        seeds: 400,
        edits: &[("engine/src/shard/checkpointing.rs", ".filter(|file| !self.is_needed(*file))", ".filter(|_| true)")],
    },
    Canary {
        name: "a ring file is written before a superblock calls it open",
        world: Kind::Engine,
        seeds: 400,
        edits: &[(
            "engine/src/journal/ring.rs",
            "        self.slot(file).opened\n",
            "        self.slot(file).file.lap.0 > 0\n",
        )],
    },
    Canary {
        name: "a stale block is accepted after a cut",
        world: Kind::Engine,
        seeds: 400,
        edits: &[
            (
                "engine/src/shard/open.rs",
                "let active = if old.clean { recovery.tail_file } else { last_resort(&recovery, &state) };",
                "let active = recovery.tail_file;",
            ),
            ("engine/src/shard/open.rs", "files::clear_tail(&files, &old, file, end).await?;", "let _ = (file, end);"),
            (
                "engine/src/journal/decision.rs",
                "Row { header: BLOCK, age: &[Age::Older], verdict: Verdict::Stale, ..ANY }",
                "Row { header: BLOCK, age: &[Age::None], verdict: Verdict::Stale, ..ANY }",
            ),
            (
                "engine/src/journal/decision.rs",
                "link: &[Link::Broken, Link::Unknown], verdict: Verdict::Damage(Harm::ChainBroken)",
                "link: &[Link::Unknown], verdict: Verdict::Damage(Harm::ChainBroken)",
            ),
        ],
    },
    Canary {
        name: "the retry window holds one batch instead of five",
        world: Kind::Engine,
        seeds: 400,
        edits: &[(
            "engine/src/limits.rs",
            "PRODUCER_WINDOW_BATCHES: usize = 5;",
            "PRODUCER_WINDOW_BATCHES: usize = 1;",
        )],
    },
    Canary {
        name: "a short write is ignored",
        world: Kind::Engine,
        seeds: 400,
        edits: &[(
            "engine/src/shard/driver.rs",
            "let result = file.write_durable(buffer, write.place.position).await.result;",
            "let result = file.write_durable(buffer, write.place.position).await.result.or_else(|error| match error.kind { crate::io::DiskErrorKind::Short { .. } => Ok(()), _ => Err(error) });",
        )],
    },
    Canary {
        name: "a failed write is tried again",
        world: Kind::Engine,
        seeds: 400,
        edits: &[(
            "engine/src/shard/driver.rs",
            "let result = file.write_durable(buffer, write.place.position).await.result;",
            "let mut written = file.write_durable(buffer, write.place.position).await; if written.result.is_err() { written = file.write_durable(written.buffer, write.place.position).await; } let result = written.result;",
        )],
    },
    Canary {
        name: "a producer's state is lost at a checkpoint",
        world: Kind::Engine,
        seeds: 400,
        edits: &[(
            "engine/src/shard/checkpointing.rs",
            "self.partitions[&id].producers().encode(&mut out);",
            "crate::producer::ProducerTable::default().encode(&mut out);",
        )],
    },
    Canary {
        name: "a topic is shown as altered before its owners have taken it over",
        world: Kind::Engine,
        seeds: 400,
        edits: &[(
            "engine/src/catalogue/owner.rs",
            "live.map(|(_, topic)| &topic.descriptor)",
            "live.map(|(_, topic)| topic.wanted())",
        )],
    },
    Canary {
        name: "a superblock counts when the newest copy alone has it",
        world: Kind::Engine,
        seeds: 400,
        edits: &[(
            "engine/src/journal/write.rs",
            "        self.write_copy(superblock, first.other()).await\n",
            "        Ok(())\n",
        )],
    },
    Canary {
        name: "a manifest names a segment file before its name is durable",
        world: Kind::Engine,
        seeds: 400,
        edits: &[(
            "engine/src/segment/write.rs",
            "if plan.files.iter().any(|file| file.is_new)",
            "if plan.files.is_empty()",
        )],
    },
    Canary {
        name: "a segment file counts before it is synced",
        world: Kind::Engine,
        seeds: 400,
        edits: &[(
            "engine/src/segment/write.rs",
            "    file.sync().await?;\n    Ok(index_bytes)\n",
            "    Ok(index_bytes)\n",
        )],
    },
    Canary {
        name: "a segment file is removed while a superblock names it",
        world: Kind::Engine,
        seeds: 400,
        edits: &[(
            "engine/src/segment/table.rs",
            "&& entry.pin_count == 0 && !entry.named &&",
            "&& entry.pin_count == 0 &&",
        )],
    },
    Canary {
        name: "an index is misaligned, as a torn tail would leave it",
        world: Kind::Engine,
        seeds: 400,
        edits: &[(
            "engine/src/segment/write.rs",
            "    entries.extend(new);\n",
            "    entries.extend(new.into_iter().map(|entry| IndexEntry { extent_bytes: 4096, ..entry }));\n",
        )],
    },
    Canary {
        name: "padding is served as data",
        world: Kind::Engine,
        seeds: 400,
        edits: &[
            (
                "engine/src/format/extent.rs",
                "let batch = bytes.slice(at..end);",
                "let batch = bytes.slice(at..if next_offset == head.next_offset { total } else { end });",
            ),
            (
                "engine/src/format/extent.rs",
                "match check_batch(&batch, base_offset, next_offset, entry.crc.get()) {",
                "match Ok::<(), String>(()) {",
            ),
        ],
    },
    Canary {
        name: "a cut is shown before its checkpoint is in force",
        world: Kind::Engine,
        seeds: 400,
        edits: &[(
            "engine/src/partition.rs",
            "    pub fn start_offset(&self) -> Offset {\n        self.start_offset\n",
            "    pub fn start_offset(&self) -> Offset {\n        self.cut_ahead.map_or(self.start_offset, |cut| self.start_offset.max(cut.to))\n",
        )],
    },
    Canary {
        name: "records go before they were kept for as long as they must be",
        world: Kind::Engine,
        seeds: 400,
        edits: &[(
            "engine/src/partition/retention.rs",
            "let aged = retention.ns.is_some_and(|ns| now.since_ns(piece.append_time) >= ns);",
            "let aged = retention.ns.is_some_and(|ns| now.since_ns(piece.append_time) >= ns / 4);",
        )],
    },
    Canary {
        name: "a repair gives out offsets again that lost blocks may have held",
        world: Kind::Engine,
        seeds: 400,
        edits: &[(
            "engine/src/partition/salvage.rs",
            "let next_offset = self.next_offset.checked_plus(more).ok_or(exhausted)?;",
            "let (_, _) = (more, exhausted); let next_offset = self.next_offset;",
        )],
    },
    Canary {
        name: "a repair makes a ring file anew before it is in force",
        world: Kind::Engine,
        seeds: 400,
        edits: &[(
            "engine/src/shard/repair/carry_out.rs",
            "        let mut writer = SalvageWriter::new(",
            "        self.missing.make_last(disk, &directory, &self.chosen.superblock).await?;\n        let mut writer = SalvageWriter::new(",
        )],
    },
];
