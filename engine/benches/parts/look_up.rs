//! Finding what is at rest: the run of a partition, then the extent in its file.

use std::hint::black_box;
use std::path::Path;
use std::rc::Rc;

use bytes::Bytes;
use criterion::{Criterion, Throughput};
use florin_engine::format::batch::{place, validate};
use florin_engine::format::extent::{encode, extent_bytes};
use florin_engine::format::layout::segment_path;
use florin_engine::format::segment_index::{self, IndexEntry};
use florin_engine::io::blocking::{BlockingDisk, block_on};
use florin_engine::io::{Access, Disk, DiskFile};
use florin_engine::limits::UNIT_BYTES;
use florin_engine::model::{FileIndex, Id128, Offset, Position, SegmentId, Sequence, ShardId};
use florin_engine::partition::{Lookup, Partition, Placed};
use florin_engine::segment::index::{FileName, SegmentIndex, walk};
use florin_engine::segment::read::{ReadPlan, Target, read};
use florin_engine::segment::table::SegmentFile;
use florin_engine::segment::{Run, SegmentState};

use crate::inputs::{PARTITION, Scattered, append_time, batch, held_batch, timestamp_ms};

const NAME: FileName = FileName { journal_id: Id128([3; 16]), shard: ShardId(2), segment: SegmentId(5) };
const RECORDS_PER_BATCH: u32 = 10;
const VALUE_BYTES: usize = 256;

/// What a reader of the batch with this number asks for.
type Ask = fn(u64) -> Target;
/// Finds the run of the batch with this number.
type Find = fn(&Partition, u64) -> Option<Run>;

/// Where the batch with this number begins.
fn offset(number: u64) -> Offset {
    Offset(number * u64::from(RECORDS_PER_BATCH))
}

/// The run of so many batches from `number` on, a unit each.
fn run(segment: SegmentId, number: u64, batch_count: u64) -> Run {
    let last = number + batch_count - 1;
    Run {
        segment,
        position: Position(0),
        bytes: batch_count * UNIT_BYTES as u64,
        base_offset: offset(number),
        next_offset: offset(last + 1),
        first_append_time: append_time(number),
        last_append_time: append_time(last),
        max_timestamp_ms: timestamp_ms(last),
    }
}

/// Writes a file with so many extents of a batch and a unit each. Returns how to read one of them, with an index that
/// is known.
fn file_with_extents(directory: &Path, extent_count: u64) -> ReadPlan {
    let file = block_on(BlockingDisk.create(&segment_path(directory, NAME.segment), 0)).expect("a new file");
    let run = run(NAME.segment, 0, extent_count);
    let mut buffer = file.allocate(usize::try_from(run.bytes).expect("it fits into memory"));
    let mut entries = Vec::new();
    for (out, number) in buffer.chunks_exact_mut(UNIT_BYTES).zip(0..) {
        let batches = [held_batch(number, RECORDS_PER_BATCH, VALUE_BYTES)];
        assert_eq!(extent_bytes(1, batches[0].bytes.len()), UNIT_BYTES, "a batch fills a unit");
        let position = Position(number * UNIT_BYTES as u64);
        let head = encode(&NAME.at(position), PARTITION, &batches, timestamp_ms(number), out);
        entries.push(IndexEntry::of(position, &head));
    }
    block_on(file.write_unsynced(buffer, Position(0))).result.expect("there is room on the disk");
    let end = run.end();
    ReadPlan {
        journal_id: NAME.journal_id,
        shard: NAME.shard,
        partition: PARTITION,
        run,
        file: SegmentFile { end, index_bytes: 0, state: SegmentState::Closed },
        target: Target::Offset(Offset(0)),
        bytes_max: UNIT_BYTES,
        piece_bytes: None,
        index: Some(Rc::new(SegmentIndex { entries, end, has_gap: false, is_unreadable: false })),
    }
}

/// Reads the extent of a target, and returns where its one batch begins.
fn read_extent(directory: &Path, plan: &ReadPlan) -> Offset {
    let done = block_on(read(&BlockingDisk, directory, plan, &async || {}));
    let chunk = done.result.expect("the file is readable");
    assert!(done.index.is_none() && chunk.damaged.is_empty() && chunk.batches.len() == 1);
    chunk.batches[0].base_offset
}

/// One extent of a file is read, from the page cache: what grows with the number of extents is the look-up.
pub fn segment_reads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("segment");
    group.throughput(Throughput::Elements(1));
    for extent_count in [100, 10_000] {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory in the target folder");
        let mut plan = file_with_extents(directory.path(), extent_count);
        let targets: [(&str, Ask); 3] = [
            ("offset", |number| Target::Offset(offset(number).plus(3))),
            ("append time", |number| Target::AppendTime(append_time(number))),
            ("timestamp", |number| Target::Timestamp(timestamp_ms(number))),
        ];
        for (name, target) in targets {
            for number in [0, 1, extent_count / 2, extent_count - 1] {
                plan.target = target(number);
                assert_eq!(read_extent(directory.path(), &plan), offset(number), "by {name}");
            }
            let mut turns = Scattered::new(extent_count);
            group.bench_function(format!("read by {name}, 1 of {extent_count} extents"), |bencher| {
                bencher.iter(|| {
                    plan.target = target(turns.next());
                    read_extent(directory.path(), &plan)
                });
            });
        }
    }
    group.finish();
}

/// The extents of a file, as its first read finds them: by its index, or where it has none from header to header. The
/// headers are in the page cache; on a disk each is a read that waits for the one before.
pub fn extents_of_file(criterion: &mut Criterion) {
    const EXTENT_COUNT: u64 = 10_000;
    let mut group = criterion.benchmark_group("segment");
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory in the target folder");
    let plan = file_with_extents(directory.path(), EXTENT_COUNT);
    let index = plan.index.expect("it is known");

    let place = NAME.at(index.end);
    let mut out = vec![0; segment_index::index_bytes(index.entries.len())];
    segment_index::encode(&place, &index.entries, &mut out);
    let bytes = Bytes::from(out);
    assert_eq!(segment_index::decode(&bytes, &place).present(), Some(&index.entries));
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function(format!("decode an index of {EXTENT_COUNT} extents"), |bencher| {
        bencher.iter(|| segment_index::decode(black_box(&bytes), &place));
    });

    let path = segment_path(directory.path(), NAME.segment);
    let file = block_on(BlockingDisk.open(&path, Access::Read)).expect("the file was written");
    let walk_all = || block_on(walk(&file, NAME, Position(0), index.end));
    assert_eq!(walk_all(), *index);
    group.throughput(Throughput::Elements(EXTENT_COUNT));
    group.bench_function(format!("find {EXTENT_COUNT} extents by their headers"), |bencher| bencher.iter(walk_all));
    group.finish();
}

/// A partition of which nothing is in memory, with so many runs of a batch each in files of their own.
fn partition_with_runs(run_count: u64) -> Partition {
    let mut partition = Partition::new(PARTITION);
    for number in 0..run_count {
        let mut bytes = batch(number, RECORDS_PER_BATCH, 1);
        let info = validate(&bytes, bytes.len()).expect("what the builder makes is valid");
        let slot = partition.next_slot(append_time(number));
        place(&mut bytes, slot.base_offset);
        let placed = Placed { sequence: Sequence(number + 1), file: FileIndex(0) };
        partition.append(slot, &info, bytes.freeze(), placed, &[]);
        partition.make_durable(partition.next_offset());
        assert!(partition.run_written(run(SegmentId(number + 1), number, 1)));
    }
    partition.evict(partition.next_offset(), usize::MAX);
    assert_eq!((partition.run_count() as u64, partition.held_bytes()), (run_count, 0));
    partition
}

fn in_run(found: Lookup) -> Option<Run> {
    match found {
        Lookup::InRun(run) => Some(run),
        Lookup::Offset(_) => None,
    }
}

/// The run that holds what is looked for.
pub fn partition_look_ups(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("partition");
    group.throughput(Throughput::Elements(1));
    for run_count in [100, 10_000] {
        let partition = partition_with_runs(run_count);
        let finds: [(&str, Find); 3] = [
            ("offset", |partition, number| partition.run_at(offset(number).plus(3)).copied()),
            ("append time", |partition, number| in_run(partition.offset_at(append_time(number)))),
            ("timestamp", |partition, number| in_run(partition.offset_of_timestamp(timestamp_ms(number), Offset(0)))),
        ];
        for (name, find) in finds {
            for number in [0, 1, run_count / 2, run_count - 1] {
                let expected = run(SegmentId(number + 1), number, 1);
                assert_eq!(find(&partition, number), Some(expected), "by {name}");
            }
            let mut turns = Scattered::new(run_count);
            group.bench_function(format!("find by {name}, 1 of {run_count} runs"), |bencher| {
                bencher.iter(|| find(black_box(&partition), turns.next()));
            });
        }
    }
    group.finish();
}
