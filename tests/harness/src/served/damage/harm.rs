//! What can be done to a file.

#![allow(clippy::disallowed_methods, reason = "files of a copy are damaged as somebody else would do it")]

use std::fmt;
use std::path::Path;

use super::layout::FileName;

/// The kinds of damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HarmKind {
    /// One bit is another.
    Flip,
    /// Both copies of something lose a bit.
    FlipBoth,
    /// A stretch is zero.
    Zero,
    /// A stretch is noise.
    Noise,
    /// The file ends early.
    Truncate,
    /// The file goes on behind its end.
    Extend,
    /// The file is gone.
    Delete,
    /// Two files of a kind have each other's name.
    Swap,
}

impl HarmKind {
    /// All kinds.
    pub const ALL: [Self; 8] =
        [Self::Flip, Self::FlipBoth, Self::Zero, Self::Noise, Self::Truncate, Self::Extend, Self::Delete, Self::Swap];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flip => "bit flipped",
            Self::FlipBoth => "bit flipped in both copies",
            Self::Zero => "stretch zeroed",
            Self::Noise => "stretch of noise",
            Self::Truncate => "cut off",
            Self::Extend => "made longer",
            Self::Delete => "deleted",
            Self::Swap => "swapped",
        }
    }
}

/// Damage with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Harm {
    /// These bytes stand there instead.
    Write {
        /// In which file.
        file: FileName,
        /// From which byte on.
        at: u64,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// The file has another length.
    Resize {
        /// Which file.
        file: FileName,
        /// Its new length; what is added is noise.
        bytes: u64,
    },
    /// The file is gone.
    Delete(FileName),
    /// Two files have each other's name.
    Swap(FileName, FileName),
}

impl Harm {
    /// Does it to the files of a directory.
    ///
    /// # Errors
    /// If the files are not as they must be.
    pub fn apply(&self, directory: &Path) -> Result<(), String> {
        let text = |what: &str, file: FileName, error: std::io::Error| format!("{what} {}: {error}", file.text());
        match self {
            Self::Write { file, at, bytes } => {
                let path = file.path(directory);
                let mut contents = std::fs::read(&path).map_err(|error| text("read", *file, error))?;
                let from = usize::try_from(*at).map_err(|error| error.to_string())?;
                let place = contents.get_mut(from..from + bytes.len());
                place.ok_or_else(|| format!("{} is shorter than {at} bytes", file.text()))?.copy_from_slice(bytes);
                std::fs::write(&path, contents).map_err(|error| text("write", *file, error))
            }
            Self::Resize { file, bytes } => {
                let path = file.path(directory);
                let mut contents = std::fs::read(&path).map_err(|error| text("read", *file, error))?;
                contents.resize(usize::try_from(*bytes).map_err(|error| error.to_string())?, 0xa5);
                std::fs::write(&path, contents).map_err(|error| text("write", *file, error))
            }
            Self::Delete(file) => {
                std::fs::remove_file(file.path(directory)).map_err(|error| text("remove", *file, error))
            }
            Self::Swap(one, other) => {
                let (first, second) = (one.path(directory), other.path(directory));
                let aside = directory.join("swapped");
                let steps = [(&first, &aside), (&second, &first), (&aside, &second)];
                steps
                    .into_iter()
                    .try_for_each(|(from, to)| std::fs::rename(from, to))
                    .map_err(|error| text("swap", *one, error))
            }
        }
    }

    /// The files that are not as they were.
    pub fn files(&self) -> Vec<FileName> {
        match self {
            Self::Write { file, .. } | Self::Resize { file, .. } | Self::Delete(file) => vec![*file],
            Self::Swap(one, other) => vec![*one, *other],
        }
    }
}

impl fmt::Display for Harm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write { file, at, bytes } => {
                write!(f, "{} bytes from byte {at} of {} are others", bytes.len(), file.text())
            }
            Self::Resize { file, bytes } => write!(f, "{} has {bytes} bytes", file.text()),
            Self::Delete(file) => write!(f, "{} is gone", file.text()),
            Self::Swap(one, other) => write!(f, "{} and {} are swapped", one.text(), other.text()),
        }
    }
}
