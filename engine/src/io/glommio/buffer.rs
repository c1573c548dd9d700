//! Memory of the executor's disk: aligned, and where there is room registered with its rings.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use ::glommio::io::{DmaBuffer, ReadResult};

use super::super::Buffer;

/// Memory for reads and writes on a [`GlommioFile`](super::GlommioFile).
pub struct GlommioBuffer {
    memory: Memory,
}

enum Memory {
    /// Ours. Shared only with a write that is under way, which holds the buffer itself until it is finished.
    Owned(Rc<DmaBuffer>),
    /// As a read left it: copied when somebody changes it, which readers do not.
    Read(ReadResult),
}

impl GlommioBuffer {
    /// `bytes` zero bytes. glommio's memory holds what was in it before, and what is not overwritten reaches the
    /// disk.
    pub(super) fn zeroed(bytes: usize) -> Self {
        let mut memory = ::glommio::allocate_dma_buffer(bytes);
        memory.as_bytes_mut().fill(0);
        Self::shared(Rc::new(memory))
    }

    /// What a read returned.
    pub(super) fn from_read(result: ReadResult) -> Self {
        Self { memory: Memory::Read(result) }
    }

    /// Memory that comes back from a write.
    pub(super) fn shared(memory: Rc<DmaBuffer>) -> Self {
        Self { memory: Memory::Owned(memory) }
    }

    /// The memory, for a write to hold on to.
    pub(super) fn into_shared(self) -> Rc<DmaBuffer> {
        match self.memory {
            Memory::Owned(memory) => memory,
            Memory::Read(result) => Rc::new(copied(&result)),
        }
    }
}

fn copied(bytes: &[u8]) -> DmaBuffer {
    let mut memory = ::glommio::allocate_dma_buffer(bytes.len());
    memory.as_bytes_mut().copy_from_slice(bytes);
    memory
}

impl Deref for GlommioBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.memory {
            Memory::Owned(memory) => memory.as_bytes(),
            Memory::Read(result) => result,
        }
    }
}

impl DerefMut for GlommioBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        if let Memory::Read(result) = &self.memory {
            self.memory = Memory::Owned(Rc::new(copied(result)));
        }
        match &mut self.memory {
            Memory::Owned(memory) => {
                Rc::get_mut(memory).expect("a finished write holds no memory, an unfinished one holds the buffer")
            }
            Memory::Read(_) => unreachable!("copied above"),
        }
        .as_bytes_mut()
    }
}

impl fmt::Debug for GlommioBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GlommioBuffer({} bytes)", self.len())
    }
}

impl Buffer for GlommioBuffer {}
