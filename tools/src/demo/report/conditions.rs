//! What must hold, and whether it does.

use std::fmt::Write;

use super::Report;
use crate::demo::check::{CHECKS, CHECKS_BEHIND_CUT};
use crate::size::grouped;

/// Captures in flight that the demo sets out to keep.
const IN_FLIGHT_MIN: u64 = 64;
/// How often every journal goes round at least, if all payments go through.
const LAP_COUNT_MIN: u64 = 3;
/// Differences that are told of each kind.
const TOLD_MAX: usize = 5;

/// Something that must hold.
#[derive(Debug)]
pub(super) struct Condition {
    /// What.
    what: String,
    /// Why it does not hold, if it does not.
    differs: Option<String>,
    /// It may not hold, because so few payments need not come to it.
    is_excused: bool,
}

impl Condition {
    fn new(what: impl Into<String>, holds: bool, differs: impl Into<String>) -> Self {
        Self { what: what.into(), differs: (!holds).then(|| differs.into()), is_excused: false }
    }

    /// None of these differences may be there.
    fn none_of(what: impl Into<String>, count: u64, told: &[String]) -> Self {
        let told = told[..told.len().min(TOLD_MAX)].join("\n          ");
        Self::new(what, count == 0, format!("{} differ\n          {told}", grouped(count)))
    }

    /// It must hold only if all payments were captured.
    fn unless_few(self, is_all: bool) -> Self {
        Self { is_excused: !is_all, ..self }
    }

    pub(super) fn is_failed(&self) -> bool {
        self.differs.is_some() && !self.is_excused
    }

    pub(super) fn put(&self, text: &mut String) {
        let Self { what, differs, is_excused } = self;
        let _ = match differs {
            None => writeln!(text, "ok      {what}"),
            Some(why) if *is_excused => writeln!(text, "note    not with so few payments: {what} ({why})"),
            Some(why) => writeln!(text, "FAILED  {what}: {why}"),
        };
    }
}

impl Report<'_> {
    /// All of them, in the order in which they are told.
    pub(super) fn conditions(&self) -> Vec<Condition> {
        let mut conditions = self.of_capture();
        conditions.extend(self.of_storage());
        conditions.extend(self.of_cut());
        conditions.push(Condition::new(
            "`florin verify` finds the directory clean",
            self.verified.is_clean,
            &self.verified.words,
        ));
        conditions
    }

    fn of_capture(&self) -> Vec<Condition> {
        let total = self.total();
        let sent = format!("{} were sent and are there", self.expected);
        let mut conditions = vec![Condition::new(sent, total == self.expected, format!("found {total}"))];
        conditions.extend(
            CHECKS
                .map(|check| Condition::none_of(check.holds(), self.findings.count(check), self.findings.told(check))),
        );
        let in_flight = self.captured.in_flight;
        if in_flight.max > 0 {
            // Too few payments never come to have so many under way.
            let what = format!("in the median at least {IN_FLIGHT_MIN} captures were in flight");
            let typical = in_flight.typical;
            conditions.push(Condition::new(what, typical >= IN_FLIGHT_MIN, format!("{typical} were")));
        }
        conditions
    }

    fn of_storage(&self) -> Vec<Condition> {
        let slow = self.journals.iter().filter(|journal| journal.lap_count < LAP_COUNT_MIN);
        let slow = slow.map(|journal| format!("that of shard {} {}", journal.shard, journal.lap_count));
        let slow: Vec<_> = slow.collect();
        let laps = format!("every journal went round {LAP_COUNT_MIN} times or more, with checkpoints that freed it");
        let empty = self.at_rest.iter().filter(|shard| shard.segment_count == 0 || shard.stored_bytes == 0);
        let empty: Vec<_> = empty.map(|shard| shard.shard.to_string()).collect();
        let rest = "every shard took payments to rest while others were captured";
        let cold = "payments were read from segment files";
        let conditions = [
            Condition::new(laps, slow.is_empty() && !self.journals.is_empty(), slow.join(", ")),
            Condition::new(
                rest,
                empty.is_empty() && !self.at_rest.is_empty(),
                format!("not shard {}", empty.join(", ")),
            ),
            Condition::new(cold, self.cold_read_count > 0, "all of them were in memory"),
        ];
        conditions.into_iter().map(|condition| condition.unless_few(self.is_all)).collect()
    }

    fn of_cut(&self) -> Vec<Condition> {
        let idle: Vec<_> = self.retained.idle_shards.iter().map(u16::to_string).collect();
        let (cut, left) = (self.ledger.cut_sum(), self.ledger.left_sum());
        let has_cut = idle.is_empty() && cut.payment_count > 0;
        let idle =
            if idle.is_empty() { "nothing was cut".to_owned() } else { format!("not shard {}", idle.join(", ")) };
        let mut conditions =
            vec![Condition::new("retention cut on every shard", has_cut, idle).unless_few(self.is_all)];
        let findings = CHECKS_BEHIND_CUT.iter().flat_map(|check| self.findings_left.told(*check)).cloned();
        let findings: Vec<String> = findings.collect();
        let finding_count = CHECKS_BEHIND_CUT.iter().map(|check| self.findings_left.count(*check)).sum();
        conditions.push(Condition::none_of(
            "what is left is exactly the end of what each partition held: same offsets, same payments, same money",
            finding_count,
            &findings,
        ));
        let lists = [
            ("every partition begins behind as many payments as were cut of it".to_owned(), self.ledger.displaced()),
            (format!("{cut} were cut and {left} are left: all there were"), self.ledger.unbalanced(self.expected)),
            ("after one more restart every partition begins and ends where it did".to_owned(), self.moved.to_vec()),
        ];
        conditions.extend(lists.map(|(what, told)| Condition::none_of(what, told.len() as u64, &told)));
        conditions
    }
}
