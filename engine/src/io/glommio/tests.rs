use std::cell::Cell;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

use super::host::{io_memory_within, io_uring_refused};
use super::wake::polled_when_woken;
use super::{ExecutorSettings, GlommioDisk, GlommioRuntime, ShardExecutor, StartError, usable_cpus};
use crate::io::blocking::conformance::{conformance_tests, directory_on_disk};
use crate::io::fitness::DirectIo;
use crate::io::{Access, Disk, DiskFile, Runtime};
use crate::model::Position;

pub(super) fn executor(directory: &Path, core: Option<usize>, direct_io: DirectIo) -> ShardExecutor {
    let name = "test".to_owned();
    ShardExecutor::new(ExecutorSettings { name, core, direct_io, directory: directory.to_owned(), executor_count: 1 })
}

fn on_an_executor<Case: Future<Output = ()>>(
    direct_io: DirectIo,
    case: impl FnOnce(GlommioDisk, PathBuf) -> Case + Send + 'static,
) {
    let directory = directory_on_disk();
    let path = directory.path().to_owned();
    let run = executor(&path, None, direct_io).spawn(|runtime| case(*runtime.disk(), path));
    run.unwrap().join();
}

mod direct {
    use super::*;

    fn on_the_direct_disk<Case: Future<Output = ()>>(case: impl FnOnce(GlommioDisk, PathBuf) -> Case + Send + 'static) {
        on_an_executor(DirectIo::Required, case);
    }

    conformance_tests!(on_the_direct_disk);
}

mod buffered {
    use super::*;

    fn on_the_buffered_disk<Case: Future<Output = ()>>(
        case: impl FnOnce(GlommioDisk, PathBuf) -> Case + Send + 'static,
    ) {
        on_an_executor(DirectIo::Off, case);
    }

    conformance_tests!(on_the_buffered_disk);
}

/// Polls once.
async fn is_pending<F: Future>(mut future: Pin<&mut F>) -> bool {
    std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_pending())).await
}

fn run<Job: Future<Output = ()>>(job: impl FnOnce(GlommioRuntime) -> Job + Send + 'static) {
    let directory = directory_on_disk();
    executor(directory.path(), None, DirectIo::Required).spawn(job).unwrap().join();
}

#[test]
fn an_executor_runs_on_the_core_it_was_given_and_leaves_nothing_in_the_directory() {
    let directory = directory_on_disk();
    let core = *usable_cpus().unwrap().last().unwrap();
    let bound_to = executor(directory.path(), Some(core), DirectIo::Required).spawn(|_| async { usable_cpus() });
    assert_eq!(bound_to.unwrap().join().unwrap(), [core]);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn a_core_that_is_not_ours_is_an_error_that_names_the_usable_ones() {
    let directory = directory_on_disk();
    let error = executor(directory.path(), Some(100_000), DirectIo::Required).spawn(|_| async {}).err().unwrap();
    assert_eq!(error, StartError::CpuNotUsable { core: 100_000, usable: usable_cpus().unwrap() });
}

#[test]
fn a_missing_directory_is_an_error_at_start() {
    let directory = directory_on_disk();
    let absent = directory.path().join("absent");
    let error = executor(&absent, None, DirectIo::Required).spawn(|_| async {}).err().unwrap();
    assert!(matches!(&error, StartError::Scratch { directory, .. } if *directory == absent), "{error}");
}

#[test]
fn refusals_of_io_uring_are_told_apart() {
    let refused = |code, switch| io_uring_refused(&io::Error::from_raw_os_error(code), switch);
    assert_eq!(refused(libc::EPERM, "2"), StartError::IoUringDisabled { value: "2".to_owned() });
    assert!(matches!(refused(libc::EPERM, "0"), StartError::IoUringBlocked { .. }));
    assert!(matches!(refused(libc::EPERM, ""), StartError::IoUringBlocked { .. }));
    assert!(matches!(refused(libc::ENOSYS, "0"), StartError::IoUringBlocked { .. }));
    assert!(matches!(refused(libc::ENOSYS, ""), StartError::IoUringMissing { .. }));
    assert!(matches!(refused(libc::EMFILE, "0"), StartError::IoUringFailed { .. }));
}

#[test]
fn registered_memory_shrinks_to_the_limit_and_then_it_is_an_error() {
    const KIB: u64 = 1024;
    assert_eq!(io_memory_within(None, 64), Ok(512 * 1024));
    assert_eq!(io_memory_within(Some(8192 * KIB), 1), Ok(512 * 1024));
    assert_eq!(io_memory_within(Some(8192 * KIB), 5), Ok(512 * 1024));
    assert_eq!(io_memory_within(Some(8192 * KIB), 16), Ok(168 * 1024));
    assert_eq!(io_memory_within(Some(512 * KIB), 2), Ok(84 * 1024));
    let error = io_memory_within(Some(8192 * KIB), 64).unwrap_err();
    let expected = (12_288 * KIB, 98_304 * KIB);
    assert!(
        matches!(error, StartError::LockedMemory { needed_bytes, wanted_bytes, .. }
            if (needed_bytes, wanted_bytes) == expected),
        "{error}"
    );
    assert!(io_memory_within(Some(64 * KIB), 1).is_err());
}

#[test]
fn clocks_run_and_sleep_lasts() {
    run(|runtime| async move {
        let before = runtime.now();
        runtime.sleep(3_000_000).await;
        let after = runtime.now();
        assert!(after.monotonic >= before.monotonic.plus_ns(3_000_000));
        // Later than 2020, in nanoseconds.
        assert!(before.realtime.0 > 1_577_836_800_000_000_000);
    });
}

#[test]
fn random_names_differ() {
    run(|runtime| async move {
        assert_ne!(runtime.random(), runtime.random());
    });
}

#[test]
fn a_spawned_task_goes_on_while_its_spawner_waits() {
    run(|runtime| async move {
        let done = Rc::new(Cell::new(false));
        let flag = Rc::clone(&done);
        runtime.spawn(async move { flag.set(true) });
        runtime.sleep(1_000_000).await;
        assert!(done.get());
    });
}

#[test]
fn a_dropped_write_leaves_the_file_usable() {
    let directory = directory_on_disk();
    let path = directory.path().join("journal");
    run(|runtime| async move {
        runtime.disk().create(&path, 8192).await.unwrap().close().await;
        let file = runtime.disk().open(&path, Access::Durable).await.unwrap();
        for round in 0..64 {
            let write = file.write_durable(file.allocate(4096), Position(0));
            let mut write = std::pin::pin!(write);
            assert!(is_pending(write.as_mut()).await);
            // Every other one is dropped while the kernel has it, the rest before.
            if round % 2 == 0 {
                runtime.sleep(20_000).await;
            }
        }
        let mut buffer = file.allocate(4096);
        buffer.fill(3);
        file.write_durable(buffer, Position(4096)).await.result.unwrap();
        assert!(file.read(Position(4096), 4096).await.unwrap().iter().all(|byte| *byte == 3));
        file.close().await;
    });
}

#[test]
fn a_pending_operation_that_is_polled_very_often_keeps_one_waker() {
    let directory = directory_on_disk();
    let path = directory.path().join("journal");
    run(|runtime| async move {
        runtime.disk().create(&path, 4096).await.unwrap().close().await;
        let file = runtime.disk().open(&path, Access::Durable).await.unwrap();
        let mut write = Box::pin(file.write_durable(file.allocate(4096), Position(0)));
        // More than glommio can hold; nothing completes before this task yields.
        for _ in 0..100_000 {
            assert!(is_pending(write.as_mut()).await);
        }
        write.as_mut().await.result.unwrap();
        drop(write);
        file.close().await;
    });
}

#[test]
fn a_future_is_polled_only_when_it_asked_for_it() {
    let polls = Cell::new(0);
    let asked: Cell<Option<Waker>> = Cell::new(None);
    let future = polled_when_woken(std::future::poll_fn(|context| {
        polls.set(polls.get() + 1);
        asked.set(Some(context.waker().clone()));
        if polls.get() < 2 { Poll::Pending } else { Poll::Ready(()) }
    }));
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(Waker::noop());
    for _ in 0..3 {
        assert!(future.as_mut().poll(&mut context).is_pending());
        assert_eq!(polls.get(), 1);
    }
    asked.take().unwrap().wake();
    assert!(future.as_mut().poll(&mut context).is_ready());
    assert_eq!(polls.get(), 2);
}
