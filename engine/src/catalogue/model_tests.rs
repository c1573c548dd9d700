//! One coordinator and three owners under random loss, doubling, reordering and crashes, and what must hold
//! whatever happens.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::format::control::Control;
use crate::limits::{CATALOGUE_RESEND_NS, CATALOGUE_WAIT_NS};
use crate::model::{Monotonic, RequestId, ShardId};

const SHARD_COUNT: u16 = 3;
const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// What a random number does to the world.
#[derive(Clone, Copy, Debug)]
enum Step {
    Create { name: u8, partition_count: u8 },
    Alter { topic: u8, change: u8 },
    Delete { topic: u8 },
    Deliver { which: u16 },
    DeliverAndKeep { which: u16 },
    Lose { which: u16 },
    Durable { shard: u8 },
    Crash { shard: u8, appended_survive: u8 },
    Wait { resends: u8 },
}

/// A journal of control records: the first `durable_count` survive a crash.
#[derive(Default)]
struct Journal {
    records: Vec<Control>,
    durable_count: usize,
    /// A manifest, and how many records it includes.
    manifest: Option<(Vec<u8>, usize)>,
}

/// Shard 0's table has a journal of its own here, so that it crashes apart from the owner on shard 0.
struct World {
    now: Monotonic,
    table: Coordinator,
    table_journal: Journal,
    owners: Vec<OwnedPartitions>,
    owner_journals: Vec<Journal>,
    copies: Vec<TopicCopies>,
    network: Vec<(ShardId, ShardId, CatalogueMessage)>,
    requests: u64,
    waiting: BTreeSet<RequestId>,
    /// The highest revision that shard 0 served of each topic, over all its restarts.
    revisions: BTreeMap<TopicId, u32>,
}

impl Journal {
    /// Drops what did not survive and returns what is to be replayed behind the manifest.
    fn crash(&mut self, appended_survive: usize) -> &[Control] {
        let end = self.records.len().min(self.durable_count + appended_survive);
        self.records.truncate(end);
        self.durable_count = end;
        &self.records[self.manifest.as_ref().map_or(0, |(_, included)| *included)..]
    }
}

impl World {
    fn new() -> Self {
        let owner = |shard| OwnedPartitions::new(OwnedState::new(ShardId(shard)));
        Self {
            now: Monotonic(1),
            table: Coordinator::new(OwnerState::new(SHARD_COUNT)),
            table_journal: Journal::default(),
            owners: (0..SHARD_COUNT).map(owner).collect(),
            owner_journals: (0..SHARD_COUNT).map(|_| Journal::default()).collect(),
            copies: (0..SHARD_COUNT).map(|_| TopicCopies::new()).collect(),
            network: Vec::new(),
            requests: 0,
            waiting: BTreeSet::new(),
            revisions: BTreeMap::new(),
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Create { name, partition_count } => {
                let (request, now) = (self.next_request(), self.now);
                let name = NAMES[usize::from(name) % NAMES.len()];
                let settings = TopicSettings::default();
                let actions = self.table.create(request, name, u32::from(partition_count % 4) + 1, settings, None, now);
                self.run(actions);
            }
            Step::Alter { topic, change } => {
                let (request, now) = (self.next_request(), self.now);
                let minted = self.table.ahead().topic_id_next().0;
                let change = TopicChange {
                    retention_ns: (change % 2 == 0).then_some((change % 4 == 0).then_some(u64::from(change) + 1)),
                    partition_count: (change % 3 > 0).then_some(u32::from(change % 8)),
                    ..TopicChange::default()
                };
                let actions = self.table.alter(request, TopicId(u64::from(topic) % minted), &change, now);
                self.run(actions);
            }
            Step::Delete { topic } => {
                let (request, now) = (self.next_request(), self.now);
                let minted = self.table.ahead().topic_id_next().0;
                let actions = self.table.delete(request, TopicId(u64::from(topic) % minted), now);
                self.run(actions);
            }
            Step::Deliver { which } => self.deliver(which, false),
            Step::DeliverAndKeep { which } => self.deliver(which, true),
            Step::Lose { which } if !self.network.is_empty() => {
                self.network.swap_remove(usize::from(which) % self.network.len());
            }
            Step::Lose { .. } => {}
            Step::Durable { shard } => self.make_durable(usize::from(shard) % (usize::from(SHARD_COUNT) + 1)),
            Step::Crash { shard, appended_survive } => {
                self.crash(usize::from(shard) % (usize::from(SHARD_COUNT) + 1), usize::from(appended_survive % 3));
            }
            Step::Wait { resends } => self.wait(u64::from(resends % 40) * CATALOGUE_RESEND_NS / 4),
        }
        self.check_always();
    }

    fn next_request(&mut self) -> RequestId {
        self.requests += 1;
        self.waiting.insert(RequestId(self.requests));
        RequestId(self.requests)
    }

    fn run(&mut self, actions: Vec<CatalogueAction>) {
        for action in actions {
            match action {
                CatalogueAction::Append(record) => self.table_journal.records.push(Control::from(&record)),
                CatalogueAction::Send { to, message } => self.network.push((ShardId(0), to, message)),
                CatalogueAction::Reply { request, reply } => {
                    assert!(self.waiting.remove(&request), "answered twice or never asked: {request} {reply:?}");
                    self.check_reply(&reply);
                }
            }
        }
    }

    fn check_reply(&self, reply: &CatalogueReply) {
        match reply {
            CatalogueReply::Created(descriptor) | CatalogueReply::Altered(descriptor) => {
                for owner in descriptor.owners() {
                    let open = self.owners[usize::from(owner.0)].durable().topic(descriptor.id());
                    assert_eq!(open, Some(descriptor), "created or altered, and not open at shard {owner}");
                }
            }
            CatalogueReply::Deleted(topic) => {
                assert!(self.owners.iter().all(|owner| owner.durable().topic(*topic).is_none()), "deleted, and open");
                assert!(self.table.durable().topic(*topic).is_none());
            }
            CatalogueReply::NameTaken { topic } => {
                let state = self.table.durable().topic(*topic).map(|topic| topic.state);
                assert!(matches!(state, Some(TopicState::Live | TopicState::Altering)), "{state:?}");
            }
            CatalogueReply::InvalidPartitionCount { asked, least, .. } => assert!(asked < least),
            CatalogueReply::TooManyTopics
            | CatalogueReply::NotFound(_)
            | CatalogueReply::Busy
            | CatalogueReply::StillWorking => {}
            CatalogueReply::InvalidName(_)
            | CatalogueReply::PartitionsFixed { .. }
            | CatalogueReply::InvalidSetting(_)
            | CatalogueReply::TooManyRevisions
            | CatalogueReply::OutcomeUnknown
            | CatalogueReply::Unavailable => panic!("no reason for {reply:?}"),
        }
    }

    fn deliver(&mut self, which: u16, keep: bool) {
        if self.network.is_empty() {
            return;
        }
        let index = usize::from(which) % self.network.len();
        let (from, to, message) = if keep { self.network[index].clone() } else { self.network.swap_remove(index) };
        let shard = usize::from(to.0);
        let action = match &message {
            CatalogueMessage::Open { version, descriptor } => self.owners[shard].on_open(*version, descriptor),
            CatalogueMessage::Close { version, topic } => self.owners[shard].on_close(*version, *topic),
            CatalogueMessage::Opened { .. }
            | CatalogueMessage::Closed { .. }
            | CatalogueMessage::CopyRequest { .. } => {
                let actions = self.table.message(from, &message);
                return self.run(actions);
            }
            CatalogueMessage::Publish { .. } | CatalogueMessage::Retract { .. } | CatalogueMessage::CopyPart { .. } => {
                return self.copies[shard].message(&message, self.now);
            }
        };
        match action {
            OwnedAction::Append(record) => self.owner_journals[shard].records.push(Control::from(&record)),
            OwnedAction::Answer(answer) => self.network.push((to, ShardId(0), answer)),
            OwnedAction::Wait | OwnedAction::Refuse(OwnedRefusal::Stale) => {}
            OwnedAction::Refuse(refusal) => panic!("no reason for {refusal:?}"),
        }
    }

    /// One more record of a node is durable: the table's for `node` 3, else the owner's. With nothing left, a manifest.
    fn make_durable(&mut self, node: usize) {
        let table = node == usize::from(SHARD_COUNT);
        let journal = if table { &mut self.table_journal } else { &mut self.owner_journals[node] };
        let Some(control) = journal.records.get(journal.durable_count) else {
            let mut section = Vec::new();
            if table {
                self.table.ahead().encode(&mut section);
            } else {
                self.owners[node].ahead().encode(&mut section);
            }
            journal.manifest = Some((section, journal.records.len()));
            return;
        };
        journal.durable_count += 1;
        if table {
            let record = CatalogueRecord::from_control(control).expect("the table's record");
            let actions = self.table.record_durable(&record, self.now);
            self.run(actions);
        } else {
            let record = OwnedRecord::from_control(control).expect("an owner's record");
            let answer = self.owners[node].record_durable(&record);
            let shard = self.owners[node].durable().shard();
            self.network.push((shard, ShardId(0), answer));
        }
    }

    /// A node loses its memory, and what was appended and did not happen to reach the disk. Messages survive: more
    /// than can happen in one process, and none the worse.
    fn crash(&mut self, node: usize, appended_survive: usize) {
        if node == usize::from(SHARD_COUNT) {
            let manifest = self.table_journal.manifest.clone();
            let decode = |(section, _): (Vec<u8>, usize)| OwnerState::decode(SHARD_COUNT, &section).expect("own bytes");
            let mut state = manifest.map_or(OwnerState::new(SHARD_COUNT), decode);
            for control in self.table_journal.crash(appended_survive) {
                let record = CatalogueRecord::from_control(control).expect("the table's record");
                state.apply(&record).expect("possible");
            }
            self.table = Coordinator::new(state);
            self.waiting.clear();
            let actions = self.table.resume(self.now);
            self.run(actions);
        } else {
            let shard = self.owners[node].durable().shard();
            let manifest = self.owner_journals[node].manifest.clone();
            let decode = |(section, _): (Vec<u8>, usize)| OwnedState::decode(shard, &section).expect("own bytes");
            let mut state = manifest.map_or(OwnedState::new(shard), decode);
            for control in self.owner_journals[node].crash(appended_survive) {
                let record = OwnedRecord::from_control(control).expect("an owner's record");
                state.apply(&record).expect("possible");
            }
            self.owners[node] = OwnedPartitions::new(state);
            self.copies[node] = TopicCopies::new();
        }
    }

    fn wait(&mut self, nanoseconds: u64) {
        self.now = self.now.plus_ns(nanoseconds);
        let actions = self.table.tick(self.now);
        self.run(actions);
        assert!(self.table.next_deadline().is_none_or(|deadline| deadline > self.now), "a tick leaves nothing due");
        for shard in 1..SHARD_COUNT {
            if let Some(request) = self.copies[usize::from(shard)].tick(self.now) {
                self.network.push((ShardId(shard), ShardId(0), request));
            }
        }
    }

    /// What no interleaving may break.
    fn check_always(&mut self) {
        for owner in &self.owners {
            let shard = owner.durable().shard();
            for open in owner.durable().topics() {
                let known = self.table.durable().topic(open.id()).expect("what is open is known to shard 0");
                assert!(open == &known.descriptor || open == known.wanted(), "{open:?} at shard {shard}");
            }
        }
        for live in self.table.durable().live_topics(TopicId(0)) {
            for owner in live.owners() {
                let open = self.owners[usize::from(owner.0)].durable().topic(live.id()).expect("live topics are open");
                assert!(open == live || open.follows(live), "{live:?}, and {open:?} at shard {owner}");
            }
            let served = self.revisions.entry(live.id()).or_default();
            assert!(live.revision() >= *served, "{live:?} after revision {served}");
            *served = live.revision();
        }
    }

    /// The network works again and nobody crashes: everything that was begun comes to its end.
    fn settle(&mut self) {
        for _ in 0..200 {
            for node in 0..=usize::from(SHARD_COUNT) {
                self.make_durable(node);
            }
            while !self.network.is_empty() {
                self.deliver(0, false);
            }
            self.wait(CATALOGUE_RESEND_NS / 2);
            self.check_always();
        }
        self.wait(CATALOGUE_WAIT_NS);
    }

    fn check_settled(&self) {
        assert_eq!(self.table.change_count(), 0, "every change has ended");
        assert!(self.waiting.is_empty(), "everybody was answered: {:?}", self.waiting);
        assert_eq!(self.table.ahead(), self.table.durable());
        let live = self.table.durable().live_topics(TopicId(0)).collect::<Vec<_>>();
        assert_eq!(live.len(), self.table.durable().topic_count());
        for owner in &self.owners {
            let shard = owner.durable().shard();
            let here = live.iter().copied().filter(|topic| topic.owners().contains(&shard));
            assert!(owner.durable().topics().eq(here), "shard {shard} agrees with shard 0");
            assert_eq!(owner.ahead(), owner.durable());
        }
        for copies in &self.copies[1..] {
            assert!(copies.topics().eq(live.iter().copied()), "copies agree with shard 0");
        }
    }

    /// Each id was minted once. Each owner took over descriptions in the order of their revisions, and closed at most
    /// once, at the end.
    fn check_journals(&self) {
        let mut minted = Vec::new();
        for control in &self.table_journal.records {
            if let Control::TopicCreating(descriptor) = control {
                minted.push(descriptor.id());
            }
        }
        assert!(minted.is_sorted_by(|a, b| a < b), "ids rise: {minted:?}");
        for journal in &self.owner_journals {
            let mut steps = BTreeMap::<TopicId, Vec<u32>>::new();
            for control in &journal.records {
                let record = OwnedRecord::from_control(control).expect("an owner's record");
                steps.entry(record.topic()).or_default().push(match &record {
                    OwnedRecord::Opened(descriptor) => descriptor.revision(),
                    OwnedRecord::Closed { .. } => u32::MAX,
                });
            }
            for (topic, steps) in steps {
                let follow = |pair: &[u32]| pair[1] == pair[0] + 1 || pair[1] == u32::MAX && pair[0] < u32::MAX;
                let is_opened_first = steps[0] < u32::MAX;
                assert!(is_opened_first && steps.windows(2).all(follow), "topic {topic}: {steps:?}");
            }
        }
    }
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => any::<(u8, u8)>().prop_map(|(name, partition_count)| Step::Create { name, partition_count }),
        4 => any::<(u8, u8)>().prop_map(|(topic, change)| Step::Alter { topic, change }),
        2 => any::<u8>().prop_map(|topic| Step::Delete { topic }),
        14 => any::<u16>().prop_map(|which| Step::Deliver { which }),
        4 => any::<u16>().prop_map(|which| Step::DeliverAndKeep { which }),
        2 => any::<u16>().prop_map(|which| Step::Lose { which }),
        12 => any::<u8>().prop_map(|shard| Step::Durable { shard }),
        1 => any::<(u8, u8)>().prop_map(|(shard, appended_survive)| Step::Crash { shard, appended_survive }),
        2 => any::<u8>().prop_map(|resends| Step::Wait { resends }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn owners_and_copies_agree_with_shard_0_after_any_interleaving(
        steps in prop::collection::vec(any_step(), 0..600),
    ) {
        let mut world = World::new();
        steps.into_iter().for_each(|step| world.step(step));
        world.settle();
        world.check_settled();
        world.check_journals();
    }
}
