//! A topic that was made stays as it is.

use florin_engine::model::TopicId;
use florin_net::protocol::{TopicDescription, TopicsPage};

use crate::wire::ground::Ground;
use crate::world::checkers::{Checked, violation};

impl Ground {
    /// The server showed a live topic: as it always did.
    pub(in crate::wire) fn topic_shown(&self, topic: &TopicDescription) -> Checked {
        let is_same = |known: &&TopicDescription| known.id == topic.id || known.name == topic.name;
        let known = self.topics.borrow().iter().find(is_same).cloned();
        if let Some(known) = known.filter(|known| known != topic) {
            return violation("topics", format!("{known:?} is now {topic:?}"));
        }
        self.learn(topic);
        Ok(())
    }

    /// A page of topics. A shard that has not heard from shard 0 yet also shows topics that are still being made.
    pub(in crate::wire) fn page_shown(&self, page: &TopicsPage) -> Checked {
        let is_live =
            |topic: &&TopicDescription| page.complete || self.topics.borrow().iter().any(|known| known.id == topic.id);
        page.topics.iter().filter(is_live).try_for_each(|topic| self.topic_shown(topic))
    }

    /// A page of all topics: shard 0 leaves out none that anybody knew when it was asked.
    pub(in crate::wire) fn topics_listed(&self, port: u16, known: &[TopicId], page: &TopicsPage) -> Checked {
        self.page_shown(page)?;
        let is_all = port == 0 && page.complete && page.next == TopicId(0);
        let missing = known.iter().find(|id| !page.topics.iter().any(|topic| topic.id == **id));
        match missing {
            Some(id) if is_all => violation("topics", format!("topic {id} is not listed")),
            _ => Ok(()),
        }
    }
}
