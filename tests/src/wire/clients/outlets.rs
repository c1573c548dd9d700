//! Where the cores of the client library send: everything over one connection, whichever shard has the partition.

use std::io;
use std::pin::pin;

use bytes::{Buf, Bytes};
use florin_engine::format::batch::validate;
use florin_engine::model::{PartitionId, TopicId};
use florin_engine::partition::Isolation;
use florin_net::client::core::connection::Connection;
use florin_net::client::core::consumer::{FetchAttempt, FetchOutlet};
use florin_net::client::core::producer::{Attempt, Outlet};
use florin_net::io::Stream;
use florin_net::protocol::{ListAt, Request, RequestFrom};
use futures_util::future::{Either, select};

use crate::sim::SimStream;
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
        (from, isolation): (RequestFrom, Isolation),
        bytes_max: u32,
        wait_ms: u32,
        attempt: FetchAttempt,
    ) {
        let offset = if let RequestFrom::Offset(offset) = from { offset.0 } else { 0 };
        let known_end = self.ground.known_end(partition);
        let bytes = usize::try_from(bytes_max).unwrap_or(usize::MAX);
        let asked = AskedFetch { partition, from: offset, bytes_max: bytes, known_end };
        self.request(&Request::Fetch { partition, from, bytes_max, wait_ms, isolation }, Tag::Fetch(attempt, asked));
    }

    fn list_offset(&mut self, _shard: u16, partition: PartitionId, at: ListAt, attempt: FetchAttempt) {
        self.request(&Request::ListOffsets { partition, at }, Tag::List(attempt, partition));
    }
}

/// Sends or receives something, or lets so much time pass.
pub(super) async fn exchange<T>(
    ground: &Ground,
    stream: &SimStream,
    connection: &mut Connection<T>,
    wake_in_ns: u64,
) -> io::Result<()> {
    let sleep = pin!(ground.executor.sleep(wake_in_ns));
    if connection.outgoing_mut().is_empty() {
        let read = pin!(stream.read(connection.incoming_mut(), None));
        return match select(read, sleep).await {
            Either::Left((Ok(0), _)) => Err(io::ErrorKind::UnexpectedEof.into()),
            Either::Left((read, _)) => read.map(drop),
            Either::Right(_) => Ok(()),
        };
    }
    let mut left = connection.outgoing_mut().split();
    let moved = {
        let read = pin!(stream.read(connection.incoming_mut(), None));
        let write = pin!(stream.write(&left));
        match select(select(write, read), sleep).await {
            Either::Left((Either::Left((written, _)), _)) => written,
            Either::Left((Either::Right((Ok(0), _)), _)) => Err(io::ErrorKind::UnexpectedEof.into()),
            Either::Left((Either::Right((read, _)), _)) => read.map(|_read| 0),
            Either::Right(_) => Ok(0),
        }
    };
    left.advance(moved?);
    connection.outgoing_mut().unsplit(left);
    Ok(())
}
