//! Names that clients choose: of transactional ids and of consumer groups.

use std::fmt;
use std::sync::Arc;

use crate::limits::GIVEN_NAME_BYTES_MAX;

/// Why a text is not such a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It has no characters.
    #[error("the name is empty: give it 1 to {GIVEN_NAME_BYTES_MAX} bytes")]
    Empty,
    /// It is longer than [`GIVEN_NAME_BYTES_MAX`].
    #[error("the name has {bytes} bytes: give it {GIVEN_NAME_BYTES_MAX} at most")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// A character that nobody can see.
    #[error("the name has a control character at byte {position}: use visible characters")]
    Control {
        /// Where, from 0.
        position: usize,
    },
}

fn check(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > GIVEN_NAME_BYTES_MAX {
        return Err(NameError::TooLong { bytes: name.len() });
    }
    match name.char_indices().find(|(_, character)| character.is_control()) {
        Some((position, _)) => Err(NameError::Control { position }),
        None => Ok(()),
    }
}

/// Declares a name of 1 to [`GIVEN_NAME_BYTES_MAX`] bytes of UTF-8 without control characters; cheap to clone.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name with this text.
            ///
            /// # Errors
            /// If no name has it.
            pub fn new(name: &str) -> Result<Self, NameError> {
                check(name).map(|()| Self(name.into()))
            }

            /// Its text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), self.0)
            }
        }
    };
}

name!(
    /// Whose transactions: one instance of a producer at a time has it, and the next one takes over from it.
    TransactionalId
);
name!(
    /// Consumers that read together, and whose offsets are kept under this name.
    GroupId
);

#[cfg(test)]
mod tests;
