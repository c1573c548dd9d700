//! Canaries on the network side, noticed by clients around the whole server.

use florin_tests::sweep::Kind;

use super::Canary;

/// Rules of the server's connections and of the client library.
pub const CANARIES: &[Canary] = &[
    Canary {
        name: "what a socket did not take is not sent",
        world: Kind::Clients,
        seeds: 100,
        edits: &[("net/src/connection/write.rs", "Ok(done) => piece = &piece[done..],", "Ok(_) => break Ok(()),")],
    },
    Canary {
        name: "an answer that is gathered has bytes twice",
        world: Kind::Clients,
        seeds: 100,
        edits: &[("net/src/connection/write.rs", "            buffer.clear();\n", "")],
    },
    Canary {
        name: "fetches of a connection that is gone go on waiting",
        world: Kind::Clients,
        seeds: 100,
        edits: &[(
            "net/src/server/core.rs",
            "        for id in polls {\n            self.cancel(id);\n        }\n",
            "        let _ = polls;\n",
        )],
    },
    Canary {
        name: "bytes of an answered request stay counted",
        world: Kind::Clients,
        seeds: 100,
        edits: &[("net/src/server/core.rs", "        self.bytes.give_back(pending.bytes);\n", "")],
    },
    Canary {
        name: "a connection is read from although it holds too much",
        world: Kind::Clients,
        seeds: 100,
        edits: &[("net/src/connection/read.rs", "if !self.sink.has_room() {", "if false {")],
    },
    Canary {
        name: "the client library sends again what may be stored and cannot be recognised",
        world: Kind::Clients,
        seeds: 100,
        edits: &[(
            "net/src/client/core/producer/answer.rs",
            "if !self.rules.idempotent && self.topic.keys.is_none() {",
            "if false {",
        )],
    },
    Canary {
        name: "the client library gives what may be stored another sequence",
        world: Kind::Clients,
        seeds: 100,
        edits: &[(
            "net/src/client/core/producer/lane.rs",
            "            if batch.maybe_stored && !self.has_keys {\n                let error",
            "            if false {\n                let error",
        )],
    },
    Canary {
        name: "the client library forgets which records the part of a part has",
        world: Kind::Clients,
        seeds: 100,
        edits: &[(
            "net/src/client/core/producer/batch.rs",
            "indices.iter().map(|index| records[*index]).collect()",
            "indices.iter().map(|index| *index as u32).collect()",
        )],
    },
    Canary {
        name: "the client library takes another payment under a key of its batch for the same",
        world: Kind::Clients,
        seeds: 100,
        edits: &[(
            "net/src/client/core/producer/batch.rs",
            "first if first < index && is_same(",
            "first if first < index || is_same(",
        )],
    },
    Canary {
        name: "the client library leaves a gap where it parted a batch",
        world: Kind::Clients,
        seeds: 100,
        edits: &[(
            "net/src/client/core/producer/lane.rs",
            "            self.next_sequence = sequence;\n",
            "            let _ = sequence;\n",
        )],
    },
    Canary {
        name: "a key is looked up in a partition that it does not belong to",
        world: Kind::Clients,
        seeds: 100,
        edits: &[(
            "net/src/handler/keys.rs",
            "partition_of(&key, descriptor.partition_count());",
            "partition_of(&key, descriptor.partition_count() - 1);",
        )],
    },
    Canary {
        name: "the client library reads on behind one record more than it got",
        world: Kind::Clients,
        seeds: 100,
        edits: &[(
            "net/src/client/core/consumer.rs",
            "assigned.next = Some(batch.last_offset.plus(1));",
            "assigned.next = Some(batch.last_offset.plus(2));",
        )],
    },
];
