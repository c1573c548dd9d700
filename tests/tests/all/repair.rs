//! A repair that the power cuts short, of a shard whose superblock is older than its journal.

use std::path::Path;

use florin_engine::format::block::{BLOCK_HEADER_BYTES, BlockHead, Place};
use florin_engine::format::checksum::Chain;
use florin_engine::format::control::{Control, Entry};
use florin_engine::format::layout::{Copy, Geometry, journal_path, shard_path, superblock_path};
use florin_engine::format::superblock::{SUPERBLOCK_BYTES, Superblock};
use florin_engine::io::{Access, Disk, DiskFile, Runtime};
use florin_engine::journal::create::{FormatSettings, format};
use florin_engine::journal::write::read_superblocks;
use florin_engine::model::{Epoch, FileIndex, Lap, Position, Realtime, Sequence, ShardId};
use florin_engine::shard::open::{OpenSettings, open_shard, read_identity};
use florin_engine::shard::repair::{self, RepairPlan};
use florin_tests::sim::{DiskConfig, SimDevice, SimExecutor, SimRuntime, streams};

const DATA: &str = "/data";
const SHARD: ShardId = ShardId(0);
const GEOMETRY: Geometry = Geometry { file_count: 2, file_bytes: 32 * 1024, manifest_bytes: 32 * 1024 };
/// When the operator accepts whatever is lost.
const ACCEPTED: Realtime = Realtime(77);

/// Formats a directory, and leaves both superblock copies in an epoch that calls every ring file free.
async fn format_older(disk: &impl Disk, runtime: &SimRuntime) -> Superblock {
    let settings = FormatSettings {
        directory_id: runtime.random(),
        journal_ids: vec![runtime.random()],
        geometry: GEOMETRY,
        created: Realtime(1),
    };
    format(disk, Path::new(DATA), &settings).await.expect("an empty directory is formatted");
    let directory = shard_path(Path::new(DATA), SHARD);
    let copies = read_superblocks(disk, &directory, settings.directory_id, SHARD).await;
    let formatted = copies.choose().expect("just written").superblock.next_generation();
    let older = Superblock { epoch: Epoch(1), epoch_first_sequence: Sequence(1), clean: false, ..formatted };
    for copy in [Copy::A, Copy::B] {
        let file = disk.open(&superblock_path(&directory, copy), Access::Durable).await.expect("both copies exist");
        let mut buffer = file.allocate(SUPERBLOCK_BYTES);
        older.encode(&mut buffer);
        file.write_durable(buffer, Position(0)).await.result.expect("the disk is healthy");
    }
    older
}

/// Puts the first block of that epoch into a ring file, as a superblock that is gone allowed it.
async fn write_block(disk: &impl Disk, superblock: &Superblock, file: FileIndex) {
    let entries = [
        Entry::Control(Control::EpochStart {
            epoch: Epoch(1),
            last_sequence: Sequence(0),
            last_chain: 0,
            boot_time: Realtime(5),
        }),
        Entry::Control(Control::ProducerIdsReserved { up_to: 1024 }),
    ];
    let payload_bytes: usize = entries.iter().map(Entry::encoded_bytes).sum();
    let head = BlockHead {
        place: Place { file, lap: Lap(superblock.files[usize::from(file.0)].lap.0 + 1), position: Position(0) },
        epoch: Epoch(1),
        epoch_first_sequence: Sequence(1),
        sequence: Sequence(1),
        durable_sequence: Sequence(0),
        previous: Chain(0),
        entry_count: 2,
        payload_bytes: u32::try_from(payload_bytes).expect("two entries"),
    };
    let path = journal_path(&shard_path(Path::new(DATA), SHARD), file);
    let file = disk.open(&path, Access::Durable).await.expect("ring files exist");
    let mut buffer = file.allocate(head.block_bytes());
    let mut at = BLOCK_HEADER_BYTES;
    for entry in &entries {
        at += entry.encode(&mut buffer[at..]);
    }
    head.seal(superblock.name, &mut buffer);
    file.write_durable(buffer, Position(0)).await.result.expect("the disk is healthy");
}

async fn plan(disk: &impl Disk) -> Option<RepairPlan> {
    let identity = read_identity(disk, Path::new(DATA)).await.expect("the identity is sound");
    repair::plan(disk, Path::new(DATA), &identity, SHARD, ACCEPTED).await.expect("a repair can be planned")
}

/// A directory whose superblock says less than its journal.
fn behind(seed: u64, file: FileIndex) -> (SimExecutor, SimDevice) {
    let executor = SimExecutor::new(seed);
    let device = SimDevice::new(executor.handle(), DiskConfig::default());
    let runtime = SimRuntime::new(executor.handle(), device.mount(), 0);
    executor.block_on(async move {
        let superblock = format_older(runtime.disk(), &runtime).await;
        write_block(runtime.disk(), &superblock, file).await;
    });
    (executor, device)
}

#[test]
fn a_repair_of_a_shard_whose_superblock_is_too_old_loses_nothing_wherever_it_is_cut_short() {
    let mut unfinished_count = 0;
    for seed in 0..400 {
        let (executor, device) = behind(seed, FileIndex(u16::try_from(seed % 2).expect("one of two")));
        let mut crash = streams(seed).crash;
        let mount = || SimRuntime::new(executor.handle(), device.mount(), 0);
        let runtime = mount();
        let (process, task) = (runtime.process(), runtime.clone());
        runtime.spawn(async move {
            let planned = plan(task.disk()).await.expect("the journal is newer than the superblock");
            planned.carry_out(&task, task.now()).await.expect("the disk is healthy");
        });
        let _ = executor.run_until_event(executor.event_count() + seed);
        executor.crash_process(process);
        device.power_loss(&mut crash);

        let task = mount();
        unfinished_count += executor.block_on(async move {
            let Some(planned) = plan(task.disk()).await else { return 0 };
            assert!(!planned.journal_damage.is_empty(), "seed {seed}");
            assert_eq!(planned.losses(), [], "seed {seed}");
            planned.carry_out(&task, task.now()).await.expect("the disk is healthy");
            assert!(plan(task.disk()).await.is_none(), "seed {seed}: what was repaired is sound");
            1
        });
        let task = mount();
        executor.block_on(async move {
            let identity = read_identity(task.disk(), Path::new(DATA)).await.expect("the identity is sound");
            let opened =
                open_shard(&task, Path::new(DATA), &identity, SHARD, OpenSettings::default(), |_cuts| {}).await;
            let report = opened.map(|opened| opened.report).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            assert!(report.epoch > Epoch(2), "seed {seed}: a repair raises the epoch, and so does a start");
        });
    }
    assert!(
        (50..350).contains(&unfinished_count),
        "{unfinished_count} of 400 were cut short before they were in force"
    );
}
