//! Where the cores of the client library send: everything over one connection, whichever shard has the partition.

use bytes::Bytes;
use florin_engine::format::batch::validate;
use florin_engine::model::{PartitionId, TopicId};
use florin_net::client::core::connection::Connection;
use florin_net::client::core::consumer::{FetchAttempt, FetchOutlet};
use florin_net::client::core::producer::{Attempt, Outlet};
use florin_net::protocol::{ListAt, Request, RequestFrom};

use crate::wire::ground::Ground;
use crate::wire::promises::AskedFetch;
use crate::wire::server::SECOND_NS;
use crate::world::clients::serial_of;

/// How long a request of the library may take.
pub(super) const REQUEST_NS: u64 = 15 * SECOND_NS;

/// What the library asked.
pub(super) enum Tag {
    /// A batch, with its serial.
    Produce(Attempt, u64),
    /// An identity, of a shard.
    Identity(u16),
    /// A fetch.
    Fetch(FetchAttempt, AskedFetch),
    /// An offset.
    List(FetchAttempt, PartitionId),
    /// The topic.
    Topic,
}

/// The outlet of both cores.
pub(super) struct OneLink<'a> {
    pub(super) ground: &'a Ground,
    pub(super) connection: &'a mut Connection<Tag>,
}

impl OneLink<'_> {
    fn request(&mut self, request: &Request, tag: Tag) {
        self.ground.count(|summary| summary.operation_count += 1);
        let deadline_ns = self.ground.executor.now_ns() + REQUEST_NS;
        self.connection.request(request, tag, deadline_ns);
    }

    /// Asks for the topic of this name.
    pub(super) fn topic(&mut self, name: &str) {
        let request = Request::Metadata { from: TopicId(0), names: vec![name.to_owned()] };
        self.request(&request, Tag::Topic);
    }
}

impl Outlet for OneLink<'_> {
    fn has_room(&mut self, _shard: u16) -> bool {
        self.connection.has_room()
    }

    fn produce(&mut self, _shard: u16, partition: PartitionId, batch: &Bytes, attempt: Attempt) {
        let serial = serial_of(batch).expect("every record of these clients has its number as key");
        let info = validate(batch, batch.len()).expect("the library builds right batches");
        let is_known = self.ground.model.borrow().sent.contains_key(&serial);
        if !is_known {
            self.ground.know(serial, partition, batch.clone(), u64::from(info.record_count), info.producer);
        } else if let Err(violation) = self.ground.stamped_anew(serial, batch, info.producer) {
            self.ground.note(violation);
        }
        self.ground.sent(serial);
        self.ground.count(|summary| summary.operation_count += 1);
        let deadline_ns = self.ground.executor.now_ns() + REQUEST_NS;
        self.connection.produce(partition, batch, Tag::Produce(attempt, serial), deadline_ns);
    }

    fn init_producer(&mut self, shard: u16) {
        self.request(&Request::InitProducer, Tag::Identity(shard));
    }
}

impl FetchOutlet for OneLink<'_> {
    fn has_room(&mut self, _shard: u16) -> bool {
        self.connection.has_room()
    }

    fn fetch(
        &mut self,
        _shard: u16,
        partition: PartitionId,
        from: RequestFrom,
        bytes_max: u32,
        wait_ms: u32,
        attempt: FetchAttempt,
    ) {
        let offset = if let RequestFrom::Offset(offset) = from { offset.0 } else { 0 };
        let known_end = self.ground.known_end(partition);
        let bytes = usize::try_from(bytes_max).unwrap_or(usize::MAX);
        let asked = AskedFetch { partition, from: offset, bytes_max: bytes, known_end };
        self.request(&Request::Fetch { partition, from, bytes_max, wait_ms }, Tag::Fetch(attempt, asked));
    }

    fn list_offset(&mut self, _shard: u16, partition: PartitionId, at: ListAt, attempt: FetchAttempt) {
        self.request(&Request::ListOffsets { partition, at }, Tag::List(attempt, partition));
    }
}
