//! A topic that was made stays as it is.

use florin_engine::model::TopicId;
use florin_net::protocol::{TopicDescription, TopicsPage};

use crate::wire::ground::Ground;
use crate::world::model::{Checked, violation};

impl Ground {
    /// The server named a topic: as it always did.
    pub(in crate::wire) fn topic_shown(&self, topic: &TopicDescription) -> Checked {
        let known = self.topics.borrow().iter().find(|known| known.id == topic.id).cloned();
        if let Some(known) = known.filter(|known| known != topic) {
            return violation("topics", format!("{known:?} is now {topic:?}"));
        }
        let twin = self.topics.borrow().iter().find(|known| known.id != topic.id && known.name == topic.name).cloned();
        if let Some(twin) = twin {
            return violation("topics", format!("{twin:?} and {topic:?} have one name"));
        }
        self.learn(topic);
        Ok(())
    }

    /// A page of all topics: shard 0 leaves out none that anybody knew when it was asked.
    pub(in crate::wire) fn topics_listed(&self, port: u16, known: &[TopicId], page: &TopicsPage) -> Checked {
        page.topics.iter().try_for_each(|topic| self.topic_shown(topic))?;
        let is_all = port == 0 && page.complete && page.next == TopicId(0);
        let missing = known.iter().find(|id| !page.topics.iter().any(|topic| topic.id == **id));
        match missing {
            Some(id) if is_all => violation("topics", format!("topic {id} is not listed")),
            _ => Ok(()),
        }
    }
}
