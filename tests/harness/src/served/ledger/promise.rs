//! What a broken rule means for who relies on the server.

use super::Violation;

/// What is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    /// Nothing that was acknowledged or shown is gone.
    Lost,
    /// Nothing is stored twice.
    Doubled,
    /// No offset and no producer id is given out again, and nothing moves.
    ReMinted,
    /// Batches of a producer, and append times, do not go back.
    OutOfOrder,
    /// What is served is what was sent.
    WrongBytes,
    /// Damage is named, and reaches no farther than it must.
    DamageUnnamed,
    /// A server that is asked rightly answers rightly, and starts and ends as it must.
    Unexpected,
}

impl Promise {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Lost,
        Self::Doubled,
        Self::ReMinted,
        Self::OutOfOrder,
        Self::WrongBytes,
        Self::DamageUnnamed,
        Self::Unexpected,
    ];

    /// How its being broken is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Doubled => "doubled",
            Self::ReMinted => "re-minted",
            Self::OutOfOrder => "out of order",
            Self::WrongBytes => "wrong bytes",
            Self::DamageUnnamed => "damage not named or too wide",
            Self::Unexpected => "anything else",
        }
    }
}

impl Violation {
    /// The promise that the broken rule belongs to.
    pub fn promise(&self) -> Promise {
        match self.rule {
            "lost" | "shown and gone" | "topic lost" | "gap" | "end goes back" | "not read back" => Promise::Lost,
            "stored twice" | "stored again" | "duplicate of nothing" => Promise::Doubled,
            "offset given twice"
            | "producer id given twice"
            | "next offset"
            | "moved"
            | "another receipt"
            | "shown elsewhere" => Promise::ReMinted,
            "out of order" | "append time goes back" => Promise::OutOfOrder,
            "other bytes" | "never sent" | "refused and stored" | "from nowhere" => Promise::WrongBytes,
            "damage not noticed" | "damage not named" | "refused too much" | "refused and changed" => {
                Promise::DamageUnnamed
            }
            _ => Promise::Unexpected,
        }
    }
}
