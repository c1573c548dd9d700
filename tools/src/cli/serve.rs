//! What `serve` is told on its command line.

use std::path::PathBuf;

use clap::Args;

use crate::settings::flags::ServeFlags;

/// What `serve` is told.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct ServeArguments {
    /// The settings.
    #[command(flatten)]
    pub settings: ServeFlags,
    /// A file of settings, as --print-config prints it. FLORIN_CONFIG names one as well.
    #[arg(long, value_name = "PATH")]
    pub config: Option<PathBuf>,
    /// Print the settings in force and where each came from, as TOML, and end: no directory is touched.
    #[arg(long)]
    pub print_config: bool,
    /// Also drain and end when standard input ends, so as not to outlive whoever started this.
    #[arg(long)]
    pub stop_with_stdin: bool,
}

const AFTER_HELP: &str = "\
A setting that no flag gives is taken from the environment: FLORIN_ and its name in capitals, FLORIN_CONNECTION_BYTES for
--connection-bytes; then from the settings file, connection_bytes = \"8MiB\"; then it has its default. SIZE is a number of
bytes, or a number with KiB, MiB or GiB. What is out of its bounds is refused, wherever it stands.

  florin serve --print-config > florin.toml      # a file with everything in it, to be changed and kept
  florin serve --config florin.toml

When every shard that could be opened serves, one line of JSON goes to standard output: address, ports, http,
directory_id. Logs go to standard error; --log or FLORIN_LOG chooses what they show, such as debug, or
info,florin_net=debug. SIGTERM and SIGINT drain: what was taken is answered, the journals are closed in order, exit code 0.
A second signal ends at once, as a crash would. Exit code 1: not started, because of its settings for instance, or not
ended in order.

--shards and the sizes count only for a directory that is formatted now: later they are as they were then.";
