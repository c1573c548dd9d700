//! Carries out what a shard asks for about idempotency keys.

use std::rc::Rc;

use super::{Inner, Outlet, ShardDriver};
use crate::io::Runtime;
use crate::key_run::look_up::look_up;
use crate::key_run::merge::{KeyMerge, merge};
use crate::key_run::write::KeyWriting;
use crate::limits::KEY_MERGE_REST_FACTOR;
use crate::segment::plan::SegmentSizes;
use crate::shard::request::{DeriveKeys, Event, ReadKeys};

impl<R: Runtime, O: Outlet> Inner<R, O> {
    fn key_writing(&self) -> KeyWriting<'_> {
        KeyWriting {
            directory: &self.files.directory,
            journal_id: self.journal_id,
            shard: self.id,
            section_entry_count_max: SegmentSizes::of(self.geometry.file_bytes).section_entry_count,
            unsynced_bytes_max: self.segment_unsynced_bytes,
            rest_factor: KEY_MERGE_REST_FACTOR,
        }
    }
}

impl<R: Runtime, O: Outlet> ShardDriver<R, O> {
    pub(super) fn derive_keys(&self, derive: DeriveKeys) {
        let driver = self.begin_write();
        self.inner.runtime.spawn(async move {
            let DeriveKeys { partition, keying, batch, info } = derive;
            let work = move || {
                let result = keying.keys_of(&batch, &info);
                (batch, result)
            };
            let (batch, result) = driver.inner.runtime.compute(work).await;
            driver.end_write(Event::KeysDerived { partition, batch, result });
        });
    }

    pub(super) fn read_keys(&self, read: ReadKeys) {
        let driver = self.begin_write();
        self.inner.runtime.spawn(async move {
            let ReadKeys { partition, pieces } = read;
            let inner = &driver.inner;
            let found = match pieces.first() {
                Some(first) => {
                    let name = inner.writing().name(first.segment());
                    look_up(inner.runtime.disk(), &inner.files.directory, name, &pieces).await
                }
                None => Vec::new(),
            };
            let found = pieces.into_iter().zip(found).collect();
            driver.end_write(Event::KeysRead { partition, found });
        });
    }

    pub(super) fn merge_keys(&self, plan: Rc<KeyMerge>) {
        let driver = self.begin_write();
        self.inner.runtime.spawn(async move {
            let inner = &driver.inner;
            let merged = merge(&inner.runtime, inner.key_writing(), &plan, &inner.must_stop).await;
            driver.end_write(Event::KeysMerged(merged));
        });
    }
}
