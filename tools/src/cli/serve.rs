//! What `serve` is told.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use florin_engine::model::Id128;
use florin_net::limits::{
    CONNECTION_BYTES_DEFAULT, CONNECTION_COUNT_DEFAULT, DRAIN_NS_DEFAULT, FRAME_NS_DEFAULT, IDLE_NS_DEFAULT,
    SEND_NS_DEFAULT,
};

use super::FormatOptions;
use crate::serve::directory_id;
use crate::size::Size;

const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;

/// An address and the port of shard 0.
#[derive(Clone, Copy, Debug)]
pub struct ListenAddress {
    /// The address.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
}

/// Where to answer over HTTP, if anywhere.
#[derive(Clone, Copy, Debug)]
pub struct HttpAddress(pub Option<SocketAddr>);

/// What `serve` is told.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct ServeArguments {
    /// The data directory. An absent or empty one is formatted; its parent must exist.
    #[arg(default_value = "florin-data")]
    pub directory: PathBuf,
    /// Where shard 0 listens; shard N listens N ports above. Port 0 takes any free port for each shard.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7878")]
    pub listen: ListenAddress,
    /// The host that clients are told to connect to [default: the one that they reached this server by]
    #[arg(long, value_name = "HOST", default_value = "", hide_default_value = true)]
    pub advertise: String,
    /// Where to answer for /health/live, /health/ready and /metrics, or off.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7877")]
    pub http: HttpAddress,
    /// The id that the directory must have: nothing is formatted then, should the volume not be mounted.
    #[arg(long, value_name = "ID", value_parser = directory_id)]
    pub expect_id: Option<Id128>,
    /// Cores to use at most [default: one per shard, as far as there are enough]
    #[arg(long, value_name = "N")]
    pub cores: Option<usize>,
    /// Connections of each shard's port at the same time.
    #[arg(long, value_name = "N", default_value_t = CONNECTION_COUNT_DEFAULT)]
    pub connections: usize,
    /// Bytes of unanswered requests and unsent answers of one connection before no more is read from it.
    #[arg(long, value_name = "SIZE", default_value_t = Size(CONNECTION_BYTES_DEFAULT as u64))]
    pub connection_bytes: Size,
    /// A connection with nothing to do is closed after this many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = IDLE_NS_DEFAULT / NANOSECONDS_PER_SECOND)]
    pub idle_seconds: u64,
    /// A connection is closed if a frame, or its negotiation, is not there in full after this many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = FRAME_NS_DEFAULT / NANOSECONDS_PER_SECOND)]
    pub frame_seconds: u64,
    /// A connection is closed if its client takes nothing of what is sent to it for this many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = SEND_NS_DEFAULT / NANOSECONDS_PER_SECOND)]
    pub send_seconds: u64,
    /// How long SIGTERM or SIGINT waits for what is under way.
    #[arg(long, value_name = "SECONDS", default_value_t = DRAIN_NS_DEFAULT / NANOSECONDS_PER_SECOND)]
    pub drain_seconds: u64,
    /// Also drain and end when standard input ends, so as not to outlive whoever started this.
    #[arg(long)]
    pub stop_with_stdin: bool,
    /// For a directory that is formatted, and how its files are used.
    #[command(flatten)]
    pub format: FormatOptions,
}

const AFTER_HELP: &str = "\
When every shard that could be opened serves, one line of JSON goes to standard output: address, ports, http,
directory_id. Logs go to standard error; FLORIN_LOG chooses what they show, such as debug, or florin_net=debug. SIGTERM and SIGINT drain: what
was taken is answered, the journals are closed in order, exit code 0. A second signal ends at once, as a crash would.

--shards and the sizes count only for a directory that is formatted now: later they are as they were then.";
