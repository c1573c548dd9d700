//! Every answer belongs to a request, is one to it, and comes once.

use std::collections::BTreeMap;

use florin_net::protocol::{Api, Frame, FrameReader, Negotiated, Response};

use crate::wire::ground::{Ground, Trouble};
use crate::world::checkers::{Checked, violation};

/// The correlation of what belongs to no request: the connection is closed behind it.
const CORRELATION_NONE: u64 = 0;
const ANSWERS: &str = "every answer belongs to a request";

/// What a frame from the server is.
pub(in crate::wire) enum Matched<T> {
    /// The answer to a request.
    Answer(T, Response),
    /// The server says why it closes the connection.
    Farewell,
}

impl Ground {
    /// The next frame of a stream that the network has not changed.
    pub(in crate::wire) fn cut(&self, reader: &mut FrameReader) -> Result<Option<Frame>, Trouble> {
        match reader.next_frame() {
            Ok(frame) => Ok(frame),
            Err(error) => violation(ANSWERS, format!("the server's stream is no frames: {error}"))?,
        }
    }

    /// The request that a frame answers.
    pub(in crate::wire) fn matched<T>(
        &self,
        asked: &mut BTreeMap<u64, (Api, T)>,
        frame: Frame,
    ) -> Result<Matched<T>, Trouble> {
        let correlation = frame.correlation;
        self.fold((correlation, crc32c::crc32c(&frame.head), frame.payload.len()));
        if correlation == CORRELATION_NONE {
            return match Response::decode(Api::Negotiate, frame) {
                Ok(Response::Error(error)) => {
                    self.is_no_blame(&error)?;
                    Ok(Matched::Farewell)
                }
                other => violation(ANSWERS, format!("{other:?} answers no request"))?,
            };
        }
        let Some((api, tag)) = asked.remove(&correlation) else {
            return violation(ANSWERS, format!("request {correlation} was not asked, or is answered already"))?;
        };
        match Response::decode(api, frame) {
            Ok(response) => Ok(Matched::Answer(tag, response)),
            Err(error) => violation(ANSWERS, format!("request {correlation}: {error}"))?,
        }
    }

    /// The server has introduced itself.
    pub(in crate::wire) fn greeted(&self, port: u16, negotiated: &Negotiated) -> Checked {
        let Negotiated { shard, shard_count, .. } = negotiated;
        if (*shard, *shard_count) != (port, self.plan.shard_count) {
            return violation(ANSWERS, format!("the port of shard {port} says that it is {shard} of {shard_count}"));
        }
        Ok(())
    }

    /// An answer that is none to what was asked.
    pub(in crate::wire) fn misfit<T>(&self, asked: &str, response: &Response) -> Result<T, Trouble> {
        violation(ANSWERS, format!("{asked} was answered with {response:?}"))?
    }
}
