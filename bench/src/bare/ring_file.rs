//! The file of a bare server: allocated and written once, as a journal is, so that an overwrite changes nothing but data.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use std::io::Write;

/// Its size.
pub const RING_BYTES: u64 = 128 << 20;
const FILE_NAME: &str = "bare-ring";
const PIECE_BYTES: usize = 1 << 20;

/// Makes the file.
pub fn prepare(directory: &Path) -> Result<PathBuf> {
    let path = directory.join(FILE_NAME);
    let make = || -> std::io::Result<()> {
        let mut file = File::create_new(&path)?;
        for _ in 0..RING_BYTES / PIECE_BYTES as u64 {
            file.write_all(&[0x5f; PIECE_BYTES])?;
        }
        file.sync_all()
    };
    make().with_context(|| format!("the bare server's file {} cannot be made", path.display()))?;
    Ok(path)
}

/// Opens it for writes past the page cache.
pub fn open_direct(path: &Path) -> Result<File> {
    let opened = OpenOptions::new().write(true).custom_flags(libc::O_DIRECT).open(path);
    opened.with_context(|| format!("{} cannot be opened with O_DIRECT", path.display()))
}
