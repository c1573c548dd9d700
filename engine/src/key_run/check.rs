//! The job that reads a key run from end to end.

use std::path::Path;

use super::KeyRun;
use super::look_up::{read_section, read_table};
use super::merge::PAGES_READ;
use crate::format::keys::{self, TableEntry};
use crate::format::layout::segment_path;
use crate::format::stored::Stored;
use crate::io::{Access, Disk, DiskError, DiskFile, UNIT_BYTES};
use crate::model::PartitionId;
use crate::segment::index::FileName;

/// What reading a key run from end to end found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyRunState {
    /// Everything is there.
    Whole,
    /// Some of it is not.
    Damaged {
        /// What is wrong with the first part that is not.
        why: String,
        /// Keys that can be read all the same.
        readable_count: u64,
    },
    /// The disk does not give some of it, so nobody knows.
    Unreadable(String),
}

/// Reads a run of this partition, every checksum on the way, and holds its parts against each other. `name` names its file.
pub async fn check_run<D: Disk>(
    disk: &D,
    directory: &Path,
    name: FileName,
    partition: PartitionId,
    run: &KeyRun,
) -> KeyRunState {
    let file = match disk.open(&segment_path(directory, run.segment), Access::Read).await {
        Ok(file) => file,
        Err(error) => return of_error(&error, 0),
    };
    let mut found = Found { readable_count: 0, why: None };
    let read = found.read(&file, name, partition, run).await;
    file.close().await;
    match (read, found.why) {
        (Err(error), _) => KeyRunState::Unreadable(error.to_string()),
        (Ok(()), Some(why)) => KeyRunState::Damaged { why, readable_count: found.readable_count },
        (Ok(()), None) => KeyRunState::Whole,
    }
}

fn of_error(error: &DiskError, readable_count: u64) -> KeyRunState {
    match error.is_absence() {
        true => KeyRunState::Damaged { why: error.to_string(), readable_count },
        false => KeyRunState::Unreadable(error.to_string()),
    }
}

struct Found {
    readable_count: u64,
    why: Option<String>,
}

impl Found {
    fn damaged(&mut self, why: String) {
        self.why.get_or_insert(why);
    }

    /// What is there; damage is noted. `Err`: the disk does not give it.
    fn take<T>(&mut self, stored: Stored<T>) -> Result<Option<T>, DiskError> {
        match stored {
            Stored::Present(value) => return Ok(Some(value)),
            Stored::Unreadable(error) if !error.is_absence() => return Err(error),
            other => self.damaged(other.problem().unwrap_or_default()),
        }
        Ok(None)
    }

    async fn read<F: DiskFile>(
        &mut self,
        file: &F,
        name: FileName,
        partition: PartitionId,
        run: &KeyRun,
    ) -> Result<(), DiskError> {
        let Some(sections) = self.take(read_table(file, name, run).await)? else { return Ok(()) };
        for section in &sections {
            self.read_section(file, name, partition, run, section).await?;
        }
        if self.why.is_none() && self.readable_count != run.entry_count {
            self.damaged(format!("{} keys where {} must be", self.readable_count, run.entry_count));
        }
        Ok(())
    }

    async fn read_section<F: DiskFile>(
        &mut self,
        file: &F,
        name: FileName,
        partition: PartitionId,
        run: &KeyRun,
        section: &TableEntry,
    ) -> Result<(), DiskError> {
        let map = self.take(read_section(file, name, section).await)?;
        if map.as_ref().is_some_and(|map| map.head.partition != partition) {
            self.damaged(format!("the section at byte {} is of another partition", section.position));
        }
        let first = section.position.plus(section.head_bytes.into());
        let page_count = section.page_count as usize;
        for page in (0..page_count).step_by(PAGES_READ) {
            let at = first.plus((page * UNIT_BYTES) as u64);
            let bytes = match file.read(at, (page_count - page).min(PAGES_READ) * UNIT_BYTES).await {
                Ok(bytes) => bytes,
                Err(error) if error.is_absence() => {
                    self.damaged(error.to_string());
                    continue;
                }
                Err(error) => return Err(error),
            };
            for (index, page) in bytes.chunks_exact(UNIT_BYTES).enumerate() {
                let place = name.at(at.plus((index * UNIT_BYTES) as u64));
                let Some(entries) = self.take(keys::decode_page(page, &place))? else { continue };
                self.readable_count += entries.len() as u64;
                let fits = entries.iter().all(|entry| {
                    (run.base_offset..run.next_offset).contains(&entry.offset)
                        && (run.first_append_time..=run.last_append_time).contains(&entry.append_time)
                        && map.as_ref().is_none_or(|map| map.may_hold(entry.key))
                });
                if !fits {
                    self.damaged(format!("the page at byte {} has keys of another run", place.position));
                }
            }
        }
        Ok(())
    }
}
