//! A crash so many events behind the request to commit a transaction.

use super::{End, Outcome, World};
use crate::wire::clients;
use crate::wire::part::Part;
use crate::wire::plan::Plan;
use crate::world::checkers::Checked;

/// So many events behind the answer every participant has noted the end.
const NOTED_EVENTS: u64 = 200;
/// The first transactions of a world find everything new.
const COMMITS_BEFORE: usize = 2;

/// How a run ended.
#[derive(Clone, Debug)]
pub struct CommitCut {
    /// As of every world.
    pub outcome: Outcome,
    /// The client was told how the transaction ended, and every participant had the time to note it, before the crash.
    pub was_over: bool,
}

/// Plays the world of a plan with its movers alone and no faults, until one asks to commit a transaction, loses the power,
/// or only the process, so many events later, and goes on to the end of the world.
pub fn play_commit(plan: &Plan, event_count: u64, is_power_loss: bool) -> CommitCut {
    let mut plan = plan.clone();
    let left_out = [Part::Hostile, Part::Library, Part::Producers, Part::Payers, Part::Ends, Part::DiskFaults];
    let faults = [Part::Partial, Part::Stalls, Part::Resets, Part::HalfCloses, Part::Silence, Part::Refusals];
    left_out.into_iter().chain(faults).for_each(|part| plan.leave_out(part));
    (plan.writer_count, plan.mover_count, plan.watcher_count) = (0, 2, 1);
    let mut world = World::new(plan);
    let mut was_over = false;
    let played = world.play_commit(event_count, is_power_loss, &mut was_over);
    CommitCut { outcome: world.outcome(played), was_over }
}

impl World {
    fn play_commit(&mut self, event_count: u64, is_power_loss: bool, was_over: &mut bool) -> Checked {
        self.open()?;
        clients::start(&self.ground);
        let ground = std::rc::Rc::clone(&self.ground);
        let is_asked = move |_: &_| ground.moves.borrow().asked_count() > COMMITS_BEFORE;
        self.run_until(is_asked, "nobody asks to commit a transaction")?;
        let asked_at = self.executor.event_count();
        let noted = event_count.saturating_sub(NOTED_EVENTS);
        let _ = self.executor.run_until_event(asked_at + noted);
        let is_told = self.ground.moves.borrow().is_told(COMMITS_BEFORE);
        let _ = self.executor.run_until_event(asked_at + event_count);
        *was_over = is_told && noted > 0;
        self.end(if is_power_loss { End::PowerLoss } else { End::Kill })?;
        self.start()?;
        self.come_to_an_end()
    }
}
