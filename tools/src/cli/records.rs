//! Commands that move records: `produce`, `consume` and `demo`.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};

use super::network::ServerArguments;
use super::number;
use crate::consume::start::From;
use crate::duration::Span;
use crate::produce::input::Delimiter;

/// What input lines are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum InputFormat {
    /// The line is the value.
    Lines,
    /// The line is a JSON object.
    Json,
}

/// What happens at a line that is no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnBadLine {
    /// Nothing behind it is read; what stands before it is sent and reported.
    Stop,
    /// It is named and passed over.
    Skip,
}

/// What output lines are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// Columns with tabs between them.
    Plain,
    /// JSON objects.
    Json,
}

/// What is shown of transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shows {
    /// What is committed, and nothing behind a transaction that is open.
    Committed,
    /// Everything that is stored, also of transactions that are open or aborted.
    Uncommitted,
}

pub const PRODUCE_HELP: &str = r#"JSON lines: {"key":"00001","value":{"dollars":"11.77"},"headers":{"source":"till"},"partition":3,"timestamp_ms":0}
where everything may be missing. A string stands for its UTF-8, null for nothing, any other JSON for its own text;
key_base64 and value_base64 stand for bytes. What `florin consume --format json` writes can be read.

A topic with idempotency keys takes them from where it was told when it was made: from the key, that is --key-column or
"key", or from a header, which only JSON lines have. There the same input can be sent again, also by another run: what
is stored already is counted as a duplicate. Elsewhere a second run stores everything a second time.

Exit codes: 0 every record is stored; 1 a record is not stored, or not known to be, or a line is bad; 2 wrong arguments.

Examples:
  florin produce payments purchases.txt --key-column 1 --skip-header
  florin produce payments purchases.csv --key-column 2 --delimiter ,
  florin produce payments --format json --acked-offsets < purchases.jsonl"#;

/// What `produce` is told.
#[derive(Clone, Debug, Args)]
pub struct ProduceArguments {
    /// The topic.
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub topic: String,
    /// The file to read; `-` or nothing is standard input.
    pub file: Option<PathBuf>,
    /// What lines are.
    #[arg(long, value_enum, default_value_t = InputFormat::Lines)]
    pub format: InputFormat,
    /// Take the key from this column of a plain line, counted from 1; without it records have no key.
    #[arg(long, value_name = "N", value_parser = column)]
    pub key_column: Option<usize>,
    /// What stands between columns: one ASCII character or \t [default: runs of spaces and tabs]
    #[arg(long, value_name = "CHARACTER", requires = "key_column", value_parser = delimiter)]
    pub delimiter: Option<Delimiter>,
    /// Pass over the first line.
    #[arg(long)]
    pub skip_header: bool,
    /// Send to this partition what names none itself, instead of by key or in turn.
    #[arg(long, value_name = "N", value_parser = number::<u32>)]
    pub partition: Option<u32>,
    /// What to do at a line that is no record.
    #[arg(long, value_enum, default_value_t = OnBadLine::Stop)]
    pub on_bad_line: OnBadLine,
    /// Records of one batch at most: what is stored and acknowledged as one.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = number::<u32>)]
    pub batch_records: u32,
    /// How long a batch waits for more records.
    #[arg(long, value_name = "DURATION", default_value_t = Span(Duration::from_millis(5)))]
    pub linger: Span,
    /// Batches of one partition that are sent and not acknowledged.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = number::<usize>)]
    pub in_flight: usize,
    /// How long one record may take before it is given up; 12 hours at most.
    #[arg(long, value_name = "DURATION", default_value_t = Span(Duration::from_secs(60)))]
    pub timeout: Span,
    /// Print the number of its line, its partition and its offset for each record that is stored, in the order of
    /// the lines.
    #[arg(long, conflicts_with = "json", verbatim_doc_comment)]
    pub acked_offsets: bool,
    /// Print the summary as one JSON document on standard output.
    #[arg(long)]
    pub json: bool,
    /// Where.
    #[command(flatten)]
    pub at: ServerArguments,
}

pub const CONSUME_HELP: &str = r"Plain lines have partition, offset, append time, key and value with tabs between them; \N is nothing, and a backslash
escapes itself, tabs, line ends, control characters and bytes that are no UTF-8 (\xff).

Exit codes: 0 everything that was asked for was shown, or the reader of the output has seen enough, or Ctrl-C;
1 something could not be read; 2 wrong arguments.

Examples:
  florin consume payments --from -10m
  florin consume payments --from 2026-01-31T12:00:00Z --format json
  florin consume payments --from timestamp:2026-01-31T12:00:00Z
  florin consume payments --partition 3 --from 4200 --count 10
  florin consume payments --from end --follow
  florin consume payments --isolation uncommitted";

/// What `consume` is told.
#[derive(Clone, Debug, Args)]
pub struct ConsumeArguments {
    /// The topic.
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub topic: String,
    /// Where to begin: beginning, end, an offset (with one --partition), a time (2026-01-31T12:00:00Z, @1767323045) or
    /// how long ago (-10m). These times are those at which the server appended. With timestamp: before it, a time
    /// (timestamp:2026-01-31T12:00:00Z, timestamp:@1767323045), milliseconds since 1970 (timestamp:1767323045000) or how
    /// long ago (timestamp:-10m) means the records' own timestamps, as their producers wrote them.
    #[arg(long, value_name = "WHERE", default_value = "beginning", allow_hyphen_values = true, verbatim_doc_comment)]
    pub from: From,
    /// Stop where each partition ended at the start: the default.
    #[arg(long, conflicts_with = "follow")]
    pub to_end: bool,
    /// Go on with what comes, until Ctrl-C.
    #[arg(long)]
    pub follow: bool,
    /// Only this partition; may be given again for more.
    #[arg(long = "partition", value_name = "N", value_parser = number::<u32>)]
    pub partitions: Vec<u32>,
    /// Stop after so many records.
    #[arg(long, value_name = "N", value_parser = number::<u64>)]
    pub count: Option<u64>,
    /// What to show of transactions.
    #[arg(long, value_enum, default_value_t = Shows::Committed)]
    pub isolation: Shows,
    /// What to print.
    #[arg(long, value_enum, default_value_t = OutputFormat::Plain)]
    pub format: OutputFormat,
    /// The same as --format json.
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// Where.
    #[command(flatten)]
    pub at: ServerArguments,
}

pub const DUMP_HELP: &str = r"Lines are those of `florin consume`, in the order of offsets. --from and --to both name offsets that are shown.

Exit codes: 0 everything that was asked for was shown; 1 damage, or a compressed batch, was skipped; 2 nothing can be
shown (a server uses the directory, a start would refuse the shard, there is no such topic, partition or offset, wrong
arguments), or the disk did not give something.

Examples:
  florin dump /var/lib/florin payments --partition 3
  florin dump /var/lib/florin payments --partition 3 --from 4200 --to 4299 --json
  florin dump /var/lib/florin 7 --partition 0 > records";

/// What `dump` is told.
#[derive(Clone, Debug, Args)]
pub struct DumpArguments {
    /// The data directory.
    pub directory: PathBuf,
    /// The topic, by its name or its id.
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub topic: String,
    /// The partition.
    #[arg(long, value_name = "P", value_parser = number::<u32>)]
    pub partition: u32,
    /// The first offset to show [default: where the partition begins]
    #[arg(long, value_name = "OFFSET", value_parser = number::<u64>)]
    pub from: Option<u64>,
    /// The last offset to show [default: where the partition ends]
    #[arg(long, value_name = "OFFSET", value_parser = number::<u64>)]
    pub to: Option<u64>,
    /// Print JSON objects, one a line.
    #[arg(long)]
    pub json: bool,
}

/// What `demo` is told.
#[derive(Clone, Debug, Args)]
pub struct DemoArguments {
    /// Payments to capture, from the first on [default: all 69,659]
    #[arg(long, value_name = "N", value_parser = payment_count)]
    pub payments: Option<usize>,
    /// Keep the data directory, and say where it is.
    #[arg(long)]
    pub keep: bool,
}

fn column(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "columns are counted from 1".to_owned())
}

fn payment_count(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|count| *count > 0).ok_or_else(|| "write a number from 1 on".to_owned())
}

fn delimiter(text: &str) -> Result<Delimiter, String> {
    match text.as_bytes() {
        b"\\t" => Ok(Delimiter::Byte(b'\t')),
        [byte] if byte.is_ascii() && !matches!(byte, b'\n' | b'\r') => Ok(Delimiter::Byte(*byte)),
        _ => Err("write one ASCII character, or \\t for a tab".to_owned()),
    }
}
