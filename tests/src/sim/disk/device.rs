//! The state of a simulated device and its rules: what a completion, a flush and a failure do.

use std::collections::{BTreeMap, VecDeque};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use florin_engine::io::{DiskErrorKind, DiskOperation, UNIT_BYTES};
use florin_engine::model::Position;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::config::{DiskConfig, Flush, happens};
use super::content::{Base, SECTOR_BYTES, Tearing, Write};
use super::counters::{Counters, Landing};
use super::fault::{Fault, Injection, take};
use super::image::index;
use super::names::{Names, SharedContent};

/// How many of the last writes are remembered.
const LAST_WRITES_MAX: usize = 32;

pub(super) struct Device {
    pub(super) config: DiskConfig,
    /// Raised by every power loss and kill: handles of an earlier one are dead.
    pub(super) incarnation: u64,
    pub(super) names: Names,
    /// Completed and not durable, by the number of their completion, ascending.
    volatile: Vec<(WriteId, Write)>,
    /// Submitted and not completed, by the number of their submission.
    in_flight: BTreeMap<WriteId, Write>,
    write_next: u64,
    pub(super) injections: Vec<Injection>,
    /// Paths that injected faults struck and that nobody has taken, slow operations left out.
    pub(super) struck: Vec<PathBuf>,
    pub(super) counters: Counters,
    /// The last writes: the path of the file, where each was to begin, and its bytes.
    pub(super) last_writes: VecDeque<(Rc<Path>, Position, u64)>,
    latency_random: ChaCha8Rng,
    fault_random: ChaCha8Rng,
}

/// Numbers submissions and completions in the order they happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct WriteId(u64);

/// What was decided about an operation when it began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    pub(super) latency_ns: u64,
    pub(super) fault: Option<Fault>,
    /// A change of names has its effect at the beginning, not at the end; a failed one has it at all.
    pub(super) early: bool,
}

/// What a sync was asked for: what had completed when it began.
#[derive(Clone, Copy, Debug)]
pub(super) struct SyncTicket {
    before: WriteId,
    size_bytes: u64,
}

impl Device {
    pub(super) fn new(config: DiskConfig, latency_random: ChaCha8Rng, fault_random: ChaCha8Rng) -> Self {
        Self {
            config,
            incarnation: 1,
            names: Names::default(),
            volatile: Vec::new(),
            in_flight: BTreeMap::new(),
            write_next: 0,
            injections: Vec::new(),
            struck: Vec::new(),
            counters: Counters::default(),
            last_writes: VecDeque::new(),
            latency_random,
            fault_random,
        }
    }

    pub(super) fn start(&mut self, operation: DiskOperation, path: &Path) -> Ticket {
        self.counters.count_operation(operation);
        let latencies = &self.config.latencies;
        let range: &RangeInclusive<u64> = match operation {
            DiskOperation::Read => &latencies.read_ns,
            DiskOperation::Write => &latencies.write_ns,
            DiskOperation::Sync | DiskOperation::SyncDirectory => &latencies.sync_ns,
            DiskOperation::Create
            | DiskOperation::Open
            | DiskOperation::List
            | DiskOperation::Rename
            | DiskOperation::Remove => &latencies.name_ns,
        };
        let mut latency_ns = self.latency_random.random_range(range.clone());
        if happens(&mut self.latency_random, latencies.stall_ppm) {
            latency_ns += latencies.stall_ns;
            self.counters.stall_count += 1;
        }
        let early = self.latency_random.random_bool(0.5);
        let injected = take(&mut self.injections, operation, path);
        let mut fault = injected.or_else(|| self.config.faults.draw(operation, path, &mut self.fault_random));
        if let Some(struck) = fault {
            self.counters.count_fault(struck);
            if let Fault::Slow { by_ns } = struck {
                latency_ns += by_ns;
                fault = None;
            } else if injected.is_some() {
                self.struck.push(path.to_owned());
            }
        }
        Ticket { latency_ns, fault, early }
    }

    pub(super) fn submit_write(&mut self, path: &Rc<Path>, write: Write) -> WriteId {
        let bytes = write.bytes();
        if self.last_writes.len() == LAST_WRITES_MAX {
            self.last_writes.pop_front();
        }
        self.last_writes.push_back((Rc::clone(path), Position(bytes.start), bytes.end - bytes.start));
        let id = self.next_id();
        self.in_flight.insert(id, write);
        id
    }

    /// A write comes to its end, and with `durable` it is on stable storage unless something goes wrong.
    pub(super) fn complete_write(
        &mut self,
        id: WriteId,
        durable: bool,
        fault: Option<Fault>,
    ) -> Result<(), DiskErrorKind> {
        let mut write = self.in_flight.remove(&id).expect("a write completes once");
        self.check_capacity(&write)?;
        let asked_bytes = write.bytes().end - write.bytes().start;
        match fault {
            None => self.land(write, durable.then_some(id)),
            Some(Fault::Lie) => self.land(write, None),
            Some(Fault::Lost) => {}
            Some(Fault::Misdirect | Fault::MisdirectTo(_)) => {
                write.first = self.wrong_place(&write, fault);
                self.land(write, durable.then_some(id));
            }
            Some(Fault::Short) => {
                let sector_count = index(asked_bytes) / SECTOR_BYTES;
                let done_bytes = self.fault_random.random_range(0..sector_count) * SECTOR_BYTES;
                if done_bytes > 0 {
                    self.land(write.shortened(done_bytes), None);
                }
                self.counters.written_bytes += done_bytes as u64;
                return Err(DiskErrorKind::Short { asked_bytes, done_bytes: done_bytes as u64 });
            }
            Some(Fault::Fail | Fault::NoSpace | Fault::Slow { .. }) => {
                if write.tear(Tearing::Sectors, Base::Current, &mut self.fault_random) != Landing::Absent {
                    self.land(write, None);
                }
                return Err(failure(fault));
            }
        }
        self.counters.written_bytes += asked_bytes;
        Ok(())
    }

    pub(super) fn submit_sync(&mut self, file: &SharedContent) -> SyncTicket {
        SyncTicket { before: self.next_id(), size_bytes: file.borrow().current.size_bytes() }
    }

    /// Everything of the file that had completed when the sync began is durable, size included.
    pub(super) fn complete_sync(&mut self, file: &SharedContent, ticket: SyncTicket) {
        match self.config.flush {
            Flush::All | Flush::FuaOnly => self.flush_before(ticket.before),
            Flush::FileOnly => {
                for (_, write) in self.volatile.extract_if(.., |(id, write)| *id < ticket.before && write.is_of(file)) {
                    write.land_in_durable();
                }
            }
        }
        file.borrow_mut().durable.extend(ticket.size_bytes);
    }

    /// Some of the file's writes are durable, some still wait, and some are forgotten: reads see them, no later sync
    /// makes them durable.
    pub(super) fn fail_sync(&mut self, file: &SharedContent, ticket: SyncTicket) {
        let random = &mut self.fault_random;
        self.volatile.retain(|(id, write)| {
            if *id >= ticket.before || !write.is_of(file) {
                return true;
            }
            let outcome = random.random_range(0..3);
            if outcome == 0 {
                write.land_in_durable();
            }
            outcome == 1
        });
    }

    /// Whether there is room for so many bytes more.
    pub(super) fn has_room(&self, bytes: u64) -> bool {
        self.config.capacity_bytes.is_none_or(|capacity| self.names.used_bytes().saturating_add(bytes) <= capacity)
    }

    /// Power is gone and comes back: writes not durable may have landed, in whole or part and in any order.
    pub(super) fn power_loss(&mut self, random: &mut ChaCha8Rng) {
        // Now and then all or nothing: with many writes chance alone would never give that.
        let extreme = random.random_range(0..8);
        let volatile = std::mem::take(&mut self.volatile).into_iter().map(|(_, write)| write);
        for mut write in volatile.chain(std::mem::take(&mut self.in_flight).into_values()) {
            let landing = match extreme {
                0 => Landing::Absent,
                1 => Landing::Present,
                _ => write.tear(Tearing::Sectors, Base::Durable, random),
            };
            if landing != Landing::Absent {
                write.land_in_durable();
            }
            self.counters.count_landing(landing);
        }
        self.counters.names_undone_count += self.names.power_loss(random);
        for file in self.names.durable_files() {
            file.borrow_mut().power_loss(random);
        }
        self.counters.power_loss_count += 1;
        self.incarnation += 1;
    }

    /// The process is gone: its writes in flight land in whole, in part or not at all, and nothing is flushed.
    pub(super) fn kill(&mut self, random: &mut ChaCha8Rng) {
        for mut write in std::mem::take(&mut self.in_flight).into_values() {
            let landing = write.tear(Tearing::Units, Base::Current, random);
            if landing != Landing::Absent {
                self.land(write, None);
            }
            self.counters.count_landing(landing);
        }
        self.counters.kill_count += 1;
        self.incarnation += 1;
    }

    /// Forgets every name and write: the device is another one now.
    pub(super) fn replace(&mut self, names: Names) {
        self.names = names;
        self.volatile.clear();
        self.in_flight.clear();
        self.incarnation += 1;
    }

    pub(super) fn volatile_count(&self) -> usize {
        self.volatile.len()
    }

    pub(super) fn in_flight_count(&self) -> usize {
        self.in_flight.len()
    }

    /// A completed write is seen by reads; it is durable if `submitted` says when it was asked for as a durable one.
    fn land(&mut self, write: Write, submitted: Option<WriteId>) {
        write.land_in_current();
        let Some(submitted) = submitted else {
            let id = self.next_id();
            self.volatile.push((id, write));
            return;
        };
        if self.config.flush == Flush::All {
            self.flush_before(submitted);
        }
        write.land_in_durable();
        {
            let mut file = write.file.borrow_mut();
            let size_bytes = file.current.size_bytes();
            file.durable.extend(size_bytes);
        }
        // An older write in the device's cache never surfaces over a newer durable one.
        self.volatile.iter_mut().for_each(|(_, older)| older.give_way_to(&write));
    }

    /// Makes durable, on the whole device, what had completed before that number was given.
    fn flush_before(&mut self, before: WriteId) {
        let count = self.volatile.partition_point(|(id, _)| *id < before);
        for (_, write) in self.volatile.drain(..count) {
            write.land_in_durable();
        }
    }

    fn check_capacity(&self, write: &Write) -> Result<(), DiskErrorKind> {
        let size_bytes = write.file.borrow().current.size_bytes();
        let growth_bytes = write.bytes().end.saturating_sub(size_bytes);
        if growth_bytes > 0 && !self.has_room(growth_bytes) { Err(DiskErrorKind::NoSpace) } else { Ok(()) }
    }

    /// The first unit that a misdirected write hits instead of its own.
    fn wrong_place(&mut self, write: &Write, fault: Option<Fault>) -> usize {
        let unit_count = index(write.file.borrow().current.size_bytes() / UNIT_BYTES as u64);
        let place_count = unit_count.saturating_sub(write.pages.len()) + 1;
        if let Some(Fault::MisdirectTo(position)) = fault {
            assert!(position.0.is_multiple_of(UNIT_BYTES as u64), "a misdirected write is aligned as any other");
            return index(position.0 / UNIT_BYTES as u64).min(place_count - 1);
        }
        self.fault_random.random_range(0..place_count)
    }

    pub(super) fn fault_random(&mut self) -> &mut ChaCha8Rng {
        &mut self.fault_random
    }

    fn next_id(&mut self) -> WriteId {
        self.write_next += 1;
        WriteId(self.write_next)
    }
}

/// What an operation reports for a fault that makes it fail.
pub(super) fn failure(fault: Option<Fault>) -> DiskErrorKind {
    match fault {
        Some(Fault::NoSpace) => DiskErrorKind::NoSpace,
        _ => DiskErrorKind::Failed,
    }
}
