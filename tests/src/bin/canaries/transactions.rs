//! Canaries in transactions, noticed by clients around the whole server that move records.

use florin_tests::sweep::Kind;

use super::Canary;

/// Rules of transactions.
pub const CANARIES: &[Canary] = &[
    Canary {
        name: "a late end of a transaction ends the one that goes on",
        world: Kind::Clients,
        seeds: 100,
        edits: &[(
            "engine/src/shard/transactions/coordinate.rs",
            "        let refusal = match self.transactions.coordinator.may_end(transaction) {\n",
            "        let known = &self.transactions.coordinator;\n        let current = known.name(transaction.producer).and_then(|name| known.current(name));\n        let transaction = current.map_or(transaction, |(current, _)| current.max(transaction));\n        let refusal = match self.transactions.coordinator.may_end(transaction) {\n",
        )],
    },
    Canary {
        name: "the epoch of a transactional id does not move on with a decision",
        world: Kind::Clients,
        seeds: 100,
        edits: &[
            (
                "engine/src/shard/transactions/coordinate.rs",
                "            Some(next) => next,\n            None => {\n                marks::hit(Mark::EpochsUsedUp);",
                "            Some(_) => transaction,\n            None => {\n                marks::hit(Mark::EpochsUsedUp);",
            ),
            (
                "engine/src/transaction/coordinator.rs",
                "next.producer != self.current.producer || next.epoch > self.current.epoch",
                "next.producer != self.current.producer || next.epoch >= self.current.epoch",
            ),
        ],
    },
    Canary {
        name: "other shards are told how a transaction ended before that is durable",
        world: Kind::Clients,
        seeds: 2000,
        edits: &[(
            "engine/src/shard/transactions.rs",
            "        if appended <= durable {\n",
            "        if appended <= durable || matches!(message, TransactionMessage::Tell { verdict: Verdict::Over(_), .. }) {\n",
        )],
    },
    Canary {
        name: "a client is told how its transaction ended before that is durable",
        world: Kind::Clients,
        seeds: 100,
        edits: &[(
            "engine/src/shard/transactions/coordinate.rs",
            "                    return self.answer_when_durable(id, sequence, reply);\n",
            "                    let _ = sequence;\n                    return self.answer(id, reply);\n",
        )],
    },
    Canary {
        name: "a transaction that is open is shown to readers of what is committed",
        world: Kind::Clients,
        seeds: 100,
        edits: &[(
            "engine/src/partition/transactions.rs",
            "Isolation::Committed => self.stable_offset(),",
            "Isolation::Committed => self.durable_offset,",
        )],
    },
    Canary {
        name: "readers of what is committed are not told what was aborted",
        world: Kind::Clients,
        seeds: 100,
        edits: &[(
            "engine/src/partition/transactions.rs",
            "        self.aborted_between(first.base_offset, last.next_offset()).collect()\n",
            "        let _ = (first, last);\n        Vec::new()\n",
        )],
    },
];
