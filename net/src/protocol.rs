//! What travels between clients and servers: frames, requests, responses and error codes. No socket, no clock.
//!
//! A connection is a stream of frames in each direction. A frame is a header of 24 bytes, a *head* with the fields of
//! its api, and a *payload* of record batches, which have checksums of their own. All integers are little-endian.
//! [`FrameReader`] cuts a stream into frames; [`Request`] and [`Response`] are their contents.

pub mod api;
pub mod code;
pub mod field;
pub mod frame;
mod keys;
pub mod request;
pub mod response;
mod settings;
mod transactions;

pub use api::{API_VERSIONS, APIS, Api, ApiVersions};
pub use code::{CODES, Code, CodeRow, code_row};
pub use field::FieldError;
pub use frame::{FRAME_HEADER_BYTES, Frame, FrameError, FrameReader, Kind};
pub use request::{ListAt, Request, RequestError, RequestFrom};
pub use response::{
    ErrorResponse, FetchResponse, FetchedBatch, Negotiated, PartitionDescription, Response, ResponseError,
    ShardDescription, ShardEndpoints, ShardState, TopicDescription, TopicsPage,
};

#[cfg(test)]
mod tests;
