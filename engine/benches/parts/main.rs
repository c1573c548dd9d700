//! What single parts of the path of a capture cost, and look-ups of what is at rest: in memory, on one thread. Every
//! part is first seen to do what it is for.

use criterion::{criterion_group, criterion_main};

mod batch;
mod extent;
mod inputs;
mod journal;
mod look_up;
mod producer;

criterion_group!(
    parts,
    batch::validation,
    producer::sequence_check,
    journal::group_commit,
    extent::encoding,
    look_up::segment_reads,
    look_up::extents_of_file,
    look_up::partition_look_ups,
);
criterion_main!(parts);
