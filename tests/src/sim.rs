//! The deterministic simulator: one thread, one seed, no real clock, no real disk and no real network.
//!
//! The production jobs run unchanged on [`runtime::SimRuntime`]; below it lie a seeded executor with virtual time
//! and a disk that tears, loses, delays and refuses writes as real ones may. The production server runs on
//! [`network::SimNetwork`], whose connections cut, delay and break what is sent. The same seed gives the same bytes.

pub mod disk;
pub mod executor;
pub mod network;
pub mod runtime;
pub mod streams;

pub use disk::{DiskConfig, DiskFaults, Fault, Flush, Injection, Latencies, SimDevice, SimDisk, SimFile, Snapshot};
pub use executor::{Process, SimExecutor, SimHandle, Stop};
pub use network::{NetworkConfig, NetworkFaults, SimNetwork, SimStream, SimWire};
pub use runtime::SimRuntime;
pub use streams::{Streams, streams};
