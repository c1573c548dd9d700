//! What was found where something should be stored. "Never written" and "damaged" are values, never an `Option`.

use crate::io::DiskError;

/// Said of a copy whose checksum is right and that holds something where no writer puts anything.
pub(super) const MEANINGLESS: &str = "bytes that mean nothing are not zero";

/// The state of one stored copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored<T> {
    /// Read, and every checksum is right.
    Present(T),
    /// Never written: all zero, or the file does not exist.
    Absent,
    /// Bytes are there that are not what was written.
    Damaged(String),
    /// Written by another version of Florin.
    OtherVersion(u16),
    /// The disk did not give the bytes.
    Unreadable(DiskError),
}

impl<T> Stored<T> {
    /// The value, if it is present.
    pub fn present(&self) -> Option<&T> {
        match self {
            Self::Present(value) => Some(value),
            Self::Absent | Self::Damaged(_) | Self::OtherVersion(_) | Self::Unreadable(_) => None,
        }
    }

    /// What is wrong, in words; `None` when the value is present.
    pub fn problem(&self) -> Option<String> {
        match self {
            Self::Present(_) => None,
            Self::Absent => Some("never written or missing".to_owned()),
            Self::Damaged(what) => Some(format!("damaged: {what}")),
            Self::OtherVersion(version) => Some(format!(
                "written by format version {version}, this Florin reads {}",
                super::layout::FORMAT_VERSION
            )),
            Self::Unreadable(error) => Some(format!("unreadable: {error}")),
        }
    }
}
