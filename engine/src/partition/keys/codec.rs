//! The key runs of a partition as bytes, for the manifest. Little-endian: set count u32, then each set: spare count u32,
//! the run, the spares.

use bytes::{Buf, BufMut, TryGetError};

use super::{KeyRunSet, PartitionKeys};
use crate::key_run::KeyRun;
use crate::model::Offset;

/// Bytes of a set beside its runs.
pub const KEY_RUN_SET_BYTES: usize = 4;

/// Why bytes are not the key runs of a partition. The bytes were checksummed before: it is damage, or another format.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeysDecodeError {
    /// The bytes end within them.
    #[error("key runs are cut off")]
    CutOff(#[from] TryGetError),
    /// A run that cannot be, or not in this place.
    #[error("key run {0:?} cannot be there")]
    Impossible(KeyRun),
}

impl PartitionKeys {
    /// Writes the runs, with their spares.
    pub fn encode(&self, out: &mut impl BufMut) {
        out.put_u32_le(u32::try_from(self.sets.len()).expect("bounded by the manifest"));
        for set in &self.sets {
            out.put_u32_le(u32::try_from(set.spares.len()).expect("bounded by the manifest"));
            set.all().for_each(|run| run.encode(out));
        }
    }

    /// Reads the runs of a partition that goes on at `next_offset`.
    ///
    /// # Errors
    /// If [`PartitionKeys::encode`] cannot have written them.
    pub fn decode_runs(&mut self, buf: &mut impl Buf, next_offset: Offset) -> Result<(), KeysDecodeError> {
        let count = buf.try_get_u32_le()?;
        let mut end = Offset(0);
        for _ in 0..count {
            let spare_count = buf.try_get_u32_le()?;
            let run = read(buf)?;
            if run.base_offset < end || run.next_offset > next_offset {
                return Err(KeysDecodeError::Impossible(run));
            }
            end = run.next_offset;
            let mut set = KeyRunSet { run, spares: Vec::new() };
            let mut spares_end = run.base_offset;
            for _ in 0..spare_count {
                let spare = read(buf)?;
                if spare.base_offset < spares_end || spare.next_offset > run.next_offset {
                    return Err(KeysDecodeError::Impossible(spare));
                }
                spares_end = spare.next_offset;
                set.spares.push(spare);
            }
            self.sets.push(set);
        }
        Ok(())
    }
}

fn read(buf: &mut impl Buf) -> Result<KeyRun, KeysDecodeError> {
    let run = KeyRun::decode(buf)?;
    if run.is_possible() { Ok(run) } else { Err(KeysDecodeError::Impossible(run)) }
}

#[cfg(test)]
mod tests;
