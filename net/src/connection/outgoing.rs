//! What waits to be sent on a connection, in order.

use std::collections::VecDeque;

use bytes::BytesMut;
use florin_engine::shard::Fetched;

use crate::protocol::response::{FetchedHead, fetched_frame_bytes, put_fetched_frame};

/// Buffers that got larger than this are not kept for the next response.
const SPARE_BYTES_MAX: usize = 64 * 1024;

/// An answer of a fetch that is no larger than this is copied at once, and leaves with its neighbours.
const COPIED_BYTES_MAX: usize = 4 * 1024;

/// Something to send.
#[derive(Debug)]
pub enum Outgoing {
    /// Whole frames.
    Frames(BytesMut),
    /// A fetch's answer; its batches are still where they are held, and are copied when it is their turn.
    Fetched {
        /// The request's.
        correlation: u64,
        /// The batches.
        fetched: Fetched,
    },
}

/// Bytes of the frame of a fetch's answer.
pub(super) fn frame_bytes(fetched: &Fetched) -> usize {
    let batch_bytes = fetched.batches.iter().map(|batch| batch.bytes.len()).sum();
    fetched_frame_bytes(fetched.aborted.len(), fetched.batches.len(), batch_bytes)
}

/// Appends the frame of a fetch's answer without its batches, which follow.
pub(super) fn fetched_head(out: &mut BytesMut, correlation: u64, fetched: &Fetched) {
    let table = fetched.batches.iter().map(|batch| (batch.base_offset, batch.append_time, batch.bytes.len()));
    let head = FetchedHead {
        start_offset: fetched.start_offset,
        high_watermark: fetched.high_watermark,
        stable_offset: fetched.stable_offset,
        aborted: &fetched.aborted,
    };
    put_fetched_frame(out, correlation, &head, table);
}

/// The queue of a connection.
#[derive(Debug, Default)]
pub struct OutgoingQueue {
    waiting: VecDeque<Outgoing>,
    spare: BytesMut,
}

impl OutgoingQueue {
    /// Appends frames; returns how many bytes `encode` appended.
    pub fn push_frames(&mut self, encode: impl FnOnce(&mut BytesMut)) -> usize {
        if !matches!(self.waiting.back(), Some(Outgoing::Frames(_))) {
            let buffer = std::mem::take(&mut self.spare);
            self.waiting.push_back(Outgoing::Frames(buffer));
        }
        let Some(Outgoing::Frames(tail)) = self.waiting.back_mut() else { unreachable!("it was just pushed") };
        let before = tail.len();
        encode(tail);
        tail.len() - before
    }

    /// Appends a fetch's answer; returns how many bytes its frame has.
    pub fn push_fetched(&mut self, correlation: u64, fetched: Fetched) -> usize {
        let bytes = frame_bytes(&fetched);
        if bytes <= COPIED_BYTES_MAX {
            return self.push_frames(|out| {
                fetched_head(out, correlation, &fetched);
                fetched.batches.iter().for_each(|batch| out.extend_from_slice(&batch.bytes));
            });
        }
        self.waiting.push_back(Outgoing::Fetched { correlation, fetched });
        bytes
    }

    /// What is to be sent next.
    pub fn pop(&mut self) -> Option<Outgoing> {
        self.waiting.pop_front()
    }

    /// Gives back a buffer that was sent.
    pub fn give_back(&mut self, mut buffer: BytesMut) {
        if buffer.capacity() <= SPARE_BYTES_MAX && buffer.capacity() > self.spare.capacity() {
            buffer.clear();
            self.spare = buffer;
        }
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}
