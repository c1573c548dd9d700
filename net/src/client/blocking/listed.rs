//! What every shard was asked for.

use super::Client;
use crate::client::ClientError;

/// What was found on all shards, and which of them did not say what they have.
#[derive(Clone, Debug)]
pub struct Listed<T> {
    /// Shard by shard.
    pub found: Vec<T>,
    /// The shards that did not answer in time or refused, and why.
    pub unanswered: Vec<(u16, ClientError)>,
}

impl Client {
    /// Asks shard after shard. One that is out keeps nobody from what the others have.
    pub(super) fn of_every_shard<T>(
        &self,
        of_shard: impl Fn(u16) -> Result<Vec<T>, ClientError>,
    ) -> Result<Listed<T>, ClientError> {
        let shard_count = self.server().shard_count;
        let mut listed = Listed { found: Vec::new(), unanswered: Vec::new() };
        for shard in 0..shard_count {
            match of_shard(shard) {
                Ok(found) => listed.found.extend(found),
                Err(error @ (ClientError::Refused(_) | ClientError::TimedOut { .. })) => {
                    listed.unanswered.push((shard, error));
                }
                Err(error) => return Err(error),
            }
        }
        if listed.unanswered.len() == usize::from(shard_count) {
            return Err(listed.unanswered.swap_remove(0).1);
        }
        Ok(listed)
    }
}
