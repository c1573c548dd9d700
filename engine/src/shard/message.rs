//! What shards tell each other. Any message may be lost, doubled or overtaken.

use crate::catalogue::CatalogueMessage;
use crate::transaction::TransactionMessage;

/// A message from a shard to another one, or to itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShardMessage {
    /// About topics.
    Catalogue(CatalogueMessage),
    /// About transactions.
    Transaction(TransactionMessage),
}

impl From<CatalogueMessage> for ShardMessage {
    fn from(message: CatalogueMessage) -> Self {
        Self::Catalogue(message)
    }
}

impl From<TransactionMessage> for ShardMessage {
    fn from(message: TransactionMessage) -> Self {
        Self::Transaction(message)
    }
}
