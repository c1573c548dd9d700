//! Everybody who works on a server, in all rounds.

#![allow(clippy::disallowed_methods, reason = "a harness of real processes has real threads")]

use std::thread;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::served::ledger::topics::Topic;
use crate::served::load::Scene;
use crate::served::load::changer::Changer;
use crate::served::load::plain::Plain;
use crate::served::load::reader::Reader;
use crate::served::load::writer::Writer;

/// The numbers of writers; none is used twice.
const WRITERS: u32 = 10;
const PLAINS: u32 = 20;
const CHANGER: u32 = 30;
const READERS: u32 = 40;

/// All who work on a server.
pub(super) struct Workers {
    writers: Vec<Writer>,
    plains: Vec<Plain>,
    readers: Vec<Reader>,
    changer: Changer,
}

impl Workers {
    pub(super) fn new(seed: u64) -> Self {
        let random = |number: u32| {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            random.set_stream(u64::from(number));
            random
        };
        // The last of each kind always uses the wrong port.
        Self {
            writers: (0..3).map(|n| Writer::new(WRITERS + n, random(WRITERS + n), n == 2)).collect(),
            plains: (0..2).map(|n| Plain::new(PLAINS + n, random(PLAINS + n), n == 1)).collect(),
            readers: (0..2).map(|n| Reader::new(READERS + n, random(READERS + n), n == 1)).collect(),
            changer: Changer::new(CHANGER, random(CHANGER)),
        }
    }

    pub(super) fn turn_to(&mut self, topic: &Topic) {
        self.writers.iter_mut().for_each(|writer| writer.turn_to(topic));
        self.readers.iter_mut().for_each(|reader| reader.turn_to(topic));
        self.changer.forget();
    }

    /// Lets everybody work until the server is gone.
    pub(super) fn run<'scope, 'all: 'scope>(
        &'all mut self,
        scope: &'scope thread::Scope<'scope, 'all>,
        scene: &'all Scene<'_>,
    ) {
        self.writers.iter_mut().for_each(|writer| drop(scope.spawn(|| writer.run(scene))));
        self.plains.iter_mut().for_each(|plain| drop(scope.spawn(|| plain.run(scene))));
        self.readers.iter_mut().for_each(|reader| drop(scope.spawn(|| reader.run(scene))));
        let changer = &mut self.changer;
        scope.spawn(|| changer.run(scene));
    }
}
