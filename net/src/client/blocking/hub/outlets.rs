//! Where the cores put their requests: the links.

use std::collections::BTreeMap;

use bytes::Bytes;
use florin_engine::limits::SHARD_COUNT_MAX;
use florin_engine::model::PartitionId;
use florin_engine::partition::Isolation;

use super::Tag;
use super::link::{Link, LinkKey};
use crate::client::core::connection::Connection;
use crate::client::core::consumer::{FetchAttempt, FetchOutlet};
use crate::client::core::producer::{Attempt, Outlet};
use crate::limits::CONNECTION_REQUESTS_MAX;
use crate::protocol::{ListAt, Request, RequestFrom};

/// The links as one producer or consumer sees them.
pub(super) struct Outlets<'a> {
    pub(super) links: &'a mut BTreeMap<LinkKey, Link>,
    /// The producer's or consumer's number.
    pub(super) owner: u64,
    pub(super) deadline_ns: u64,
}

impl Outlets<'_> {
    fn connection(&mut self, shard: u16) -> Option<&mut Connection<Tag>> {
        if shard >= SHARD_COUNT_MAX {
            return None;
        }
        self.links.entry(LinkKey::Shard(shard)).or_default().outlet()
    }

    fn promised(&mut self, shard: u16) -> &mut Connection<Tag> {
        self.connection(shard).expect("requests follow a look at the room")
    }
}

impl Outlet for Outlets<'_> {
    fn has_room(&mut self, shard: u16) -> bool {
        self.connection(shard).is_some()
    }

    fn produce(&mut self, shard: u16, partition: PartitionId, batch: &Bytes, attempt: Attempt) {
        let (producer, deadline_ns) = (self.owner, self.deadline_ns);
        self.promised(shard).produce(partition, batch, Tag::Produce { producer, attempt }, deadline_ns);
    }

    fn init_producer(&mut self, shard: u16) {
        let (producer, deadline_ns) = (self.owner, self.deadline_ns);
        self.promised(shard).request(&Request::InitProducer, Tag::InitProducer { producer, shard }, deadline_ns);
    }
}

impl FetchOutlet for Outlets<'_> {
    /// Fetches wait at the server, so they take at most half of the places.
    fn has_room(&mut self, shard: u16) -> bool {
        self.connection(shard).is_some_and(|connection| {
            let requests_max = connection.negotiated().map_or(0, |server| server.requests_max);
            let places = usize::try_from(requests_max).unwrap_or(usize::MAX).min(CONNECTION_REQUESTS_MAX);
            connection.outstanding_count() < places.div_ceil(2)
        })
    }

    fn fetch(
        &mut self,
        shard: u16,
        partition: PartitionId,
        (from, isolation): (RequestFrom, Isolation),
        bytes_max: u32,
        wait_ms: u32,
        attempt: FetchAttempt,
    ) {
        let (consumer, deadline_ns) = (self.owner, self.deadline_ns.saturating_add(u64::from(wait_ms) * 1_000_000));
        let request = Request::Fetch { partition, from, bytes_max, wait_ms, isolation };
        self.promised(shard).request(&request, Tag::Fetch { consumer, attempt }, deadline_ns);
    }

    fn list_offset(&mut self, shard: u16, partition: PartitionId, at: ListAt, attempt: FetchAttempt) {
        let (consumer, deadline_ns) = (self.owner, self.deadline_ns);
        let request = Request::ListOffsets { partition, at };
        self.promised(shard).request(&request, Tag::Fetch { consumer, attempt }, deadline_ns);
    }
}
