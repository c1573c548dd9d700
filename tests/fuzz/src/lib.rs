//! What the fuzz targets have in common: the counter of what an input takes of memory.

use florin_tests::fuzz::Memory;

/// Counts what this thread allocates.
pub fn memory() -> Memory {
    Memory::new(|run| allocation_counter::measure(run).bytes_max)
}
