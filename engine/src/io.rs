//! The seam to everything outside the engine: disk, clock, tasks and randomness.
//!
//! State (admission, placement, recovery decisions) never sees this module. Jobs are plain `async fn`s generic
//! over [`Disk`] or [`Runtime`]; they run on glommio in production and on a seeded executor in simulation.
//! Tests replace only what implements these traits.

pub mod blocking;
pub mod disk;
pub mod fitness;
pub mod glommio;
pub mod host;
pub mod runtime;

pub use disk::{Access, Buffer, Disk, DiskError, DiskErrorKind, DiskFile, DiskOperation, UNIT_BYTES, Written};
pub use runtime::Runtime;
