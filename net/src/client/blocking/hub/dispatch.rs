//! Calls and metadata: which link they take, and what is learnt from their answers.

use super::link::LinkKey;
use super::{Hub, Tag};
use crate::client::blocking::command::{Call, CallFault, Route};
use crate::client::blocking::completion::lock;
use crate::client::core::metadata::MetadataPages;
use crate::protocol::{Request, Response, TopicDescription, TopicsPage};

/// Calls of one link that were not sent yet.
const WAITING_COUNT_MAX: usize = 4096;

impl Hub {
    /// Puts a call where it will be sent from.
    pub(super) fn route(&mut self, call: Call) {
        let shard = match call.route {
            Route::Any => None,
            Route::Shard(shard) => Some(shard),
            Route::Partition(partition) => match self.metadata.shard_of(partition) {
                Some(shard) => Some(shard),
                None => return call.answer(Err(CallFault::NoRoute)),
            },
        };
        let key = match shard {
            Some(shard) if self.metadata.endpoint(shard).is_none() => {
                self.metadata_is_stale = true;
                return call.answer(Err(CallFault::NoRoute));
            }
            Some(shard) => LinkKey::Shard(shard),
            None => self.any_link(),
        };
        let link = self.links.entry(key).or_default();
        if link.waiting.len() >= WAITING_COUNT_MAX {
            let reason = format!("{WAITING_COUNT_MAX} calls wait for the same connection");
            return call.answer(Err(CallFault::NotSent { reason }));
        }
        link.waiting.push_back(call);
    }

    fn any_link(&self) -> LinkKey {
        let ready = self.links.iter().find(|(_, link)| link.is_open());
        ready.map_or(LinkKey::Bootstrap, |(key, _)| *key)
    }

    /// Topics may have been altered without anybody being sent elsewhere: what is old is asked for anew.
    pub(super) fn age_metadata(&mut self, now_ns: u64) {
        let is_used = !self.producers.is_empty() || !self.consumers.is_empty();
        let is_old = now_ns.saturating_sub(self.metadata_at_ns) >= self.start.metadata_age_ns;
        if is_used && is_old && !self.metadata_is_stale {
            self.metadata_is_stale = true;
            self.metadata_back_off.succeed();
        }
    }

    /// Asks where everything is, if that is to be asked.
    pub(super) fn ask_metadata(&mut self, now_ns: u64) {
        if !self.metadata_is_stale || self.metadata_pages.is_some() || !self.metadata_back_off.is_over(now_ns) {
            return;
        }
        self.ask_page(MetadataPages::default(), now_ns);
    }

    fn ask_page(&mut self, pages: MetadataPages, now_ns: u64) {
        let key = self.any_link();
        let Some(connection) = self.links.entry(key).or_default().outlet() else { return };
        let request = Request::Metadata { from: pages.from(), names: Vec::new() };
        connection.request(&request, Tag::Metadata, now_ns.saturating_add(self.start.request_ns));
        self.metadata_pages = Some(pages);
    }

    /// A page came, or none.
    pub(super) fn on_metadata(&mut self, response: Response, now_ns: u64) {
        let Some(mut pages) = self.metadata_pages.take() else { return };
        let Response::Topics(page) = response else { return self.on_metadata_failed(now_ns) };
        match pages.add(page) {
            Ok(None) => self.ask_page(pages, now_ns),
            Ok(Some(mut metadata)) => {
                metadata.keep_newer(&self.metadata);
                self.metadata = metadata;
                self.metadata_is_stale = false;
                self.metadata_at_ns = now_ns;
                // Whoever is still sent elsewhere asks again, but not without a pause.
                self.metadata_back_off.fail(now_ns);
                self.tell_topics();
            }
            Err(_not_pages) => self.on_metadata_failed(now_ns),
        }
    }

    pub(super) fn on_metadata_failed(&mut self, now_ns: u64) {
        self.metadata_pages = None;
        self.metadata_back_off.fail(now_ns);
    }

    /// Tells those who asked. A topic counts as gone only to who was refused by its shard, and if all topics are
    /// listed: a shard may not have heard of a new topic yet.
    fn tell_topics(&mut self) {
        let metadata = &self.metadata;
        let found = |topic: &TopicDescription| metadata.topic(topic.id).cloned();
        for producer in self.producers.values() {
            let core = &mut lock(&producer.state).core;
            let topic = found(core.topic());
            if topic.is_some() || (core.wants_metadata() && metadata.is_complete()) {
                core.on_topic(topic.as_ref());
            }
        }
        for consumer in self.consumers.values() {
            let mut core = lock(&consumer.core);
            let topic = found(core.topic());
            if topic.is_some() || (core.wants_metadata() && metadata.is_complete()) {
                core.on_topic(topic.as_ref());
            }
        }
    }

    /// What the answer to somebody's call says about topics.
    pub(super) fn learn(&mut self, response: &Response) {
        match response {
            Response::Topics(TopicsPage { endpoints, topics, .. }) => {
                self.metadata.set_endpoints(endpoints.clone());
                topics.iter().for_each(|topic| self.learn_topic(topic));
            }
            Response::TopicCreated(topic)
            | Response::TopicDescribed { topic, .. }
            | Response::TopicAltered { topic, .. } => self.learn_topic(topic),
            _ => {}
        }
    }

    fn learn_topic(&mut self, topic: &TopicDescription) {
        self.metadata.insert(topic.clone());
        self.producers.values().for_each(|producer| lock(&producer.state).core.learn(topic));
        self.consumers.values().for_each(|consumer| lock(&consumer.core).learn(topic));
    }
}
