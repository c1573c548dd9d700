//! `florin inspect manifest`.

use florin_engine::checkpoint::slot::{self, ManifestCopy};
use florin_engine::format::layout::{Copy, manifest_path};
use florin_engine::format::manifest::Manifest;
use florin_engine::format::superblock::Superblock;
use florin_engine::io::Disk;
use florin_engine::journal::write::SuperblockCopies;
use florin_engine::limits::MANIFEST_SLOT_COUNT;
use florin_engine::model::ShardId;
use serde::Serialize;

use super::superblock::word;
use super::{View, line, read_superblocks};
use crate::directory::{Directory, state_word};
use crate::sections::keys::{KeyRunView, PartitionKeysView};
use crate::sections::transactions::{GroupView, OpenView, StatusView};
use crate::sections::{self, Contents, PartitionEnd, Topic, module_word};
use crate::table::{Align, Table};
use crate::topic_settings::KeyRuleDocument;

/// The manifests of a shard.
#[derive(Debug, Serialize)]
pub(super) struct ManifestsView {
    shard: u16,
    problem: Option<String>,
    named_slot: Option<u8>,
    named_generation: Option<u64>,
    slots: Vec<SlotView>,
}

#[derive(Debug, Serialize)]
struct SlotView {
    slot: u8,
    file: String,
    named_by: Vec<&'static str>,
    copies: Vec<CopyView>,
}

#[derive(Debug, Serialize)]
struct CopyView {
    copy: &'static str,
    position: u64,
    state: &'static str,
    problem: Option<String>,
    contents: Option<ManifestView>,
}

#[derive(Debug, Serialize)]
struct ManifestView {
    generation: u64,
    sequence: u64,
    checksum: Option<u32>,
    sections: Vec<SectionView>,
}

#[derive(Debug, Serialize)]
struct SectionView {
    module: &'static str,
    version: u16,
    sequence: u64,
    section_bytes: usize,
    problem: Option<String>,
    contents: Option<Contents>,
}

/// Every slot of a shard, both copies.
pub(super) async fn view<D: Disk>(disk: &D, directory: &Directory, shard: ShardId) -> ManifestsView {
    let mut view =
        ManifestsView { shard: shard.0, problem: None, named_slot: None, named_generation: None, slots: Vec::new() };
    let copies = match read_superblocks(disk, directory, shard).await {
        Ok(copies) => copies,
        Err(problem) => return ManifestsView { problem: Some(problem), ..view },
    };
    let superblock = match copies.choose() {
        Ok(chosen) => chosen.superblock,
        Err(error) => {
            let problem = format!("where its manifests end is not known: {error}");
            return ManifestsView { problem: Some(problem), ..view };
        }
    };
    view.named_slot = Some(superblock.manifest.slot);
    view.named_generation = Some(superblock.manifest.generation);
    let shard_path = directory.shard_path(shard);
    for number in 0..MANIFEST_SLOT_COUNT {
        let found = slot::read_copies(disk, &shard_path, &superblock, number).await;
        let positions = slot::copy_positions(superblock.geometry);
        let both = found.iter().zip(["first", "second"]).zip(positions);
        view.slots.push(SlotView {
            slot: number,
            file: directory.relative(&manifest_path(&shard_path, number)),
            named_by: named_by(&copies, number),
            copies: both.map(|((found, copy), at)| CopyView::of(found, copy, at.0, directory.shard_count)).collect(),
        });
    }
    view
}

/// The superblock copies that name a slot.
fn named_by(copies: &SuperblockCopies, slot: u8) -> Vec<&'static str> {
    let names = |superblock: Option<&Superblock>| superblock.is_some_and(|named| named.manifest.slot == slot);
    let both = [(Copy::A, copies.a.present()), (Copy::B, copies.b.present())];
    both.into_iter().filter(|(_, superblock)| names(*superblock)).map(|(copy, _)| word(copy)).collect()
}

impl CopyView {
    fn of(found: &ManifestCopy, copy: &'static str, position: u64, shard_count: u16) -> Self {
        Self {
            copy,
            position,
            state: state_word(&found.stored),
            problem: found.stored.problem(),
            contents: found.stored.present().map(|manifest| ManifestView::of(manifest, found.checksum, shard_count)),
        }
    }
}

impl ManifestView {
    fn of(manifest: &Manifest, checksum: Option<u32>, shard_count: u16) -> Self {
        let decoded = manifest.sections.iter().zip(sections::decode(manifest, shard_count));
        let sections = decoded.map(|(section, contents)| {
            let (contents, problem) = match contents {
                Ok(contents) => (Some(contents), None),
                Err(problem) => (None, Some(problem)),
            };
            SectionView {
                module: module_word(section.module),
                version: section.version,
                sequence: section.sequence.0,
                section_bytes: section.bytes.len(),
                problem,
                contents,
            }
        });
        let sections = sections.collect();
        Self { generation: manifest.generation, sequence: manifest.sequence.0, checksum, sections }
    }

    fn render(&self, out: &mut String) {
        if self.sections.is_empty() {
            line(out, "      no sections: the state of a shard that was just formatted");
        }
        for section in &self.sections {
            let SectionView { module, version, sequence, section_bytes, .. } = section;
            line(out, &format!("      {module}: version {version}, up to block {sequence}, {section_bytes} bytes"));
            if let Some(problem) = &section.problem {
                line(out, &format!("        damaged: {problem}"));
            }
            if let Some(contents) = &section.contents {
                render_contents(contents, out);
            }
        }
    }
}

fn render_contents(contents: &Contents, out: &mut String) {
    match contents {
        Contents::Catalogue(catalogue) => {
            let (version, next) = (catalogue.catalogue_version, catalogue.topic_id_next);
            line(out, &format!("        version {version}, the next topic gets id {next}"));
            render_topics(&catalogue.topics, out);
        }
        Contents::Partitions(partitions) => {
            render_topics(&partitions.topics, out);
            render_partitions(&partitions.partitions, out);
        }
        Contents::Producers(producers) => {
            for count in producers.partitions.iter().filter(|count| count.producer_count > 0) {
                let (topic, partition) = (count.topic, count.partition);
                line(out, &format!("        partition {topic}/{partition}: {} producers", count.producer_count));
            }
        }
        Contents::ProducerIds(ids) => line(out, &format!("        ids below {} are reserved", ids.reserved_end)),
        Contents::Clock(clock) => {
            let confirmed = clock.confirmed.as_deref().unwrap_or("never");
            line(out, &format!("        wall clock confirmed: {confirmed}"));
        }
        Contents::Segments(segments) => {
            line(out, &format!("        the next segment file gets id {}", segments.segment_next));
            let columns = [
                ("SEGMENT", Align::Right),
                ("STATE", Align::Left),
                ("EXTENT BYTES", Align::Right),
                ("INDEX BYTES", Align::Right),
            ];
            let mut table = Table::new(&columns);
            for file in &segments.files {
                let state = file.state.to_owned();
                table.row(vec![file.segment.to_string(), state, file.end.to_string(), file.index_bytes.to_string()]);
            }
            table.render(out, 8);
        }
        Contents::Keys(keys) => keys.partitions.iter().for_each(|partition| render_keys(partition, out)),
        Contents::Transactions(transactions) => transactions.open.iter().for_each(|open| {
            let OpenView { topic, partition, producer_id, producer_epoch, first_offset, since } = open;
            let of = format!("{topic}/{partition}: transaction {producer_id}:{producer_epoch}");
            line(out, &format!("        {of} is open from offset {first_offset} on, since {since}"));
        }),
        Contents::Coordinator(coordinator) => coordinator.transactional_ids.iter().for_each(|id| render_id(id, out)),
        Contents::Groups(groups) => groups.groups.iter().for_each(|group| render_group(group, out)),
    }
}

fn render_id(id: &StatusView, out: &mut String) {
    let StatusView { transactional_id, producer_id, producer_epoch, state, timeout_ms, .. } = id;
    let since = id.since.as_ref().map_or_else(String::new, |since| format!(" since {since}"));
    let transaction = format!("transaction {producer_id}:{producer_epoch} {state}{since}");
    line(out, &format!("        {transactional_id:?}: {transaction}, {timeout_ms} ms each"));
    id.participants.iter().for_each(|participant| {
        line(out, &format!("            writes to {}", participant.words()));
    });
    for unnoted in &id.unnoted {
        let ended = &unnoted.transaction;
        let of = format!("{}:{} {}", ended.producer_id, ended.producer_epoch, ended.outcome);
        line(out, &format!("            {of}, not noted yet by {}", unnoted.participant.words()));
    }
}

fn render_group(group: &GroupView, out: &mut String) {
    match &group.offsets {
        None => line(out, &format!("        {:?}: a transaction with its offsets is open", group.group)),
        Some(offsets) => {
            let at: Vec<String> =
                offsets.iter().map(|at| format!("{}/{} at {}", at.topic, at.partition, at.offset)).collect();
            line(out, &format!("        {:?}: {}", group.group, at.join(", ")));
        }
    }
}

/// The key runs of a partition, each with its spares.
fn render_keys(partition: &PartitionKeysView, out: &mut String) {
    if partition.key_runs.is_empty() {
        return;
    }
    line(out, &format!("        idempotency keys of partition {}/{} at rest:", partition.topic, partition.partition));
    let columns = [
        ("SEGMENT", Align::Right),
        ("POSITION", Align::Right),
        ("BYTES", Align::Right),
        ("KEYS", Align::Right),
        ("BASE OFFSET", Align::Right),
        ("NEXT OFFSET", Align::Right),
        ("LAST APPEND", Align::Left),
        ("IS", Align::Left),
    ];
    let mut table = Table::new(&columns);
    let spares = |run: &KeyRunView| run.spares.len();
    for run in &partition.key_runs {
        for (at, view) in std::iter::once(run).chain(&run.spares).enumerate() {
            table.row(vec![
                view.segment.to_string(),
                view.position.to_string(),
                view.bytes.to_string(),
                view.entry_count.to_string(),
                view.base_offset.to_string(),
                view.next_offset.to_string(),
                view.last_append_time.clone(),
                if at == 0 && spares(run) == 0 {
                    "run"
                } else if at == 0 {
                    "run, made of"
                } else {
                    "spare"
                }
                .to_owned(),
            ]);
        }
    }
    table.render(out, 8);
}

/// Where each partition begins and ends, and the runs that it has at rest.
fn render_partitions(partitions: &[PartitionEnd], out: &mut String) {
    let columns = [
        ("PARTITION", Align::Left),
        ("START OFFSET", Align::Right),
        ("NEXT OFFSET", Align::Right),
        ("LAST APPEND", Align::Left),
        ("CUT BYTES", Align::Right),
    ];
    let mut table = Table::new(&columns);
    for end in partitions {
        table.row(vec![
            format!("{}/{}", end.topic, end.partition),
            end.start_offset.to_string(),
            end.next_offset.to_string(),
            end.last_append_time.clone().unwrap_or_else(|| "never".to_owned()),
            end.cut_bytes.to_string(),
        ]);
    }
    table.render(out, 8);
    for end in partitions.iter().filter(|end| !end.runs.is_empty()) {
        line(out, &format!("        partition {}/{} at rest:", end.topic, end.partition));
        let columns = [
            ("SEGMENT", Align::Right),
            ("AT BYTE", Align::Right),
            ("BYTES", Align::Right),
            ("OFFSETS", Align::Left),
            ("APPENDED", Align::Left),
        ];
        let mut table = Table::new(&columns);
        for run in &end.runs {
            table.row(vec![
                run.segment.to_string(),
                run.position.to_string(),
                run.bytes.to_string(),
                format!("{} to below {}", run.base_offset, run.next_offset),
                format!("{} to {}", run.first_append_time, run.last_append_time),
            ]);
        }
        table.render(out, 10);
    }
    for end in partitions {
        for gap in &end.gaps {
            let (partition, from, to) = (format!("{}/{}", end.topic, end.partition), gap.base_offset, gap.next_offset);
            line(out, &format!("        partition {partition} lost {from} to below {to}, accepted {}", gap.accepted));
        }
    }
}

fn render_topics(topics: &[Topic], out: &mut String) {
    use Align::{Left, Right};
    let columns =
        [("TOPIC", Right), ("NAME", Left), ("STATE", Left), ("REVISION", Right), ("KEYS", Left), ("SHARDS", Left)];
    let mut table = Table::new(&columns);
    let mut row = |topic: &Topic, state: &str| {
        let shards: Vec<String> = topic.placement.iter().map(ToString::to_string).collect();
        let (id, revision) = (topic.topic.to_string(), topic.revision.to_string());
        let keys = topic.idempotency.as_ref().map_or_else(|| "-".to_owned(), KeyRuleDocument::in_short);
        table.row(vec![id, topic.name.clone(), state.to_owned(), revision, keys, shards.join(",")]);
    };
    for topic in topics {
        row(topic, topic.state.unwrap_or("open"));
        if let Some(pending) = &topic.pending {
            row(pending, "to come");
        }
    }
    table.render(out, 8);
}

impl View for ManifestsView {
    fn render(&self, out: &mut String) {
        line(out, &format!("shard {}", self.shard));
        for slot in &self.slots {
            let named = match slot.named_by.as_slice() {
                [] => "not needed".to_owned(),
                copies => format!("named by superblock {}", copies.join(" and ")),
            };
            line(out, &format!("  slot {} ({}): {named}", slot.slot, slot.file));
            for (number, copy) in slot.copies.iter().enumerate() {
                render_copy(copy, slot.copies[..number].first(), out);
            }
        }
    }

    fn problem(&self) -> Option<String> {
        self.problem.as_ref().map(|problem| format!("shard {}: {problem}", self.shard))
    }
}

/// A copy that equals the one before it is not shown twice.
fn render_copy(copy: &CopyView, before: Option<&CopyView>, out: &mut String) {
    line(out, &format!("    {} copy at byte {}: {}", copy.copy, copy.position, copy.state));
    if let Some(problem) = &copy.problem {
        line(out, &format!("      {problem}"));
    }
    let Some(contents) = &copy.contents else { return };
    let same = before.and_then(|before| before.contents.as_ref());
    let same = same.is_some_and(|same| same.generation == contents.generation && same.checksum == contents.checksum);
    if same {
        line(out, "      the same as the first copy");
    } else {
        let checksum = contents.checksum.unwrap_or_default();
        let (generation, sequence) = (contents.generation, contents.sequence);
        line(out, &format!("      manifest {generation}, up to block {sequence}, checksum {checksum:08x}"));
        contents.render(out);
    }
}
