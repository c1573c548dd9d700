//! One stream: requests out, answers in, each matched to its request.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use florin_engine::model::PartitionId;
use thiserror::Error;

use crate::limits::{CONNECTION_REQUESTS_MAX, RESPONSE_BYTES_MAX};
use crate::protocol::api::APIS;
use crate::protocol::request::put_produce_head;
use crate::protocol::{
    Api, ErrorResponse, Frame, FrameError, FrameReader, Negotiated, Request, Response, ResponseError,
};

/// Bytes that wait for the socket, above which nothing is added.
pub const OUTGOING_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The correlation of an answer that belongs to no request: the server closes the connection after it.
const CORRELATION_NONE: u64 = 0;
/// Of what another program sent, so many bytes are shown.
const FOREIGN_BYTES_SHOWN_MAX: usize = 24;

/// Why a connection cannot be used any longer. Whatever was asked on it and not answered may have been done.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConnectionFault {
    /// The bytes are no frames.
    #[error("{0}")]
    Frame(#[from] FrameError),
    /// Instead of the answer to the negotiation came something that is no frame: another program listens there.
    #[error("it begins with \"{begins}\", which Florin never sends")]
    Foreign {
        /// Its first bytes, with escapes for what cannot be shown.
        begins: String,
    },
    /// A frame is no answer.
    #[error("{0}")]
    Response(#[from] ResponseError),
    /// An answer to nothing that was asked.
    #[error("an answer to request {correlation} came, which was not asked or is answered already")]
    Unasked {
        /// The number in the answer.
        correlation: u64,
    },
    /// The server says why it closes the connection.
    #[error("the server closes the connection: {0}")]
    Closing(ErrorResponse),
    /// The server does not speak what this client speaks.
    #[error("the server does not speak version {version} of {}", api.name())]
    Version {
        /// The api.
        api: Api,
        /// What this client speaks.
        version: u8,
    },
    /// The server's limits allow nothing.
    #[error("the server allows {requests_max} requests, batches of {batch_bytes_max} bytes, a window of {window}")]
    Limits {
        /// Requests not answered.
        requests_max: u32,
        /// Bytes of a batch.
        batch_bytes_max: u32,
        /// Batches of the retry window.
        window: u32,
    },
    /// A request was not answered in time.
    #[error("a request ({}) was not answered in time", api.name())]
    Unanswered {
        /// The api.
        api: Api,
    },
}

impl ConnectionFault {
    /// Whether the other side is no Florin server that this client understands: trying again does not help.
    pub fn is_protocol(&self) -> bool {
        !matches!(self, Self::Closing(_) | Self::Unanswered { .. })
    }
}

#[derive(Clone, Debug)]
struct Outstanding<T> {
    api: Api,
    deadline_ns: u64,
    /// What the caller knows the request by; none for the negotiation.
    tag: Option<T>,
}

/// The state of one connection. `T` is what the caller knows a request by.
#[derive(Debug)]
pub struct Connection<T> {
    reader: FrameReader,
    outgoing: BytesMut,
    outstanding: BTreeMap<u64, Outstanding<T>>,
    next_correlation: u64,
    negotiated: Option<Negotiated>,
    /// No request has an earlier deadline.
    deadline_ns_min: u64,
}

impl<T> Connection<T> {
    /// A new connection, which asks for its negotiation first.
    pub fn new(client_name: &str, deadline_ns: u64) -> Self {
        let mut connection = Self {
            reader: FrameReader::new(RESPONSE_BYTES_MAX),
            outgoing: BytesMut::new(),
            outstanding: BTreeMap::new(),
            next_correlation: CORRELATION_NONE + 1,
            negotiated: None,
            deadline_ns_min: u64::MAX,
        };
        let correlation = connection.register(Api::Negotiate, deadline_ns, None);
        Request::Negotiate { client: client_name.to_owned() }.encode(correlation, &mut connection.outgoing);
        connection
    }

    /// What the server said of itself; none before the negotiation is over.
    pub fn negotiated(&self) -> Option<&Negotiated> {
        self.negotiated.as_ref()
    }

    /// Whether another request may be added: the negotiation is over, and the server reads on.
    pub fn has_room(&self) -> bool {
        self.negotiated.as_ref().is_some_and(|server| {
            let requests_max = usize::try_from(server.requests_max).unwrap_or(usize::MAX).min(CONNECTION_REQUESTS_MAX);
            self.outstanding.len() < requests_max && self.outgoing.len() < OUTGOING_BYTES_MAX
        })
    }

    /// Requests not answered.
    pub fn outstanding_count(&self) -> usize {
        self.outstanding.len()
    }

    /// Appends a request.
    ///
    /// # Panics
    /// If there is no room: the caller's broken invariant.
    pub fn request(&mut self, request: &Request, tag: T, deadline_ns: u64) {
        assert!(self.has_room(), "requests are added while there is room");
        let correlation = self.register(request.api(), deadline_ns, Some(tag));
        request.encode(correlation, &mut self.outgoing);
    }

    /// Appends a produce request for a batch that is held elsewhere.
    ///
    /// # Panics
    /// If there is no room: the caller's broken invariant.
    pub fn produce(&mut self, partition: PartitionId, batch: &Bytes, tag: T, deadline_ns: u64) {
        assert!(self.has_room(), "requests are added while there is room");
        let correlation = self.register(Api::Produce, deadline_ns, Some(tag));
        put_produce_head(&mut self.outgoing, correlation, partition, batch.len());
        self.outgoing.extend_from_slice(batch);
    }

    /// What waits for the socket; take from its front what was written.
    pub fn outgoing_mut(&mut self) -> &mut BytesMut {
        &mut self.outgoing
    }

    /// Where to append what was received.
    pub fn incoming_mut(&mut self) -> &mut BytesMut {
        self.reader.buffer_mut()
    }

    /// Takes the answers from what was received.
    ///
    /// # Errors
    /// If the connection cannot be used any longer. The answers before that are in `answers`.
    pub fn take_answers(&mut self, answers: &mut Vec<(T, Response)>) -> Result<(), ConnectionFault> {
        while let Some(frame) = self.next_frame()? {
            let correlation = frame.correlation;
            if correlation == CORRELATION_NONE {
                return match Response::decode(Api::Negotiate, frame)? {
                    Response::Error(error) => Err(ConnectionFault::Closing(error)),
                    _ => Err(ConnectionFault::Unasked { correlation }),
                };
            }
            let Some(outstanding) = self.outstanding.remove(&correlation) else {
                return Err(ConnectionFault::Unasked { correlation });
            };
            // What cannot be read may have been done: it goes with the others that are lost.
            match (Response::decode(outstanding.api, frame), outstanding.tag) {
                (Err(error), tag) => {
                    self.outstanding.insert(correlation, Outstanding { tag, ..outstanding });
                    return Err(error.into());
                }
                (Ok(response), Some(tag)) => answers.push((tag, response)),
                (Ok(Response::Negotiated(negotiated)), None) => self.accept(negotiated)?,
                (Ok(Response::Error(error)), None) => return Err(ConnectionFault::Closing(error)),
                (Ok(_), None) => return Err(ConnectionFault::Unasked { correlation }),
            }
        }
        Ok(())
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, ConnectionFault> {
        self.reader.next_frame().map_err(|error| match error {
            FrameError::TooLarge { .. } | FrameError::Malformed { .. } if self.negotiated.is_none() => {
                let first = &self.reader.buffer_mut()[..];
                let first = &first[..first.len().min(FOREIGN_BYTES_SHOWN_MAX)];
                ConnectionFault::Foreign { begins: first.escape_ascii().to_string() }
            }
            error => error.into(),
        })
    }

    /// The connection is over: all that was asked and not answered, in the order in which it was asked.
    pub fn into_lost(self) -> impl Iterator<Item = T> {
        self.outstanding.into_values().filter_map(|outstanding| outstanding.tag)
    }

    /// Whether every request still has time.
    ///
    /// # Errors
    /// If one was not answered in time: the connection is of no use any longer, for what comes late could not be
    /// told from what is still expected.
    pub fn check_deadlines(&mut self, now_ns: u64) -> Result<(), ConnectionFault> {
        if now_ns < self.deadline_ns_min {
            return Ok(());
        }
        let earliest = self.outstanding.values().min_by_key(|outstanding| outstanding.deadline_ns);
        self.deadline_ns_min = earliest.map_or(u64::MAX, |outstanding| outstanding.deadline_ns);
        match earliest {
            Some(late) if late.deadline_ns <= now_ns => Err(ConnectionFault::Unanswered { api: late.api }),
            _ => Ok(()),
        }
    }

    /// When to check the deadlines next; `u64::MAX` if there are none.
    pub fn check_at_ns(&self) -> u64 {
        self.deadline_ns_min
    }

    fn register(&mut self, api: Api, deadline_ns: u64, tag: Option<T>) -> u64 {
        let correlation = self.next_correlation;
        self.next_correlation += 1;
        self.deadline_ns_min = self.deadline_ns_min.min(deadline_ns);
        let before = self.outstanding.insert(correlation, Outstanding { api, deadline_ns, tag });
        assert!(before.is_none(), "correlation {correlation} was given out twice");
        correlation
    }

    fn accept(&mut self, server: Negotiated) -> Result<(), ConnectionFault> {
        for api in APIS {
            let spoken = server.apis.iter().any(|versions| {
                versions.api == api.number() && (versions.version_min..=versions.version_max).contains(&api.version())
            });
            if !spoken {
                return Err(ConnectionFault::Version { api, version: api.version() });
            }
        }
        if server.requests_max == 0 || server.batch_bytes_max == 0 || server.retry_window_batches == 0 {
            return Err(ConnectionFault::Limits {
                requests_max: server.requests_max,
                batch_bytes_max: server.batch_bytes_max,
                window: server.retry_window_batches,
            });
        }
        self.negotiated = Some(server);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
