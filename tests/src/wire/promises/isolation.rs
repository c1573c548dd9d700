//! A bad client costs only itself: whoever asks rightly is never told to ask otherwise, whatever others send.

use florin_engine::shard::Action;
use florin_net::client::core::connection::ConnectionFault;
use florin_net::protocol::{Code, ErrorResponse};

use crate::wire::ground::{Ground, Trouble};
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
            Action::Fenced | Action::FixRequest | Action::Fatal | Action::AbortTransaction => false,
        };
        if passes {
            return Ok(());
        }
        violation("a bad client costs only itself", format!("a right request was refused: {error}"))
    }

    /// A connection of the client library goes on, or ended for a reason that there may be; `whose` library it is.
    pub(in crate::wire) fn goes_on(&self, state: Result<(), ConnectionFault>, whose: &str) -> Result<(), Trouble> {
        match state {
            Ok(()) => return Ok(()),
            Err(ConnectionFault::Closing(error)) => self.is_no_blame(&error)?,
            Err(fault) if fault.is_protocol() => {
                violation("every answer belongs to a request", format!("{whose} says: {fault}"))?;
            }
            Err(_unanswered) => {}
        }
        Err(Trouble::Lost)
    }
}
