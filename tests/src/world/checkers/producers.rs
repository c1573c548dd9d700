//! No producer id is given twice.

use florin_engine::model::ProducerId;

use crate::world::checkers::{Checked, violation};
use crate::world::model::Model;

impl Model {
    /// A new producer id was given out.
    pub fn producer_minted(&mut self, id: ProducerId) -> Checked {
        if self.producer_ids.insert(id) { Ok(()) } else { violation("producers", format!("id {id} was given twice")) }
    }
}
