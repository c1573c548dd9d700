//! How a world's directory comes about: at once, or after formats that ended on the way.

use std::path::Path;

use florin_engine::io::{Disk, Runtime};
use florin_engine::journal::create::{FormatError, FormatSettings, format};
use florin_engine::model::{Id128, Realtime};
use florin_engine::shard::open::{OpenError, read_identity};
use rand::Rng;

use super::checkers::{Checked, healthy_opens};
use super::cluster::DATA;
use super::plan::Plan;
use super::summary::Summary;
use crate::sim::{SimDevice, SimExecutor, SimRuntime, streams};

/// The step whose streams decide how formats end; no world has so many steps.
const FORMAT_STEP: u32 = u32::MAX;
/// Formats that end on the way, at most.
const CUT_COUNT_MAX: u32 = 3;
/// Events of a format that ends on the way, at most. Some end later than that by themselves.
const EVENTS_MAX: u64 = 3_000;

/// Formats the directory of a plan, also if the process ends or the power goes meanwhile: then whoever looks finds it
/// whole or is told that it is unfinished, and empties it.
pub(super) fn format_directory(
    executor: &SimExecutor,
    device: &SimDevice,
    plan: &Plan,
    summary: &mut Summary,
) -> Checked {
    let mut random = streams::step_streams(plan.seed, FORMAT_STEP);
    let nothing = device.snapshot();
    let cut_count = if random.workload.random_bool(0.3) { random.workload.random_range(1..=CUT_COUNT_MAX) } else { 0 };
    for _ in 0..cut_count {
        let runtime = SimRuntime::new(executor.handle(), device.mount(), 0);
        let process = runtime.process();
        let settings = settings_of(plan, &runtime);
        let disk = runtime.disk().clone();
        runtime.spawn(async move { drop(format(&disk, Path::new(DATA), &settings).await) });
        let event_count = random.workload.random_range(0..EVENTS_MAX);
        let _ = executor.run_until_event(executor.event_count() + event_count);
        executor.crash_process(process);
        summary.format_cut_count += 1;
        if random.workload.random_bool(0.5) {
            device.power_loss(&mut random.crash);
        } else {
            device.kill(&mut random.crash);
        }
        if is_whole(executor, device, plan)? {
            return Ok(());
        }
        device.restore(&nothing);
    }
    match format_now(executor, device, plan) {
        Ok(()) => {}
        Err(error) => return healthy_opens::is_not_formatted(&error),
    }
    if is_whole(executor, device, plan)? { Ok(()) } else { healthy_opens::is_unfinished() }
}

/// Whether a directory is found whole: then it is not formatted again. Otherwise nobody takes it for one, and it is
/// formatted only if it is empty.
fn is_whole(executor: &SimExecutor, device: &SimDevice, plan: &Plan) -> Result<bool, super::Violation> {
    let found =
        on_the_side(executor, device, |runtime| async move { read_identity(runtime.disk(), Path::new(DATA)).await });
    let again = format_now(executor, device, plan);
    match (found, again) {
        (Ok(_), Err(FormatError::AlreadyFormatted(_))) => {
            // As whoever takes a directory does: nobody knows whether its last name is durable.
            let synced =
                on_the_side(
                    executor,
                    device,
                    |runtime| async move { runtime.disk().sync_directory(Path::new(DATA)).await },
                );
            assert_eq!(synced, Ok(()), "no faults strike yet");
            Ok(true)
        }
        (Err(OpenError::Identity { .. }), Err(FormatError::Unfinished(_) | FormatError::NotEmpty { .. })) => Ok(false),
        // There was nothing yet.
        (Err(OpenError::Identity { .. }), Ok(())) => Ok(true),
        (found, again) => healthy_opens::is_half_formatted(&found, &again).map(|()| false),
    }
}

fn format_now(executor: &SimExecutor, device: &SimDevice, plan: &Plan) -> Result<(), FormatError> {
    let plan = plan.clone();
    on_the_side(executor, device, |runtime| async move {
        let none = FormatSettings { journal_ids: Vec::new(), ..settings_of(&plan, &runtime) };
        let refused = format(runtime.disk(), Path::new(DATA), &none).await;
        assert!(matches!(refused, Err(FormatError::ShardCount(0))), "a directory has shards: {refused:?}");
        format(runtime.disk(), Path::new(DATA), &settings_of(&plan, &runtime)).await
    })
}

fn settings_of(plan: &Plan, runtime: &SimRuntime) -> FormatSettings {
    FormatSettings {
        directory_id: runtime.random(),
        journal_ids: (0..plan.shard_count).map(|_| runtime.random()).collect::<Vec<Id128>>(),
        geometry: plan.geometry,
        created: Realtime(runtime.now().realtime.0),
    }
}

/// Runs something in a process of its own.
pub(super) fn on_the_side<T: 'static, F: Future<Output = T> + 'static>(
    executor: &SimExecutor,
    device: &SimDevice,
    task: impl FnOnce(SimRuntime) -> F,
) -> T {
    let runtime = SimRuntime::new(executor.handle(), device.mount(), 0);
    let process = runtime.process();
    let done = executor.block_on(task(runtime));
    executor.crash_process(process);
    done
}
