//! The first client of a world, who makes its topics, and the last one, who reads everything back.

use std::rc::Rc;

use florin_engine::catalogue::TopicSettings;
use florin_engine::format::control::{KeyRule, KeySource, Partitioner};
use florin_engine::limits::KEY_WINDOW_DAYS_MAX;
use florin_engine::model::{Offset, PartitionId, TopicId};
use florin_engine::partition::Isolation;
use florin_net::protocol::{Code, Request, RequestFrom, Response};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::FETCH_BYTES_MAX;
use super::payer::KEY_HEADER;
use crate::wire::ground::{Ground, MOVES_TOPIC, Trouble};
use crate::wire::promises::AskedFetch;
use crate::wire::session::{Manner, Session};

/// Makes the topics of the plan; comes back when all are there or a promise is broken.
pub(in crate::wire) async fn found_topics(ground: Rc<Ground>, mut random: ChaCha8Rng) {
    for number in 0..ground.plan.topic_count {
        let name = format!("first-{number}");
        let partition_count = random.random_range(1..=4);
        while !ground.is_broken() && !ground.topics.borrow().iter().any(|topic| topic.name == name) {
            match found(&ground, &name, partition_count, None, &mut random).await {
                Ok(()) => {}
                Err(Trouble::Lost) => ground.back_off(&mut random).await,
                Err(Trouble::Broken(violation)) => ground.note(violation),
            }
        }
    }
    while ground.plan.payer_count > 0 && ground.paid_topic().is_none() && !ground.is_broken() {
        let source = KeySource::Header(KEY_HEADER.into());
        let rule = KeyRule::new(source, KEY_WINDOW_DAYS_MAX, Vec::new(), Partitioner::Murmur2).expect("a rule");
        match found(&ground, "payments", 3, Some(rule), &mut random).await {
            Ok(()) => {}
            Err(Trouble::Lost) => ground.back_off(&mut random).await,
            Err(Trouble::Broken(violation)) => ground.note(violation),
        }
    }
    while ground.plan.mover_count > 0 && ground.moves_topic().is_none() && !ground.is_broken() {
        match found(&ground, MOVES_TOPIC, 4, None, &mut random).await {
            Ok(()) => {}
            Err(Trouble::Lost) => ground.back_off(&mut random).await,
            Err(Trouble::Broken(violation)) => ground.note(violation),
        }
    }
}

/// Asks once for a topic, or for how it is if its name is taken.
async fn found(
    ground: &Rc<Ground>,
    name: &str,
    partition_count: u32,
    keys: Option<KeyRule>,
    random: &mut ChaCha8Rng,
) -> Result<(), Trouble> {
    let manner = Manner::any(random);
    let mut session = Session::open(ground, ground.any_port(random), manner, ()).await?;
    let settings = TopicSettings::default();
    session.ask(&Request::CreateTopic { name: name.to_owned(), partition_count, settings, keys }, ());
    session.ask(&Request::Metadata { from: TopicId(0), names: vec![name.to_owned()] }, ());
    while session.asked_count() > 0 {
        for (_, response) in session.step().await? {
            match response {
                Response::TopicCreated(topic) if topic.name == name => ground.topic_shown(&topic)?,
                Response::Topics(page) => ground.page_shown(&page)?,
                Response::Error(error) if error.code == Code::NAME_TAKEN => {}
                Response::Error(error) => ground.is_no_blame(&error)?,
                other => ground.misfit("the wish for a topic", &other)?,
            }
        }
    }
    ground.rest(random).await;
    Ok(())
}

/// Reads every partition that is known, from its first offset to its end, and holds it against what everybody knows.
pub(in crate::wire) async fn read_everything(ground: Rc<Ground>, mut random: ChaCha8Rng) {
    let topics = ground.topics.borrow().clone();
    let partitions = topics.iter().flat_map(|topic| {
        let count = u32::try_from(topic.placement.len()).expect("few partitions");
        (0..count).map(|index| PartitionId { topic: topic.id, index })
    });
    for partition in partitions {
        let mut serials = Vec::new();
        let mut end = None;
        while end.is_none() && !ground.is_broken() {
            match read_whole(&ground, partition, &mut serials, &mut random).await {
                Ok(at) => end = Some(at),
                Err(Trouble::Lost) => ground.back_off(&mut random).await,
                Err(Trouble::Broken(violation)) => ground.note(violation),
            }
        }
        let Some(end) = end else { return };
        ground.count(|summary| summary.verified_count += serials.len() as u64);
        let whole = ground.is_whole(partition, end, &serials);
        if let Err(violation) = whole.and_then(|()| ground.is_stored_once(partition, &serials)) {
            ground.note(violation);
        }
    }
}

/// Reads a partition to its end, which it returns.
async fn read_whole(
    ground: &Rc<Ground>,
    partition: PartitionId,
    serials: &mut Vec<u64>,
    random: &mut ChaCha8Rng,
) -> Result<u64, Trouble> {
    serials.clear();
    let port = ground.any_port(random);
    let mut session = Session::open(ground, port, Manner::any(random), None).await?;
    let mut from = 0;
    loop {
        let known_end = ground.known_end(partition);
        let asked = AskedFetch { partition, from, bytes_max: FETCH_BYTES_MAX, known_end };
        let bytes_max = u32::try_from(FETCH_BYTES_MAX).expect("few bytes");
        let request = Request::Fetch {
            partition,
            from: RequestFrom::Offset(Offset(from)),
            bytes_max,
            wait_ms: 0,
            isolation: Isolation::Uncommitted,
        };
        session.ask(&request, Some(asked));
        for (asked, response) in session.step().await? {
            match (asked, response) {
                (Some(asked), Response::Fetched(fetched)) => {
                    serials.extend(ground.fetched(&asked, &fetched)?);
                    let last = fetched.batches.last();
                    from = last.map_or(Ok(from), |last| next_offset(&last.bytes))?;
                    if from >= fetched.high_watermark.0 {
                        return Ok(from);
                    }
                }
                (Some(asked), Response::Error(error)) => {
                    ground.fetch_refused(&asked, &error)?;
                    ground.back_off(random).await;
                }
                (_, response) => ground.misfit("a fetch", &response)?,
            }
        }
    }
}

fn next_offset(batch: &[u8]) -> Result<u64, Trouble> {
    match florin_engine::format::batch::last_offset(batch) {
        Ok(last) => Ok(last.0 + 1),
        Err(error) => crate::world::checkers::violation("bytes", format!("a batch that was read: {error}"))?,
    }
}
