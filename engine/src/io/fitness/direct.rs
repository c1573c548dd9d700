//! Whether a file system does direct I/O, asked and tried.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{AtFlags, StatxFlags};

use super::super::UNIT_BYTES;
use super::{Unfit, scratch};

/// What direct reads and writes have to be aligned to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirectAlignment {
    /// As the kernel says (statx `STATX_DIOALIGN`).
    Known {
        /// Of the memory.
        memory_bytes: u32,
        /// Of the position in the file and of the length.
        position_bytes: u32,
    },
    /// The kernel (before 6.1) or the file system does not say; one unit of ours was tried and works.
    Tried,
}

/// Opens a scratch file past the page cache, asks for its alignment, and writes one unit to it. That a full disk has no
/// room for the unit says nothing against it: a server must start there as well.
pub(super) fn examine(directory: &Path) -> Result<DirectAlignment, Unfit> {
    let file = match scratch::open(directory, true) {
        Ok(file) => file,
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            return Err(Unfit::NoDirectIo { detail: format!("open: {error}") });
        }
        Err(error) => return Err(Unfit::failed("creating a scratch file", &error)),
    };
    let alignment = stated_alignment(&file).map_or(Ok(DirectAlignment::Tried), judge_alignment)?;
    match write_one_unit(&file) {
        Ok(()) => Ok(alignment),
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSPC | libc::EDQUOT)) => Ok(alignment),
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            Err(Unfit::NoDirectIo { detail: format!("write: {error}") })
        }
        Err(error) => Err(Unfit::failed("writing a scratch file", &error)),
    }
}

/// Memory and position alignment as statx states them; both 0 if the file cannot be used directly.
fn stated_alignment(file: &File) -> Option<(u32, u32)> {
    let answer = rustix::fs::statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::DIOALIGN).ok()?;
    let stated = answer.stx_mask & StatxFlags::DIOALIGN.bits() != 0;
    stated.then_some((answer.stx_dio_mem_align, answer.stx_dio_offset_align))
}

/// Whether our unit meets an alignment that the kernel states.
pub(super) fn judge_alignment((memory_bytes, position_bytes): (u32, u32)) -> Result<DirectAlignment, Unfit> {
    let larger = memory_bytes.max(position_bytes);
    if position_bytes == 0 || memory_bytes == 0 {
        Err(Unfit::NoDirectIo { detail: "statx says that this file cannot be used directly".to_owned() })
    } else if larger as usize > UNIT_BYTES {
        Err(Unfit::Alignment { bytes: larger })
    } else {
        Ok(DirectAlignment::Known { memory_bytes, position_bytes })
    }
}

fn write_one_unit(file: &File) -> io::Result<()> {
    let memory = vec![0_u8; 2 * UNIT_BYTES];
    let start = memory.as_ptr().align_offset(UNIT_BYTES);
    assert!(start <= UNIT_BYTES, "an aligned unit fits into two");
    file.write_all_at(&memory[start..start + UNIT_BYTES], 0)
}
