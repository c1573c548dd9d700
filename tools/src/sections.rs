//! What the sections of a manifest say, decoded with the engine's own readers.

use bytes::Buf;
use florin_engine::catalogue::{OwnedState, OwnerState, TopicDescriptor, TopicState};
use florin_engine::format::manifest::{Manifest, Module, Section};
use florin_engine::limits::PARTITION_PRODUCER_COUNT_MAX;
use florin_engine::model::{Offset, PartitionId, Realtime, ShardId};
use florin_engine::partition::{Gap, Partition};
use florin_engine::producer::{ProducerIdMint, ProducerTable};
use florin_engine::segment::{Run, SegmentState, SegmentTable};
use serde::Serialize;

use crate::time::{rfc3339, rfc3339_unless_never};
use crate::topic_settings::{KeyRuleDocument, SettingsDocument};

pub mod keys;
pub mod transactions;

use keys::Keys;
use transactions::{Groups, OpenTransactions, Transactions};

/// Why a section that goes partition by partition is not read.
const WHOSE: &str = "whose they are is not known: the section of the partitions cannot be read";
/// The only version of each section's encoding.
const SECTION_VERSION: u16 = 1;

/// The contents of one section.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Contents {
    /// Names and placement of all topics.
    Catalogue(Catalogue),
    /// The shard's own topics and partitions.
    Partitions(Partitions),
    /// How many producers each partition knows.
    Producers(Producers),
    /// Reserved producer ids.
    ProducerIds(ProducerIds),
    /// When the wall clock was last confirmed.
    Clock(Clock),
    /// The shard's segment files.
    Segments(Segments),
    /// Where idempotency keys are at rest.
    Keys(Keys),
    /// Transactions that are open in partitions.
    Transactions(OpenTransactions),
    /// Transactional ids.
    Coordinator(Transactions),
    /// Consumer groups.
    Groups(Groups),
}

/// Shard 0's table.
#[derive(Debug, Serialize)]
pub struct Catalogue {
    /// Records ever applied.
    pub catalogue_version: u64,
    /// The version at which the set of live topics last changed.
    pub live_version: u64,
    /// The id that the next topic gets.
    pub topic_id_next: u64,
    /// The topics, by id.
    pub topics: Vec<Topic>,
}

/// One topic.
#[derive(Debug, Serialize)]
pub struct Topic {
    /// Its id.
    pub topic: u64,
    /// Its name.
    pub name: String,
    /// `creating`, `live`, `deleting` or `altering`; only shard 0 knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<&'static str>,
    /// How often it was altered, counted from 1 on.
    pub revision: u32,
    /// The shard of each partition.
    pub placement: Vec<u16>,
    /// What was chosen for it.
    pub settings: SettingsDocument,
    /// By what it knows two payments to be the same one, if it does.
    pub idempotency: Option<KeyRuleDocument>,
    /// The description that is to follow, while it is being altered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending: Option<Box<Self>>,
}

/// The partitions of a shard.
#[derive(Debug, Serialize)]
pub struct Partitions {
    /// Requests to open a topic below this catalogue version came too late.
    pub closed_version: u64,
    /// Topics with open partitions here, by id.
    pub topics: Vec<Topic>,
    /// Open partitions.
    pub partitions: Vec<PartitionEnd>,
}

/// Where a partition ends.
#[derive(Debug, Serialize)]
pub struct PartitionEnd {
    /// The topic.
    pub topic: u64,
    /// The partition's index in it.
    pub partition: u32,
    /// The first offset that retention left.
    pub start_offset: u64,
    /// Where it goes on.
    pub next_offset: u64,
    /// When its last batch was appended; nothing if it never had one.
    pub last_append_time: Option<String>,
    /// Bytes that retention cut.
    pub cut_bytes: u64,
    /// When retention last cut; nothing if it never did.
    pub cut_time: Option<String>,
    /// What is at rest, in the order of offsets.
    pub runs: Vec<RunView>,
    /// What is lost for good, in the order of offsets.
    pub gaps: Vec<GapView>,
}

/// Offsets that are lost for good.
#[derive(Debug, Serialize)]
pub struct GapView {
    /// The first of them.
    pub base_offset: u64,
    /// The first offset behind them.
    pub next_offset: u64,
    /// When an operator accepted it.
    pub accepted: String,
}

/// A stretch of a partition in a segment file.
#[derive(Debug, Serialize)]
pub struct RunView {
    /// The file.
    pub segment: u64,
    /// Its first byte in it.
    pub position: u64,
    /// Its bytes.
    pub bytes: u64,
    /// Offset of its first record.
    pub base_offset: u64,
    /// Offset of the first record behind it.
    pub next_offset: u64,
    /// When its first batch was appended.
    pub first_append_time: String,
    /// When its last batch was appended.
    pub last_append_time: String,
}

/// The segment files of a shard.
#[derive(Debug, Serialize)]
pub struct Segments {
    /// The id that the next file gets.
    pub segment_next: u64,
    /// The files, by id.
    pub files: Vec<SegmentView>,
}

/// A segment file.
#[derive(Debug, Serialize)]
pub struct SegmentView {
    /// Its id.
    pub segment: u64,
    /// `growing`, `sealed` or `closed`.
    pub state: &'static str,
    /// The first byte behind its extents.
    pub end: u64,
    /// Bytes of the index behind them, 0 without one.
    pub index_bytes: u32,
}

/// Producers by partition.
#[derive(Debug, Serialize)]
pub struct Producers {
    /// Every open partition.
    pub partitions: Vec<ProducerCount>,
}

/// How many producers a partition knows.
#[derive(Debug, Serialize)]
pub struct ProducerCount {
    /// The topic.
    pub topic: u64,
    /// The partition's index in it.
    pub partition: u32,
    /// Producers with a retry window.
    pub producer_count: usize,
}

/// Producer ids of a shard.
#[derive(Debug, Serialize)]
pub struct ProducerIds {
    /// One behind the last counter that was reserved.
    pub reserved_end: u64,
}

/// The wall clock.
#[derive(Debug, Serialize)]
pub struct Clock {
    /// What it showed when an operator last confirmed it; nothing if nobody ever did.
    pub confirmed: Option<String>,
}

/// Where each open partition goes on.
type Ends = Vec<(PartitionId, Offset)>;

/// Decodes every section; the result is in the order of `manifest.sections`.
pub fn decode(manifest: &Manifest, shard_count: u16) -> Vec<Result<Contents, String>> {
    let mut open = None;
    let decoded = manifest.sections.iter().map(|section| {
        if section.version != SECTION_VERSION {
            return Err(format!("its encoding is version {}, this Florin reads {SECTION_VERSION}", section.version));
        }
        if section.sequence != manifest.sequence {
            return Err(format!("includes block {} instead of {}", section.sequence, manifest.sequence));
        }
        match section.module {
            Module::Catalogue => catalogue(section, shard_count),
            Module::Partitions => partitions(section, manifest.shard).map(|(owned, ends, contents)| {
                open = Some((owned, ends));
                contents
            }),
            Module::Producers => match &open {
                Some((_, ends)) => producers(section, ends),
                None => Err(WHOSE.to_owned()),
            },
            Module::ProducerIds => producer_ids(section, manifest.shard),
            Module::Clock => clock(section),
            Module::Segments => segments(section),
            Module::Keys => match &open {
                Some((owned, ends)) => keys::decode(section, owned, ends),
                None => Err(WHOSE.to_owned()),
            },
            Module::Transactions => match &open {
                Some((_, ends)) => transactions::open(section, ends),
                None => Err(WHOSE.to_owned()),
            },
            Module::Coordinator => transactions::coordinator(section),
            Module::Groups => transactions::groups(section),
        }
    });
    decoded.collect()
}

fn catalogue(section: &Section, shard_count: u16) -> Result<Contents, String> {
    let state = OwnerState::decode(shard_count, &section.bytes).map_err(|error| error.to_string())?;
    let topics = state.topics().map(|topic| {
        let state = match topic.state {
            TopicState::Creating => "creating",
            TopicState::Live => "live",
            TopicState::Deleting => "deleting",
            TopicState::Altering => "altering",
        };
        let pending = topic.pending.as_ref().map(Topic::of).map(Box::new);
        Topic { state: Some(state), pending, ..Topic::of(&topic.descriptor) }
    });
    Ok(Contents::Catalogue(Catalogue {
        catalogue_version: state.version(),
        live_version: state.live_version(),
        topic_id_next: state.topic_id_next().0,
        topics: topics.collect(),
    }))
}

/// Owned topics, then every open partition: u32 bytes of the topics, topics, u32 count, partitions.
fn partitions(section: &Section, shard: ShardId) -> Result<(OwnedState, Ends, Contents), String> {
    let mut bytes = &section.bytes[..];
    let cut_off = |_| "it is cut off".to_owned();
    let topics_bytes = bytes.try_get_u32_le().map_err(cut_off)? as usize;
    let (topics, mut bytes) = bytes.split_at_checked(topics_bytes).ok_or("it is cut off")?;
    let owned = OwnedState::decode(shard, topics).map_err(|error| error.to_string())?;
    let count = bytes.try_get_u32_le().map_err(cut_off)?;
    let mut ids = Vec::new();
    let mut ends = Vec::new();
    for _ in 0..count {
        let partition = Partition::decode(&mut bytes).map_err(|error| error.to_string())?;
        let id = partition.id();
        // An append time never goes back, so the earliest possible next one is the last one.
        let last_append_time = partition.next_slot(Realtime(0)).append_time;
        ids.push((id, partition.next_offset()));
        ends.push(PartitionEnd {
            topic: id.topic.0,
            partition: id.index,
            start_offset: partition.start_offset().0,
            next_offset: partition.next_offset().0,
            last_append_time: rfc3339_unless_never(last_append_time),
            cut_bytes: partition.cuts().bytes,
            cut_time: rfc3339_unless_never(partition.cuts().time),
            runs: partition.runs().map(RunView::of).collect(),
            gaps: partition.gaps().map(GapView::of).collect(),
        });
    }
    if !bytes.is_empty() {
        return Err(format!("{} bytes are left behind it", bytes.len()));
    }
    if !owned.partitions().eq(ids.iter().map(|(id, _)| *id)) {
        return Err("partitions and their topics do not agree".to_owned());
    }
    let topics = owned.topics().map(Topic::of).collect();
    let contents = Partitions { closed_version: owned.closed_version(), topics, partitions: ends };
    Ok((owned, ids, Contents::Partitions(contents)))
}

fn producers(section: &Section, ends: &Ends) -> Result<Contents, String> {
    let mut bytes = &section.bytes[..];
    let mut partitions = Vec::new();
    for (id, _) in ends {
        let table = ProducerTable::decode(&mut bytes, PARTITION_PRODUCER_COUNT_MAX);
        let table = table.map_err(|error| format!("partition {id}: {error}"))?;
        partitions.push(ProducerCount { topic: id.topic.0, partition: id.index, producer_count: table.len() });
    }
    if bytes.is_empty() {
        Ok(Contents::Producers(Producers { partitions }))
    } else {
        Err(format!("{} bytes are left behind it", bytes.len()))
    }
}

fn producer_ids(section: &Section, shard: ShardId) -> Result<Contents, String> {
    let mut bytes = &section.bytes[..];
    let mint = ProducerIdMint::decode(shard, &mut bytes).map_err(|error| error.to_string())?;
    Ok(Contents::ProducerIds(ProducerIds { reserved_end: mint.reserved_end() }))
}

fn clock(section: &Section) -> Result<Contents, String> {
    let confirmed = (&section.bytes[..]).try_get_u64_le().map_err(|error| error.to_string())?;
    Ok(Contents::Clock(Clock { confirmed: rfc3339_unless_never(Realtime(confirmed)) }))
}

fn segments(section: &Section) -> Result<Contents, String> {
    let table = SegmentTable::decode(&section.bytes).map_err(|error| error.to_string())?;
    let files = table.all().map(|(segment, file)| SegmentView {
        segment: segment.0,
        state: match file.state {
            SegmentState::Growing => "growing",
            SegmentState::Sealed => "sealed",
            SegmentState::Closed => "closed",
        },
        end: file.end.0,
        index_bytes: file.index_bytes,
    });
    Ok(Contents::Segments(Segments { segment_next: table.next_id().0, files: files.collect() }))
}

impl GapView {
    fn of(gap: &Gap) -> Self {
        Self { base_offset: gap.base_offset.0, next_offset: gap.next_offset.0, accepted: rfc3339(gap.accepted) }
    }
}

impl RunView {
    fn of(run: &Run) -> Self {
        Self {
            segment: run.segment.0,
            position: run.position.0,
            bytes: run.bytes,
            base_offset: run.base_offset.0,
            next_offset: run.next_offset.0,
            first_append_time: rfc3339(run.first_append_time),
            last_append_time: rfc3339(run.last_append_time),
        }
    }
}

/// The module's name, the same in text and JSON.
pub fn module_word(module: Module) -> &'static str {
    match module {
        Module::Catalogue => "catalogue",
        Module::Partitions => "partitions",
        Module::Producers => "producers",
        Module::ProducerIds => "producer_ids",
        Module::Clock => "clock",
        Module::Segments => "segments",
        Module::Keys => "keys",
        Module::Transactions => "transactions",
        Module::Coordinator => "coordinator",
        Module::Groups => "groups",
    }
}

impl Topic {
    fn of(descriptor: &TopicDescriptor) -> Self {
        Self {
            topic: descriptor.id().0,
            name: descriptor.name().to_owned(),
            state: None,
            revision: descriptor.revision(),
            placement: descriptor.placement().iter().map(|shard| shard.0).collect(),
            settings: descriptor.settings().into(),
            idempotency: descriptor.keys().map(KeyRuleDocument::from),
            pending: None,
        }
    }
}
