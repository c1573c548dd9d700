//! What the appender says, one line each: words separated by spaces, so that a killed process leaves whole lines.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::str::FromStr;
use std::sync::{Arc, Mutex};

use florin_engine::model::{PartitionId, TopicId};

/// Bytes that are said at once when many lines are ready.
const CHUNK_BYTES: usize = 32 * 1024;

/// Names one batch among all that were ever sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag {
    /// The run that sent it first, from 0.
    pub run: u32,
    /// The producer within that run.
    pub producer: u32,
    /// The producer's count of batches.
    pub serial: u32,
}

/// The stamp of an idempotent producer on a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    /// The producer id.
    pub id: u64,
    /// Its epoch.
    pub epoch: u16,
    /// Sequence of the first record.
    pub sequence: u32,
}

/// A batch that is about to be handed to a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// To where.
    pub partition: PartitionId,
    /// Which batch.
    pub tag: Tag,
    /// The batch's own checksum.
    pub crc: u32,
    /// Records in it.
    pub record_count: u32,
    /// Its stamp, if the producer is idempotent.
    pub stamp: Option<Stamp>,
}

/// A batch at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// In which partition.
    pub partition: PartitionId,
    /// Offset of its first record.
    pub base_offset: u64,
    /// Offset of its last record.
    pub last_offset: u64,
    /// When it was appended.
    pub append_time: u64,
    /// The batch's own checksum.
    pub crc: u32,
    /// Which batch.
    pub tag: Tag,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// The shard's files are about to be read.
    Opening {
        /// Which shard.
        shard: u16,
    },
    /// The shard was opened; its first block is not durable yet.
    Opened {
        /// Which shard.
        shard: u16,
        /// Whether it had been closed in order.
        was_clean: bool,
        /// Its new epoch.
        epoch: u64,
        /// The last block of the epochs before.
        last_sequence: u64,
        /// Units that were cut off behind it.
        cut_count: u64,
        /// Notes of recovery.
        note_count: u64,
    },
    /// Read back before anything was sent.
    Held(Placed),
    /// Every batch of the partition was said with [`Line::Held`].
    ReadBack {
        /// Which partition.
        partition: PartitionId,
        /// First readable offset.
        start: u64,
        /// The high watermark that list-offset gave.
        end: u64,
    },
    /// The shard was read back and is ready for producers.
    Serving {
        /// Which shard.
        shard: u16,
        /// Ring files nothing was placed in yet.
        unused_file_count: u64,
    },
    /// A producer identity was given out.
    Minted(Stamp),
    /// A batch is about to be sent.
    Sent(Sent),
    /// A batch was acknowledged.
    Acked {
        /// What the receipt says.
        placed: Placed,
        /// Whether it was stored before.
        duplicate: bool,
    },
    /// A reader that follows the producers was shown a batch.
    Seen(Placed),
    /// Somebody was told where a partition ends.
    End {
        /// Which partition.
        partition: PartitionId,
        /// The high watermark.
        end: u64,
    },
    /// Producers rest: the run has used its share of the ring.
    Resting {
        /// Which shard.
        shard: u16,
    },
    /// A checkpoint is in force.
    Checkpointed {
        /// Which shard.
        shard: u16,
    },
    /// A request was refused.
    Refused {
        /// Which shard.
        shard: u16,
        /// The refusal's number.
        code: u16,
        /// In words.
        why: String,
    },
    /// The shard is closed.
    Stopped {
        /// Which shard.
        shard: u16,
        /// Whether in order.
        clean: bool,
    },
    /// The appender itself found a promise broken, or could not go on.
    Wrong(String),
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.run, self.producer, self.serial)
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.id, self.epoch, self.sequence)
    }
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, tag, crc, record_count, stamp } = self;
        write!(f, "{partition} {tag} {crc} {record_count}")?;
        stamp.map_or(Ok(()), |stamp| write!(f, " {stamp}"))
    }
}

impl fmt::Display for Placed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, base_offset, last_offset, append_time, crc, tag } = self;
        write!(f, "{partition} {base_offset} {last_offset} {append_time} {crc} {tag}")
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opening { shard } => write!(f, "opening {shard}"),
            Self::Opened { shard, was_clean, epoch, last_sequence, cut_count, note_count } => {
                write!(f, "opened {shard} {was_clean} {epoch} {last_sequence} {cut_count} {note_count}")
            }
            Self::Held(placed) => write!(f, "held {placed}"),
            Self::ReadBack { partition, start, end } => write!(f, "readback {partition} {start} {end}"),
            Self::Serving { shard, unused_file_count } => write!(f, "serving {shard} {unused_file_count}"),
            Self::Minted(stamp) => write!(f, "minted {stamp}"),
            Self::Sent(sent) => write!(f, "sent {sent}"),
            Self::Acked { placed, duplicate } => write!(f, "ack {placed} {duplicate}"),
            Self::Seen(placed) => write!(f, "seen {placed}"),
            Self::End { partition, end } => write!(f, "end {partition} {end}"),
            Self::Resting { shard } => write!(f, "resting {shard}"),
            Self::Checkpointed { shard } => write!(f, "checkpointed {shard}"),
            Self::Refused { shard, code, why } => write!(f, "refused {shard} {code} {}", one_line(why)),
            Self::Stopped { shard, clean } => write!(f, "stopped {shard} {clean}"),
            Self::Wrong(what) => write!(f, "wrong {}", one_line(what)),
        }
    }
}

fn one_line(text: &str) -> String {
    text.replace('\n', " / ")
}

/// The words of a line, taken one by one.
struct Words<'a>(std::str::SplitAsciiWhitespace<'a>);

impl<'a> Words<'a> {
    fn next<T: FromStr>(&mut self) -> Option<T> {
        self.0.next()?.parse().ok()
    }

    fn rest(self) -> String {
        self.0.collect::<Vec<_>>().join(" ")
    }

    fn partition(&mut self) -> Option<PartitionId> {
        let (topic, index) = self.0.next()?.split_once('/')?;
        Some(PartitionId { topic: TopicId(topic.parse().ok()?), index: index.parse().ok()? })
    }

    fn tag(&mut self) -> Option<Tag> {
        Some(Tag { run: self.next()?, producer: self.next()?, serial: self.next()? })
    }

    fn stamp(&mut self) -> Option<Stamp> {
        Some(Stamp { id: self.next()?, epoch: self.next()?, sequence: self.next()? })
    }

    fn sent(&mut self) -> Option<Sent> {
        Some(Sent {
            partition: self.partition()?,
            tag: self.tag()?,
            crc: self.next()?,
            record_count: self.next()?,
            stamp: self.stamp(),
        })
    }

    fn placed(&mut self) -> Option<Placed> {
        Some(Placed {
            partition: self.partition()?,
            base_offset: self.next()?,
            last_offset: self.next()?,
            append_time: self.next()?,
            crc: self.next()?,
            tag: self.tag()?,
        })
    }
}

impl Line {
    /// Reads a line back; `None` if nothing says lines like it.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = Words(text.split_ascii_whitespace());
        Some(match words.0.next()? {
            "opening" => Self::Opening { shard: words.next()? },
            "opened" => Self::Opened {
                shard: words.next()?,
                was_clean: words.next()?,
                epoch: words.next()?,
                last_sequence: words.next()?,
                cut_count: words.next()?,
                note_count: words.next()?,
            },
            "held" => Self::Held(words.placed()?),
            "readback" => Self::ReadBack { partition: words.partition()?, start: words.next()?, end: words.next()? },
            "serving" => Self::Serving { shard: words.next()?, unused_file_count: words.next()? },
            "minted" => Self::Minted(words.stamp()?),
            "sent" => Self::Sent(words.sent()?),
            "ack" => Self::Acked { placed: words.placed()?, duplicate: words.next()? },
            "seen" => Self::Seen(words.placed()?),
            "end" => Self::End { partition: words.partition()?, end: words.next()? },
            "resting" => Self::Resting { shard: words.next()? },
            "checkpointed" => Self::Checkpointed { shard: words.next()? },
            "refused" => Self::Refused { shard: words.next()?, code: words.next()?, why: words.rest() },
            "stopped" => Self::Stopped { shard: words.next()?, clean: words.next()? },
            "wrong" => Self::Wrong(words.rest()),
            _ => return None,
        })
    }
}

/// Standard output without a buffer, shared by all threads of the appender.
#[derive(Clone, Debug)]
pub struct Voice {
    out: Arc<Mutex<File>>,
}

impl Voice {
    /// Over this process's standard output.
    pub fn stdout() -> io::Result<Self> {
        let out = io::stdout().as_fd().try_clone_to_owned()?;
        Ok(Self { out: Arc::new(Mutex::new(File::from(out))) })
    }

    /// Says a line with one write(2). Ends the process if nobody hears it any more.
    pub fn say(&self, line: &Line) {
        self.write(format!("{line}\n").as_bytes());
    }

    /// Says many lines with few calls.
    pub fn say_all(&self, lines: &[Line]) {
        let mut text = String::new();
        for line in lines {
            text.push_str(&format!("{line}\n"));
            if text.len() >= CHUNK_BYTES {
                self.write(text.as_bytes());
                text.clear();
            }
        }
        self.write(text.as_bytes());
    }

    fn write(&self, bytes: &[u8]) {
        let mut out = self.out.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if out.write_all(bytes).is_err() {
            std::process::exit(3);
        }
    }
}
