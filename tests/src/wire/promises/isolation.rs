//! A bad client costs only itself: whoever asks rightly is never told to ask otherwise, whatever others send.

use florin_engine::shard::Action;
use florin_net::protocol::{Code, ErrorResponse};

use crate::wire::ground::Ground;
use crate::world::checkers::{Checked, violation};

/// Errors of damage on the way, which this network never does.
const DAMAGE: [Code; 2] = [Code(23), Code::FRAME_CHECKSUM];

impl Ground {
    /// A right request was refused: only for reasons that pass by themselves.
    pub(in crate::wire) fn is_no_blame(&self, error: &ErrorResponse) -> Checked {
        self.count(|summary| summary.refused_count += 1);
        let passes = match error.action {
            Action::Retry => !DAMAGE.contains(&error.code),
            Action::Refresh | Action::OutcomeUnknown => true,
            Action::Fenced | Action::FixRequest | Action::Fatal => false,
        };
        if passes {
            return Ok(());
        }
        violation("a bad client costs only itself", format!("a right request was refused: {error}"))
    }
}
