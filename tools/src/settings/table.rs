//! The table of all settings. Flags with their help, keys of the file, variables of the environment, what
//! `--print-config` prints, and the reference in `tools/README.md` follow from it.
//!
//! A new setting is a constant here, a place in [`SETTINGS`] and a use of its value; a rule that it has with other
//! settings is a function in [`super::relations`].

use florin_engine::io::UNIT_BYTES;
use florin_engine::limits::{
    BLOCKS_IN_FLIGHT_DEFAULT, BLOCKS_IN_FLIGHT_MAX, CLOCK_SETTLE_NS_DEFAULT, CLOCK_SETTLE_NS_MAX,
    KEY_CACHE_BYTES_DEFAULT, KEY_CACHE_BYTES_MAX, KEY_CACHE_BYTES_MIN, MANIFEST_BYTES_DEFAULT, MANIFEST_BYTES_MAX,
    MANIFEST_BYTES_MIN, MEMORY_BYTES_DEFAULT, MEMORY_BYTES_MAX, RING_FILE_BYTES_DEFAULT, RING_FILE_BYTES_MAX,
    RING_FILE_BYTES_MIN, RING_FILE_COUNT_DEFAULT, RING_FILE_COUNT_MAX, RING_FILE_COUNT_MIN,
    SEGMENT_UNSYNCED_BYTES_DEFAULT, SEGMENT_UNSYNCED_BYTES_MAX, SEGMENT_UNSYNCED_BYTES_MIN, SHARD_COUNT_MAX,
};
use florin_net::limits::{
    CONNECTION_BYTES_DEFAULT, CONNECTION_BYTES_MAX, CONNECTION_BYTES_MIN, CONNECTION_COUNT_DEFAULT,
    CONNECTION_COUNT_MAX, DRAIN_NS_DEFAULT, DRAIN_NS_MAX, EXECUTOR_BYTES_DEFAULT, EXECUTOR_BYTES_MAX,
    EXECUTOR_BYTES_MIN, FRAME_NS_DEFAULT, FRAME_NS_MAX, IDLE_NS_DEFAULT, IDLE_NS_MAX, PATIENCE_NS_MIN, SEND_NS_DEFAULT,
    SEND_NS_MAX,
};

use super::kind::Kind;
use super::words;

/// Nanoseconds of a second: limits have the former, settings the latter.
pub const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its key in a file; flag and variable are made from it.
    pub key: &'static str,
    /// Its unit and bounds.
    pub kind: Kind,
    /// Whom it is for.
    pub scope: Scope,
    /// What it is, in one sentence.
    pub meaning: &'static str,
}

/// Whom a setting is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// `serve`.
    Server,
    /// `serve` and `format`, whenever a directory is opened.
    Directory,
    /// `serve` and `format`, while a directory is formatted; later it is as it was then.
    Format,
}

/// All settings, in the order in which they are shown.
pub const SETTINGS: [&Setting; 25] = [
    &DIRECTORY,
    &LISTEN,
    &ADVERTISE,
    &HTTP,
    &EXPECT_ID,
    &CORES,
    &CONNECTIONS,
    &CONNECTION_BYTES,
    &EXECUTOR_BYTES,
    &IDLE_SECONDS,
    &FRAME_SECONDS,
    &SEND_SECONDS,
    &DRAIN_SECONDS,
    &BLOCKS_IN_FLIGHT,
    &MEMORY_BYTES,
    &KEY_CACHE_BYTES,
    &SEGMENT_UNSYNCED_BYTES,
    &CLOCK_SETTLE_SECONDS,
    &LOG,
    &SHARDS,
    &JOURNAL_FILES,
    &JOURNAL_FILE_BYTES,
    &MANIFEST_BYTES,
    &ALLOW_COW,
    &NO_DIRECT,
];

pub const DIRECTORY: Setting = Setting {
    key: "directory",
    kind: Kind::Path { default: "florin-data" },
    scope: Scope::Server,
    meaning: "The data directory. An absent or empty one is formatted; its parent must exist.",
};
pub const LISTEN: Setting = Setting {
    key: "listen",
    kind: Kind::Word {
        unit: "ADDRESS:PORT",
        default: "127.0.0.1:7878",
        form: "an IP address, and a port from 0 to 65535",
        is_one: words::is_listen,
    },
    scope: Scope::Server,
    meaning: "Where shard 0 listens; shard N listens N ports above. Port 0 takes any free port for each shard.",
};
pub const ADVERTISE: Setting = Setting {
    key: "advertise",
    kind: Kind::Word {
        unit: "HOST",
        default: "",
        form: "a name or an IP address without a port, at most 253 bytes; or nothing",
        is_one: words::is_host_or_nothing,
    },
    scope: Scope::Server,
    meaning: "The host that clients are told to connect to; with nothing, the one that they reached this server by.",
};
pub const HTTP: Setting = Setting {
    key: "http",
    kind: Kind::Word {
        unit: "ADDRESS:PORT",
        default: "127.0.0.1:7877",
        form: "an IP address, and a port from 0 to 65535; or off",
        is_one: words::is_http,
    },
    scope: Scope::Server,
    meaning: "Where to answer for /health/live, /health/ready and /metrics, or off.",
};
pub const EXPECT_ID: Setting = Setting {
    key: "expect_id",
    kind: Kind::Word {
        unit: "ID",
        default: "any",
        form: "the 32 hexadecimal digits of a directory's id; or any",
        is_one: words::is_expected_id,
    },
    scope: Scope::Server,
    meaning: "The id that the directory must have: nothing is formatted then, should the volume not be mounted.",
};
pub const CORES: Setting = Setting {
    key: "cores",
    kind: Kind::CountOrAuto { unit: "cores", least: 1, most: SHARD_COUNT_MAX as u64 },
    scope: Scope::Server,
    meaning: "Cores to use at most; auto is one per shard, as far as there are enough.",
};
pub const CONNECTIONS: Setting = Setting {
    key: "connections",
    kind: Kind::Count {
        unit: "connections",
        default: CONNECTION_COUNT_DEFAULT as u64,
        least: 1,
        most: CONNECTION_COUNT_MAX as u64,
    },
    scope: Scope::Server,
    meaning: "Connections of each shard's port at the same time.",
};
pub const CONNECTION_BYTES: Setting = Setting {
    key: "connection_bytes",
    kind: Kind::Bytes {
        default: CONNECTION_BYTES_DEFAULT as u64,
        least: CONNECTION_BYTES_MIN as u64,
        most: CONNECTION_BYTES_MAX as u64,
        step: 1,
    },
    scope: Scope::Server,
    meaning: "Unanswered requests and unsent answers of one connection before no more is read from it.",
};
pub const EXECUTOR_BYTES: Setting = Setting {
    key: "executor_bytes",
    kind: Kind::Bytes {
        default: EXECUTOR_BYTES_DEFAULT as u64,
        least: EXECUTOR_BYTES_MIN as u64,
        most: EXECUTOR_BYTES_MAX as u64,
        step: 1,
    },
    scope: Scope::Server,
    meaning: "The same over all connections of a core, no less than `connection_bytes`; above half of it, whoever has \
              more than an equal share waits.",
};
pub const IDLE_SECONDS: Setting = Setting {
    key: "idle_seconds",
    kind: seconds(IDLE_NS_DEFAULT, IDLE_NS_MAX),
    scope: Scope::Server,
    meaning: "A connection with nothing to do is closed after this long.",
};
pub const FRAME_SECONDS: Setting = Setting {
    key: "frame_seconds",
    kind: seconds(FRAME_NS_DEFAULT, FRAME_NS_MAX),
    scope: Scope::Server,
    meaning: "A connection is closed if a frame, or its negotiation, is not there in full after this long.",
};
pub const SEND_SECONDS: Setting = Setting {
    key: "send_seconds",
    kind: seconds(SEND_NS_DEFAULT, SEND_NS_MAX),
    scope: Scope::Server,
    meaning: "A connection is closed if its client takes nothing of what is sent to it for this long.",
};
pub const DRAIN_SECONDS: Setting = Setting {
    key: "drain_seconds",
    kind: seconds(DRAIN_NS_DEFAULT, DRAIN_NS_MAX),
    scope: Scope::Server,
    meaning: "How long SIGTERM or SIGINT waits for what is under way.",
};
pub const BLOCKS_IN_FLIGHT: Setting = Setting {
    key: "blocks_in_flight",
    kind: Kind::Count {
        unit: "blocks",
        default: BLOCKS_IN_FLIGHT_DEFAULT as u64,
        least: 1,
        most: BLOCKS_IN_FLIGHT_MAX as u64,
    },
    scope: Scope::Server,
    meaning: "Blocks of each shard's journal that are being written at the same time.",
};
pub const MEMORY_BYTES: Setting = Setting {
    key: "memory_bytes",
    kind: Kind::Bytes {
        default: MEMORY_BYTES_DEFAULT,
        least: RING_FILE_COUNT_MIN as u64 * RING_FILE_BYTES_MIN,
        most: MEMORY_BYTES_MAX,
        step: 1,
    },
    scope: Scope::Server,
    meaning: "Memory of each shard for batches, at least as much as its journal has: what is at rest already stays \
              in it as long as there is room.",
};
pub const KEY_CACHE_BYTES: Setting = Setting {
    key: "key_cache_bytes",
    kind: Kind::Bytes {
        default: KEY_CACHE_BYTES_DEFAULT,
        least: KEY_CACHE_BYTES_MIN,
        most: KEY_CACHE_BYTES_MAX,
        step: 1,
    },
    scope: Scope::Server,
    meaning: "Memory of each shard for what it read of idempotency keys at rest: two bytes and a quarter for each key \
              that is looked for at random.",
};
pub const SEGMENT_UNSYNCED_BYTES: Setting = Setting {
    key: "segment_unsynced_bytes",
    kind: Kind::Bytes {
        default: SEGMENT_UNSYNCED_BYTES_DEFAULT as u64,
        least: SEGMENT_UNSYNCED_BYTES_MIN as u64,
        most: SEGMENT_UNSYNCED_BYTES_MAX as u64,
        step: 1,
    },
    scope: Scope::Server,
    meaning: "Bytes written to a segment file before it is synced: a journal's write waits for what is not.",
};
pub const CLOCK_SETTLE_SECONDS: Setting = Setting {
    key: "clock_settle_seconds",
    kind: seconds(CLOCK_SETTLE_NS_DEFAULT, CLOCK_SETTLE_NS_MAX),
    scope: Scope::Server,
    meaning: "So long after a start nothing goes by its age: a clock that was wrong at boot is set right meanwhile.",
};
pub const LOG: Setting = Setting {
    key: "log",
    kind: Kind::Word {
        unit: "FILTER",
        default: "info",
        form: "off, error, warn, info, debug or trace, also of parts of the program, with commas between: \
               info,florin_net=debug",
        is_one: words::is_log_filter,
    },
    scope: Scope::Server,
    meaning: "What the log on standard error shows.",
};
pub const SHARDS: Setting = Setting {
    key: "shards",
    kind: Kind::CountOrAuto { unit: "shards", least: 1, most: SHARD_COUNT_MAX as u64 },
    scope: Scope::Format,
    meaning: "Shards, fixed for ever, each with a journal of its own; auto is one per usable core.",
};
pub const JOURNAL_FILES: Setting = Setting {
    key: "journal_files",
    kind: Kind::Count {
        unit: "files",
        default: RING_FILE_COUNT_DEFAULT as u64,
        least: RING_FILE_COUNT_MIN as u64,
        most: RING_FILE_COUNT_MAX as u64,
    },
    scope: Scope::Format,
    meaning: "Files in the ring of each shard's journal.",
};
pub const JOURNAL_FILE_BYTES: Setting = Setting {
    key: "journal_file_bytes",
    kind: Kind::Bytes {
        default: RING_FILE_BYTES_DEFAULT,
        least: RING_FILE_BYTES_MIN,
        most: RING_FILE_BYTES_MAX,
        step: UNIT_BYTES as u64,
    },
    scope: Scope::Format,
    meaning: "Size of each file of the ring: together they bound what a restart reads.",
};
pub const MANIFEST_BYTES: Setting = Setting {
    key: "manifest_bytes",
    kind: Kind::Bytes {
        default: MANIFEST_BYTES_DEFAULT,
        least: MANIFEST_BYTES_MIN,
        most: MANIFEST_BYTES_MAX,
        step: UNIT_BYTES as u64,
    },
    scope: Scope::Format,
    meaning: "Size of one copy of a manifest, the state of a shard at a checkpoint: each shard has six.",
};
pub const ALLOW_COW: Setting = Setting {
    key: "allow_cow",
    kind: Kind::Switch,
    scope: Scope::Directory,
    meaning: "Accept a file system that copies on write (btrfs, ZFS, overlayfs).",
};
pub const NO_DIRECT: Setting = Setting {
    key: "no_direct",
    kind: Kind::Switch,
    scope: Scope::Directory,
    meaning: "Accept a file system without O_DIRECT: whatever opens the directory must do without it as well.",
};

const fn seconds(default_ns: u64, most_ns: u64) -> Kind {
    let default = default_ns / NANOSECONDS_PER_SECOND;
    Kind::Seconds { default, least: PATIENCE_NS_MIN / NANOSECONDS_PER_SECOND, most: most_ns / NANOSECONDS_PER_SECOND }
}

impl Setting {
    /// Its flag: `--connection-bytes`; for the directory, which is an argument, its name there.
    pub fn flag(&self) -> String {
        if self.is_argument() { "DIRECTORY".to_owned() } else { format!("--{}", self.key.replace('_', "-")) }
    }

    /// Its variable: `FLORIN_CONNECTION_BYTES`.
    pub fn variable(&self) -> String {
        format!("{}{}", super::environment::PREFIX, self.key.to_ascii_uppercase())
    }

    /// Whether it is an argument of `serve` without a name.
    pub fn is_argument(&self) -> bool {
        self.key == DIRECTORY.key
    }

    /// Whether `format` has it as well.
    pub fn is_for_format(&self) -> bool {
        self.scope != Scope::Server
    }
}
