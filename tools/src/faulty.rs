//! A disk that does not give some units, however they are asked for.

use std::path::Path;

use florin_engine::io::blocking::{BlockingDisk, BlockingFile};
use florin_engine::io::{Access, Disk, DiskError, DiskErrorKind, DiskFile, DiskOperation, UNIT_BYTES, Written};
use florin_engine::model::Position;

/// Reads as the real disk does, but for the lost units.
#[derive(Clone)]
pub struct FaultyDisk {
    lost: Vec<(String, u64)>,
}

/// An open file of it.
#[derive(Clone)]
pub struct FaultyFile {
    file: BlockingFile,
    lost: Vec<u64>,
}

impl FaultyDisk {
    /// Loses these units: the end of a path, and a position.
    pub fn losing(lost: &[(&str, u64)]) -> Self {
        Self { lost: lost.iter().map(|(file, position)| ((*file).to_owned(), *position)).collect() }
    }
}

impl Disk for FaultyDisk {
    type File = FaultyFile;

    async fn create(&self, _path: &Path, _size_bytes: u64) -> Result<FaultyFile, DiskError> {
        panic!("verify creates nothing")
    }

    async fn open(&self, path: &Path, access: Access) -> Result<FaultyFile, DiskError> {
        assert_eq!(access, Access::Read, "verify only reads");
        let lost = self.lost.iter().filter(|(file, _)| path.ends_with(file)).map(|(_, position)| *position);
        Ok(FaultyFile { file: BlockingDisk.open(path, access).await?, lost: lost.collect() })
    }

    async fn create_directory(&self, _path: &Path) -> Result<(), DiskError> {
        panic!("verify creates nothing")
    }

    async fn list(&self, path: &Path) -> Result<Vec<String>, DiskError> {
        BlockingDisk.list(path).await
    }

    async fn rename(&self, _from: &Path, _to: &Path) -> Result<(), DiskError> {
        panic!("verify renames nothing")
    }

    async fn remove(&self, _path: &Path) -> Result<(), DiskError> {
        panic!("verify removes nothing")
    }

    async fn sync_directory(&self, _path: &Path) -> Result<(), DiskError> {
        panic!("verify syncs nothing")
    }
}

impl DiskFile for FaultyFile {
    type Buffer = <BlockingFile as DiskFile>::Buffer;

    fn allocate(&self, bytes: usize) -> Self::Buffer {
        self.file.allocate(bytes)
    }

    fn size_bytes(&self) -> u64 {
        self.file.size_bytes()
    }

    async fn read(&self, position: Position, bytes: usize) -> Result<Self::Buffer, DiskError> {
        let end = position.0 + bytes as u64;
        let hit = |lost: &&u64| **lost < end && **lost + UNIT_BYTES as u64 > position.0;
        match self.lost.iter().find(hit) {
            None => self.file.read(position, bytes).await,
            Some(_) => Err(DiskError {
                operation: DiskOperation::Read,
                path: "lost".into(),
                position: Some(position),
                kind: DiskErrorKind::Failed,
                detail: "Input/output error".to_owned(),
            }),
        }
    }

    async fn write_durable(&self, _buffer: Self::Buffer, _position: Position) -> Written<Self::Buffer> {
        panic!("verify writes nothing")
    }

    async fn write_unsynced(&self, _buffer: Self::Buffer, _position: Position) -> Written<Self::Buffer> {
        panic!("verify writes nothing")
    }

    async fn sync(&self) -> Result<(), DiskError> {
        panic!("verify syncs nothing")
    }

    async fn close(self) {}
}
