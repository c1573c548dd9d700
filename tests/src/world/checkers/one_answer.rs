//! A request is answered at most once.

use florin_engine::model::{RequestId, ShardId};

use crate::world::checkers::{Violation, violation};
use crate::world::run::{Asked, World};

impl World {
    /// What an answer is to.
    pub fn answered(&mut self, id: RequestId) -> Result<(ShardId, Asked), Violation> {
        match self.asked.remove(&id) {
            Some(asked) => Ok(asked),
            None => violation("one answer each", format!("request {id} is answered a second time")),
        }
    }
}
