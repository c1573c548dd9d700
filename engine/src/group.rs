//! Consumer groups: how far each has come, also as part of transactions.

mod offsets;

pub use offsets::{GroupOffsets, ImpossibleOffsets, OffsetsRefusal};
