//! The deterministic simulator: one thread, one seed, no real clock and no real disk.
//!
//! The production jobs run unchanged on [`runtime::SimRuntime`]; below it lie a seeded executor with virtual time
//! and a disk that tears, loses, delays and refuses writes as real ones may. The same seed gives the same bytes.

pub mod disk;
pub mod executor;
pub mod runtime;
pub mod streams;

pub use disk::{DiskConfig, DiskFaults, Fault, Flush, Injection, Latencies, SimDevice, SimDisk, SimFile, Snapshot};
pub use executor::{Process, SimExecutor, SimHandle, Stop};
pub use runtime::SimRuntime;
pub use streams::{Streams, streams};
