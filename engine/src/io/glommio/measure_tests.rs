//! Numbers of this host, printed: `cargo test --release -p florin-engine io::glommio::measure -- --ignored --nocapture
//! --test-threads 1`.

#![allow(clippy::print_stdout, reason = "numbers are the result")]

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::time::{ClockId, clock_gettime};

use super::super::host::nanoseconds;
use super::{GlommioRuntime, usable_cpus};
use crate::io::blocking::conformance::directory_on_disk;
use crate::io::fitness::{DirectIo, Options, check};
use crate::io::{Access, Disk, DiskFile, Runtime, UNIT_BYTES};
use crate::model::Position;

const WRITES: u64 = 2000;
const UNITS: u64 = 2048;
const UNIT: u64 = UNIT_BYTES as u64;

fn thread_cpu_ns() -> u64 {
    nanoseconds(clock_gettime(ClockId::ThreadCPUTime))
}

fn process_cpu_ns() -> u64 {
    nanoseconds(clock_gettime(ClockId::ProcessCPUTime))
}

/// Flushes that the device under `path` has finished, all processes together.
fn device_flushes(path: &Path) -> u64 {
    let device = std::fs::metadata(path).unwrap().dev();
    let statistics = format!("/sys/dev/block/{}:{}/stat", rustix::fs::major(device), rustix::fs::minor(device));
    let text = std::fs::read_to_string(statistics).unwrap_or_default();
    text.split_whitespace().nth(15).map_or(0, |field| field.parse().unwrap())
}

async fn measure(runtime: GlommioRuntime, path: &Path) -> String {
    let disk = runtime.disk();
    let file = disk.create(path, UNITS * UNIT).await.unwrap();
    // Overwrites are measured, so everything is written once.
    let whole = file.allocate(usize::try_from(UNITS).unwrap() * UNIT_BYTES);
    file.write_unsynced(whole, Position(0)).await.result.unwrap();
    file.sync().await.unwrap();
    file.close().await;
    let file = disk.open(path, Access::Durable).await.unwrap();
    let mut buffer = file.allocate(UNIT_BYTES);
    let mut latencies_ns = Vec::new();
    let (flushes, thread, process) = (device_flushes(path), thread_cpu_ns(), process_cpu_ns());
    for number in 0..WRITES {
        buffer[..8].copy_from_slice(&number.to_le_bytes());
        let start = runtime.now().monotonic.0;
        let written = file.write_durable(buffer, Position(number % UNITS * UNIT)).await;
        latencies_ns.push(runtime.now().monotonic.0 - start);
        written.result.unwrap();
        buffer = written.buffer;
    }
    let thread_us = (thread_cpu_ns() - thread) / 1000 / WRITES;
    let process_us = (process_cpu_ns() - process) / 1000 / WRITES;
    let flushes = device_flushes(path) - flushes;
    let idle = thread_cpu_ns();
    runtime.sleep(1_000_000_000).await;
    let idle_us = (thread_cpu_ns() - idle) / 1000;
    file.close().await;
    latencies_ns.sort_unstable();
    let percentile = |percent: usize| latencies_ns[latencies_ns.len() * percent / 100] / 1000;
    format!(
        "p50 {} p99 {} µs; CPU per write {thread_us} µs on the shard, {process_us} with helpers; \
         {flushes} flushes of the device for {WRITES} writes; {idle_us} µs CPU in an idle second",
        percentile(50),
        percentile(99),
    )
}

#[test]
#[ignore = "prints numbers"]
fn durable_writes_of_one_unit_are_measured_on_each_core() {
    let directory = directory_on_disk();
    println!("{:?}", check(directory.path(), Options::default()));
    for direct_io in [DirectIo::Required, DirectIo::Off] {
        for core in usable_cpus().unwrap() {
            let path = directory.path().join(format!("journal-{core}-{direct_io:?}"));
            let executor = super::tests::executor(directory.path(), Some(core), direct_io);
            let numbers = executor.spawn(move |runtime| async move { measure(runtime, &path).await }).unwrap().join();
            println!("{direct_io:?}, CPU {core}: {numbers}");
        }
    }
}
