//! `DATA_FILE.md` and `DURABILITY.md` against the code: what the pages say byte by byte and row by row is so.

#[path = "data_file/layouts.rs"]
mod layouts;
#[path = "data_file/table.rs"]
mod table;
#[path = "data_file/transactional.rs"]
mod transactional;

use std::path::Path;

use bytes::Bytes;
use florin_engine::catalogue::{TopicDescriptor, TopicState};
use florin_engine::format::batch::ProducerStamp;
use florin_engine::format::control::{Control, ENTRY_ALIGN_BYTES, ENTRY_HEADER_BYTES, Entry, EntryKind};
use florin_engine::format::layout::{self, Copy, FORMAT_VERSION};
use florin_engine::format::manifest::Module;
use florin_engine::format::superblock::{FileUse, SUPERBLOCK_BYTES};
use florin_engine::format::{batch, block, extent, identity, keys, segment_index};
use florin_engine::io::UNIT_BYTES;
use florin_engine::model::{
    Epoch, FileIndex, PartitionId, ProducerEpoch, ProducerId, Realtime, SegmentId, Sequence, ShardId, TopicId,
};
use florin_engine::partition::{CutReason, Gap, Partition};
use florin_engine::segment::{Run, SegmentState, SegmentTable};
use florin_engine::transaction::PartitionTransactions;

use crate::tree::{Table, quoted, read, tables};

const PAGE: &str = "engine/docs/DATA_FILE.md";

fn page_tables() -> Vec<Table> {
    tables(&read(PAGE))
}

/// The rows of a table that gives a number and a name in code marks.
fn numbers_and_names(table: &Table) -> Vec<(u64, String)> {
    let row = |row: &Vec<String>| (row[0].parse().expect("a number"), quoted(&row[1])[0].to_owned());
    table.rows.iter().map(row).collect()
}

#[test]
fn the_page_names_the_format_version_of_the_code() {
    let page = read(PAGE);
    assert!(page.contains(&format!("Format version: {FORMAT_VERSION}.")), "{PAGE} names another format version");
    let section = read("engine/src/shard/checkpointing.rs");
    let version = layouts::constant(&section, "SECTION_VERSION").expect("the version of sections");
    let said = format!("version of the section's own encoding: {version}");
    assert!(page.contains(&said), "{PAGE} names another version of sections");
}

#[test]
fn every_size_in_the_page_is_that_of_the_code() {
    let tables = page_tables();
    let sizes = Table::find(&tables, &["size", "bytes", "of"]);
    let said: Vec<_> = sizes.rows.iter().map(|row| (quoted(&row[0])[0], row[1].parse().expect("a size"))).collect();
    let are = [
        ("UNIT_BYTES", UNIT_BYTES),
        ("IDENTITY_BYTES", identity::IDENTITY_BYTES),
        ("IDENTITY_FILE_BYTES", identity::IDENTITY_FILE_BYTES),
        ("SUPERBLOCK_BYTES", SUPERBLOCK_BYTES),
        ("BLOCK_HEADER_BYTES", block::BLOCK_HEADER_BYTES),
        ("ENTRY_HEADER_BYTES", ENTRY_HEADER_BYTES),
        ("ENTRY_ALIGN_BYTES", ENTRY_ALIGN_BYTES),
        ("HEADER_BYTES", batch::HEADER_BYTES),
        ("EXTENT_HEADER_BYTES", extent::EXTENT_HEADER_BYTES),
        ("EXTENT_ENTRY_BYTES", extent::EXTENT_ENTRY_BYTES),
        ("INDEX_HEADER_BYTES", segment_index::INDEX_HEADER_BYTES),
        ("INDEX_ENTRY_BYTES", segment_index::INDEX_ENTRY_BYTES),
        ("KEY_ENTRY_BYTES", keys::KEY_ENTRY_BYTES),
        ("PAGE_HEADER_BYTES", keys::PAGE_HEADER_BYTES),
        ("SECTION_HEADER_BYTES", keys::SECTION_HEADER_BYTES),
        ("TABLE_HEADER_BYTES", keys::TABLE_HEADER_BYTES),
        ("TABLE_ENTRY_BYTES", keys::TABLE_ENTRY_BYTES),
    ];
    assert_eq!(said, are);
}

#[test]
fn every_file_name_in_the_page_is_that_of_the_code() {
    let page = read(PAGE);
    let (directory, shard) = (Path::new("DATA_DIR"), ShardId(0));
    let shard_directory = layout::shard_path(directory, shard);
    let paths = [
        layout::identity_path(directory),
        layout::identity_draft_path(directory),
        shard_directory.clone(),
        layout::superblock_path(&shard_directory, Copy::A),
        layout::superblock_path(&shard_directory, Copy::B),
        layout::manifest_path(&shard_directory, 0),
        layout::manifest_path(&shard_directory, 1),
        layout::manifest_path(&shard_directory, 2),
        layout::journal_path(&shard_directory, FileIndex(0)),
        layout::journal_path(&shard_directory, FileIndex(1)),
        layout::segment_path(&shard_directory, SegmentId(1)),
    ];
    for path in paths {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(page.contains(&name), "{PAGE} does not name {name}");
    }
}

#[test]
fn every_layout_in_the_page_has_the_fields_of_its_struct() {
    let mut described = Vec::new();
    for table in page_tables().iter().filter(|table| table.caption.contains("Layout `")) {
        let structure = layouts::Structure::of_caption(&table.caption);
        let said: Vec<_> = table
            .rows
            .iter()
            .map(|row| (row[0].parse().expect("a place"), row[1].parse().expect("a size"), row[2].clone()))
            .collect();
        assert_eq!(said, structure.fields, "{} in {}", structure.name, structure.path);
        if let Some(magic) = &structure.magic {
            let said = table.rows.iter().find(|row| row[2] == "magic").expect("a field magic");
            assert_eq!(quoted(&said[3]), [magic], "magic of {}", structure.name);
        }
        described.push(structure.name);
    }
    let mut structures: Vec<_> = layouts::all_structures();
    structures.sort();
    described.sort();
    assert_eq!(described, structures, "every struct that is laid out on disk has a table, and no other");
}

#[test]
fn every_encoding_in_the_page_has_the_numbers_that_the_code_writes() {
    let mut described = 0;
    for table in page_tables().iter().filter(|table| table.caption.contains("Encoding `")) {
        let encoding = layouts::Encoding::of_caption(&table.caption);
        let mut at = 0;
        let mut said = Vec::new();
        for row in &table.rows {
            let place: usize = row[0].parse().expect("a place");
            assert!(place == 0 || place == at, "{}: {} stands at {place}, not {at}", encoding.path, row[2]);
            match row[1].parse::<usize>() {
                Ok(bytes) => {
                    said.push(bytes);
                    at = place + bytes;
                }
                Err(_) => {
                    assert_eq!(row[1], "n", "{}: length of {}", encoding.path, row[2]);
                    at = usize::MAX;
                }
            }
        }
        assert_eq!(said, encoding.number_bytes, "numbers that {} in {} writes", encoding.function, encoding.path);
        described += 1;
    }
    assert_eq!(described, 16, "encodings of sections, topics and runs in {PAGE}");
}

/// The bytes of the last group of rows of an encoding's table, up to what varies.
fn group_bytes(tables: &[Table], caption: &str) -> usize {
    let table = tables.iter().find(|table| table.caption.contains(caption)).expect("the table of an encoding");
    let begin = table.rows.iter().rposition(|row| row[0] == "0").expect("a group");
    table.rows[begin..].iter().filter_map(|row| row[1].parse::<usize>().ok()).sum()
}

#[test]
fn what_bounds_the_room_in_a_manifest_counts_the_bytes_that_the_page_gives() {
    let tables = page_tables();
    assert_eq!(group_bytes(&tables, "`encode` in `engine/src/partition/codec.rs`"), Partition::ENCODED_BYTES);
    assert_eq!(group_bytes(&tables, "`encode` in `engine/src/segment/run.rs`"), Run::ENCODED_BYTES);
    assert_eq!(group_bytes(&tables, "`encode` in `engine/src/partition/gap.rs`"), Gap::ENCODED_BYTES);
    assert_eq!(group_bytes(&tables, "`encode` in `engine/src/segment/table.rs`"), SegmentTable::FILE_BYTES);
    let open = group_bytes(&tables, "`encode` in `engine/src/transaction/open.rs`");
    assert_eq!(open, PartitionTransactions::OPEN_BYTES);
}

#[test]
fn every_module_and_state_in_the_page_has_the_number_of_the_code() {
    let tables = page_tables();
    let modules = numbers_and_names(Table::find(&tables, &["module", "`Module`"]));
    let are: Vec<_> = Module::ALL.iter().map(|module| (*module as u64, format!("{module:?}"))).collect();
    assert_eq!(modules, are);

    let uses = numbers_and_names(Table::find(&tables, &["state", "`FileUse`"]));
    let are = [FileUse::Free, FileUse::Open, FileUse::Sealed].map(|state| (state as u64, format!("{state:?}")));
    assert_eq!(uses, are);

    let states = numbers_and_names(Table::find(&tables, &["state", "`TopicState`"]));
    let are = [TopicState::Creating, TopicState::Live, TopicState::Deleting, TopicState::Altering];
    assert_eq!(states, are.map(|state| (state as u64, format!("{state:?}"))));

    let states = numbers_and_names(Table::find(&tables, &["state", "`SegmentState`"]));
    let are = [SegmentState::Growing, SegmentState::Sealed, SegmentState::Closed];
    assert_eq!(states, are.map(|state| (state as u64, format!("{state:?}"))));

    let reasons = numbers_and_names(Table::find(&tables, &["reason", "`CutReason`"]));
    assert_eq!(reasons, [CutReason::Age, CutReason::Size].map(|reason| (reason as u64, format!("{reason:?}"))));
}

/// One entry of every kind, with no field zero that the kind uses.
fn entry_of(kind: EntryKind) -> Entry {
    let topic = TopicId(7);
    let partition = PartitionId { topic, index: 3 };
    let descriptor = || TopicDescriptor::new(topic, "t", vec![ShardId(1)]).expect("a topic");
    Entry::Control(match kind {
        EntryKind::Batch => {
            let batch = Bytes::from_static(b"batch");
            return Entry::Batch { partition, append_time: Realtime(9), undecided: 2, batch };
        }
        EntryKind::EpochStart => {
            Control::EpochStart { epoch: Epoch(1), last_sequence: Sequence(2), last_chain: 3, boot_time: Realtime(9) }
        }
        EntryKind::TopicCreating => Control::TopicCreating(descriptor()),
        EntryKind::TopicLive => Control::TopicLive(topic),
        EntryKind::TopicDeleting => Control::TopicDeleting(topic),
        EntryKind::TopicDeleted => Control::TopicDeleted(topic),
        EntryKind::PartitionsOpened => Control::PartitionsOpened(descriptor()),
        EntryKind::PartitionsClosed => Control::PartitionsClosed { topic, version: 4 },
        EntryKind::ProducerIdsReserved => Control::ProducerIdsReserved { up_to: 5 },
        EntryKind::ProducerExpired => {
            Control::ProducerExpired { partition, producer: ProducerId(6), epoch: ProducerEpoch(1) }
        }
        EntryKind::ClockConfirmed => Control::ClockConfirmed { realtime: Realtime(9) },
        EntryKind::TopicAltering => Control::TopicAltering(descriptor()),
        EntryKind::BatchKnown => Control::BatchKnown {
            partition,
            append_time: Realtime(9),
            stamp: ProducerStamp::new(ProducerId(6), ProducerEpoch(1), 2, 3),
            crc: 7,
        },
        EntryKind::TransactionalIdOpened
        | EntryKind::TransactionJoined
        | EntryKind::TransactionDecided
        | EntryKind::TransactionSettled
        | EntryKind::TransactionalIdForgotten => Control::Transaction(transactional::transaction_record(kind)),
        EntryKind::OffsetsCommitted | EntryKind::OffsetsEnded | EntryKind::GroupForgotten => {
            Control::Offsets(transactional::offset_record(kind))
        }
    })
}

#[test]
fn every_entry_kind_in_the_page_has_the_number_body_and_header_fields_of_the_code() {
    let tables = page_tables();
    let table = Table::find(&tables, &["kind", "`EntryKind`", "body bytes", "topic", "partition", "append_time"]);
    let codes: Vec<u16> = (0..=u16::MAX).filter(|code| EntryKind::from_code(*code).is_some()).collect();
    assert_eq!(table.rows.len(), codes.len(), "kinds of entries");
    for (row, code) in table.rows.iter().zip(codes) {
        let kind = EntryKind::from_code(code).expect("filtered");
        let entry = entry_of(kind);
        let mut bytes = vec![0xff; entry.encoded_bytes()];
        entry.encode(&mut bytes);
        let body_bytes = u32::from_le_bytes(bytes[4..8].try_into().expect("four bytes"));
        let used = |range: std::ops::Range<usize>| {
            if bytes[range].iter().any(|byte| *byte != 0) { "used" } else { "zero" }
        };
        let body = if row[2] == "n" { "n".to_owned() } else { body_bytes.to_string() };
        let are = [&code.to_string(), &format!("`{kind:?}`"), &body, used(8..16), used(16..20), used(24..32)];
        assert_eq!(row[..6], are, "entry kind {code}");
        assert_eq!(used(20..24) == "used", kind == EntryKind::Batch, "only a batch uses undecided: entry kind {code}");
        let varies = matches!(
            kind,
            EntryKind::Batch
                | EntryKind::TopicCreating
                | EntryKind::PartitionsOpened
                | EntryKind::TopicAltering
                | EntryKind::TransactionalIdOpened
                | EntryKind::TransactionJoined
                | EntryKind::OffsetsCommitted
                | EntryKind::OffsetsEnded
                | EntryKind::GroupForgotten
        );
        assert_eq!(row[2] == "n", varies, "body of entry kind {code}");
    }
}

#[test]
fn the_decision_table_in_the_page_is_the_one_in_the_code() {
    let page = tables(&read("engine/docs/DURABILITY.md"));
    let said = &Table::find(&page, &["row", "header", "body", "age", "order", "link", "reach", "lap", "evidence"]).rows;
    let are = table::rows();
    for (said, is) in said.iter().zip(&are) {
        assert_eq!(said, is, "\nthe row must read:\n| {} |\n", is.join(" | "));
    }
    assert_eq!(said.len(), are.len(), "rows of the decision table");
    assert_eq!(said.len(), florin_engine::journal::decision::TABLE.len(), "rows of the decision table");
}

#[test]
fn every_harm_in_the_page_is_one_of_the_code_and_the_other_way_round() {
    let page = tables(&read("engine/docs/DURABILITY.md"));
    let harms = Table::find(&page, &["damage", "what it means", "what an operator does"]);
    let said: Vec<_> = harms.rows.iter().map(|row| quoted(&row[0])[0].to_owned()).collect();
    assert_eq!(said, table::names_of_harms());
}
