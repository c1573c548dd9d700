//! `florin produce`: stores lines as records and accounts for each of them.
//!
//! [`input`] makes records of lines, [`pipeline`] sends them and keeps what is not answered yet, [`report`] says what
//! became of them. After the first record that is not stored nothing more is read: what follows it in its partition
//! would otherwise overtake it when it is sent again.

pub mod input;
mod json;
mod pipeline;
mod report;

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use florin_net::client::ProducerSettings;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::cli::records::{InputFormat, OnBadLine, ProduceArguments};
use crate::progress::Progress;
use crate::{client, host, output};
use input::{Delimiter, Input, InputLine, KeyColumn, LineFormat};
use pipeline::{Pipeline, Sent};
use report::Stop;

/// How often answers are looked at while the input has nothing.
const LOOK_INTERVAL: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// What is read: bytes, a handle to wait on, and how long it is if that is known.
struct Source {
    reader: Box<dyn Read>,
    handle: OwnedFd,
    file_bytes: Option<u64>,
}

/// Sends everything and says what became of it.
pub fn run(arguments: &ProduceArguments) -> Result<ExitCode> {
    let source = open(arguments.file.as_deref())?;
    let client = client::connect(&arguments.at)?;
    let topic = client::topic(&client, &arguments.topic, &arguments.at)?;
    if let Some(partition) = arguments.partition {
        client::check_partition(&topic, partition)?;
    }
    let mut settings = ProducerSettings::new(arguments.topic.as_str());
    settings.linger = arguments.linger.0;
    settings.batch_records_max = arguments.batch_records;
    settings.batches_in_flight = arguments.in_flight;
    settings.delivery_timeout = arguments.timeout.0;
    let producer = client.producer(settings)?;
    let input = Input::new(source.reader, line_format(arguments), arguments.partition);
    let progress = Progress::new(source.file_bytes, "records");
    let started = host::monotonic();
    let mut pipeline = Pipeline::new(producer, arguments.acked_offsets);
    let read = send_all(arguments, input, source.handle.as_fd(), &mut pipeline, &progress);
    // Also what was read before a failure is waited for: nobody may have to guess what became of it.
    let settled = pipeline.settle_all();
    progress.finish();
    let mut report = pipeline.into_report();
    report.elapsed = host::monotonic().saturating_sub(started);
    if arguments.json {
        output::print_json(&report.document(&arguments.topic))?;
    } else {
        output::report(&report.in_words(&arguments.topic));
    }
    read.and(settled)?;
    Ok(if report.is_complete() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn open(path: Option<&Path>) -> Result<Source> {
    let Some(path) = path.filter(|path| *path != Path::new("-")) else {
        let handle = io::stdin().as_fd().try_clone_to_owned().context("standard input cannot be used")?;
        return Ok(Source { reader: Box::new(io::stdin()), handle, file_bytes: None });
    };
    let what = || format!("{} cannot be read", path.display());
    let file = OpenOptions::new().read(true).open(path).with_context(what)?;
    let metadata = file.metadata().with_context(what)?;
    let handle = file.as_fd().try_clone_to_owned().with_context(what)?;
    let file_bytes = metadata.is_file().then_some(metadata.len());
    Ok(Source { reader: Box::new(file), handle, file_bytes })
}

fn line_format(arguments: &ProduceArguments) -> LineFormat {
    let key_column = |number| {
        let delimiter = arguments.delimiter.unwrap_or(Delimiter::Whitespace);
        KeyColumn { number, delimiter }
    };
    match arguments.format {
        InputFormat::Lines => LineFormat::Plain { key: arguments.key_column.map(key_column) },
        InputFormat::Json => LineFormat::Json,
    }
}

/// Reads and sends to the end, or to where it has to stop.
fn send_all(
    arguments: &ProduceArguments,
    mut input: Input<impl Read>,
    handle: BorrowedFd<'_>,
    pipeline: &mut Pipeline,
    progress: &Progress,
) -> Result<()> {
    if arguments.skip_header {
        input.skip_line().context("the input cannot be read")?;
    }
    loop {
        while input.is_buffer_empty() && !is_readable(handle) {
            pipeline.settle_ready()?;
        }
        pipeline.settle_ready()?;
        pipeline.report.lines_read = input.line_number();
        if pipeline.report.has_failures() {
            pipeline.report.stop = Some(Stop::Failure);
            return Ok(());
        }
        let Some(InputLine { number, record }) = input.next_line().context("the input cannot be read")? else {
            return Ok(());
        };
        pipeline.report.lines_read = number;
        let sent = match record {
            Ok(record) => pipeline.send(number, record)?,
            Err(problem) => Sent::Bad(problem),
        };
        if let Sent::Bad(problem) = sent {
            progress.interrupt(|| output::complain(&format!("line {number} {problem}")));
            pipeline.report.bad_line(number, problem);
            if arguments.on_bad_line == OnBadLine::Stop {
                pipeline.report.stop = Some(Stop::BadLine);
                return Ok(());
            }
        }
        progress.show(input.bytes_read(), pipeline.report.read_count);
    }
}

/// Whether a read would not have to wait for long. What cannot be asked is read.
fn is_readable(handle: BorrowedFd<'_>) -> bool {
    poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&LOOK_INTERVAL)).map_or(true, |count| count > 0)
}
