//! What a data directory says of itself, as far as it can be read: the base of everything that is shown or checked.

use std::path::{Path, PathBuf};

use florin_engine::format::identity::{IDENTITY_BYTES, Identity};
use florin_engine::format::layout::{self, Copy};
use florin_engine::format::stored::Stored;
use florin_engine::format::superblock::{SUPERBLOCK_BYTES, Superblock};
use florin_engine::io::{Access, Disk, DiskError, DiskErrorKind, DiskFile};
use florin_engine::journal::write::read_whole;
use florin_engine::limits::SHARD_COUNT_MAX;
use florin_engine::model::{Id128, Position, ShardId};

/// Where a superblock copy names its directory. Needed only while the identity is lost; what is found there is
/// believed only if the copy's checksum, which is seeded with it, is right.
const SUPERBLOCK_DIRECTORY_ID_AT: usize = 16;

/// Names of the identity's copies, in their order in the file.
pub const IDENTITY_COPIES: [&str; 2] = ["first", "second"];

/// A directory, as far as it could be read.
#[derive(Debug)]
pub struct Directory {
    /// Its path.
    pub path: PathBuf,
    /// The names in it, sorted.
    pub names: Vec<String>,
    /// Size of the identity's file, if it can be opened.
    pub identity_bytes: Result<u64, DiskError>,
    /// Both copies of the identity.
    pub copies: [Stored<Identity>; 2],
    /// The directory's name: by its identity or, if that is lost, by the superblocks.
    pub directory_id: Option<Id128>,
    /// How many shards it has: by its identity or, if that is lost, by its names.
    pub shard_count: u16,
}

impl Directory {
    /// Reads what is there. An error means that the directory itself cannot be listed.
    pub async fn read<D: Disk>(disk: &D, path: &Path) -> Result<Self, DiskError> {
        let names = disk.list(path).await?;
        let (identity_bytes, copies) = read_identity(disk, path).await;
        let mut directory =
            Self { path: path.to_owned(), names, identity_bytes, copies, directory_id: None, shard_count: 0 };
        match directory.identity().copied() {
            Some(identity) => {
                directory.directory_id = Some(identity.directory_id);
                directory.shard_count = identity.shard_count;
            }
            None => {
                let first_missing = (0..SHARD_COUNT_MAX).find(|number| !directory.has_shard(*number));
                directory.shard_count = first_missing.unwrap_or(SHARD_COUNT_MAX);
                directory.directory_id = directory.id_by_superblocks(disk).await;
            }
        }
        Ok(directory)
    }

    /// The identity, if it is beyond doubt: at least one copy is whole, and no whole copy says otherwise.
    pub fn identity(&self) -> Option<&Identity> {
        let possible = |identity: &&Identity| (1..=SHARD_COUNT_MAX).contains(&identity.shard_count);
        match (self.copies[0].present(), self.copies[1].present()) {
            (Some(first), Some(second)) if first != second => None,
            (first, second) => first.or(second).filter(possible),
        }
    }

    /// The shards it has, or only the asked one.
    pub fn shards(&self, only: Option<u16>) -> Vec<ShardId> {
        match only {
            Some(shard) => vec![ShardId(shard)],
            None => (0..self.shard_count).map(ShardId).collect(),
        }
    }

    /// Which shards there are, in words.
    pub fn shard_range(&self) -> String {
        match self.shard_count {
            0 => "none was found".to_owned(),
            1 => "the only one is 0".to_owned(),
            count => format!("they are 0 to {}", count - 1),
        }
    }

    /// The directory of a shard.
    pub fn shard_path(&self, shard: ShardId) -> PathBuf {
        layout::shard_path(&self.path, shard)
    }

    /// A path in this directory as people name it: without the directory.
    pub fn relative(&self, path: &Path) -> String {
        path.strip_prefix(&self.path).unwrap_or(path).display().to_string()
    }

    fn has_shard(&self, number: u16) -> bool {
        let path = self.shard_path(ShardId(number));
        self.names.iter().any(|name| path.file_name().is_some_and(|wanted| wanted == name.as_str()))
    }

    async fn id_by_superblocks<D: Disk>(&self, disk: &D) -> Option<Id128> {
        for shard in self.shards(None) {
            for copy in [Copy::A, Copy::B] {
                let path = layout::superblock_path(&self.shard_path(shard), copy);
                let Ok(bytes) = read_whole(disk, &path, SUPERBLOCK_BYTES).await else { continue };
                let claimed = bytes.get(SUPERBLOCK_DIRECTORY_ID_AT..).and_then(|rest| rest.first_chunk::<16>());
                let Some(claimed) = claimed.map(|bytes| Id128(*bytes)) else { continue };
                if Superblock::decode(&bytes, claimed, shard).present().is_some() {
                    return Some(claimed);
                }
            }
        }
        None
    }
}

/// Reads each copy by itself, so that a file cut in half still gives the first.
async fn read_identity<D: Disk>(disk: &D, path: &Path) -> (Result<u64, DiskError>, [Stored<Identity>; 2]) {
    let path = layout::identity_path(path);
    let file = match disk.open(&path, Access::Read).await {
        Ok(file) => file,
        Err(error) if error.kind == DiskErrorKind::NotFound => return (Err(error), [Stored::Absent, Stored::Absent]),
        Err(error) => {
            let unreadable = || Stored::Unreadable(error.clone());
            return (Err(error.clone()), [unreadable(), unreadable()]);
        }
    };
    let mut copies = [Stored::Absent, Stored::Absent];
    for (copy, at) in copies.iter_mut().zip([0, IDENTITY_BYTES]) {
        *copy = match file.read(Position(at as u64), IDENTITY_BYTES).await {
            Ok(bytes) => Identity::decode(&bytes),
            Err(error) => Stored::Unreadable(error),
        };
    }
    let size_bytes = file.size_bytes();
    file.close().await;
    (Ok(size_bytes), copies)
}

/// Size of a file, or why it cannot be opened.
pub async fn file_bytes<D: Disk>(disk: &D, path: &Path) -> Result<u64, DiskError> {
    let file = disk.open(path, Access::Read).await?;
    let size_bytes = file.size_bytes();
    file.close().await;
    Ok(size_bytes)
}

/// A stored copy's state as one word, the same in text and JSON.
pub fn state_word<T>(stored: &Stored<T>) -> &'static str {
    match stored {
        Stored::Present(_) => "present",
        Stored::Absent => "absent",
        Stored::Damaged(_) => "damaged",
        Stored::OtherVersion(_) => "other_version",
        Stored::Unreadable(_) => "unreadable",
    }
}
