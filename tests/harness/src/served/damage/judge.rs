//! Whether what clients were told of a damaged directory is as promised.

use std::collections::BTreeSet;

use super::expected::Expected;
use super::layout::Span;
use super::observe::{Contents, Observed, Seen};
use super::sound::{EndedBy, Truth};
use crate::real::line::Placed;
use crate::served::ledger::{Verdict, Violation, ensure};

#[cfg(test)]
mod tests;

/// What was found of damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Found {
    /// Nothing needed the bytes: everything is served.
    Harmless,
    /// The log names it, and everything is served.
    Survived,
    /// Its offsets are refused, and no others.
    OffsetsRefused,
    /// Its shard is refused, and no other.
    ShardRefused,
    /// The server does not start.
    StartRefused,
}

impl Found {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Harmless, Self::Survived, Self::OffsetsRefused, Self::ShardRefused, Self::StartRefused];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Harmless => "harmless",
            Self::Survived => "survived and named",
            Self::OffsetsRefused => "its offsets refused",
            Self::ShardRefused => "its shard refused",
            Self::StartRefused => "the start refused",
        }
    }
}

/// Holds what was observed against what the directory held and how far its damage may reach.
///
/// # Errors
/// The first promise that was broken.
pub fn judge(truth: &Truth, ended: EndedBy, expected: &Expected, observed: &Observed) -> Result<Found, Violation> {
    ensure(observed.is_calm, "no orderly end", || format!("the server logged:\n{}", observed.log))?;
    let all: BTreeSet<u16> = truth.shards.values().copied().collect();
    let mut refused = BTreeSet::new();
    if observed.is_ready {
        for (partition, shard) in &truth.shards {
            if observed.partitions.get(partition) == Some(&Seen::NotOpen) {
                refused.insert(*shard);
            }
        }
    } else {
        refused.clone_from(&all);
    }
    judge_refused(expected, observed, &refused)?;
    let mut damaged = BTreeSet::new();
    for (partition, shard) in truth.shards.iter().filter(|(_, shard)| !refused.contains(shard)) {
        let seen = observed.partitions.get(partition);
        let Some(Seen::Read(contents)) = seen else {
            return ensure(false, "not opened", || format!("partition {partition} of shard {shard}: {seen:?}"))
                .map(|()| Found::Harmless);
        };
        let batches = truth.batches.get(partition).map_or(&[][..], Vec::as_slice);
        let expected: BTreeSet<Span> =
            expected.spans.iter().filter(|span| span.partition == *partition).copied().collect();
        judge_contents(batches, contents).and_then(|()| judge_radius(contents, &expected, ended)).map_err(
            |violation| Violation { what: format!("partition {partition}: {}", violation.what), ..violation },
        )?;
        damaged.extend(contents.damaged.iter().copied());
    }
    if !damaged.is_empty() {
        let is_named = expected.names.iter().any(|name| observed.log.contains(name.as_str()));
        ensure(is_named, "damage not named", || format!("none of {:?} in:\n{}", expected.names, observed.log))?;
    }
    Ok(match (observed.is_ready, refused.is_empty(), damaged.is_empty()) {
        (false, _, _) => Found::StartRefused,
        (true, false, _) => Found::ShardRefused,
        (true, true, false) => Found::OffsetsRefused,
        (true, true, true) if observed.log.contains("something was wrong and was survived") => Found::Survived,
        (true, true, true) => Found::Harmless,
    })
}

/// Shards are refused that must be, and no others; the log says why, and nothing of theirs is changed.
fn judge_refused(expected: &Expected, observed: &Observed, refused: &BTreeSet<u16>) -> Verdict {
    let log = &observed.log;
    for shard in &expected.refused {
        ensure(refused.contains(shard), "damage not noticed", || format!("shard {shard} is served; {log}"))?;
    }
    for shard in refused {
        let may_be = expected.refused.contains(shard) || expected.may_be_refused.contains(shard);
        ensure(may_be, "refused too much", || format!("shard {shard} is refused; {log}"))?;
        ensure(!observed.touched.contains(shard), "refused and changed", || format!("the files of shard {shard}"))?;
    }
    let is_named = refused.is_empty() || expected.names.iter().any(|name| log.contains(name.as_str()));
    ensure(is_named, "damage not named", || format!("none of {:?} in:\n{log}", expected.names))?;
    if observed.is_ready {
        for note in &expected.notes {
            ensure(log.contains(note.as_str()), "damage not named", || format!("{note:?} is not in:\n{log}"))?;
        }
    }
    Ok(())
}

/// Every batch is served as it was, or refused as damaged; none is missing, new or moved.
fn judge_contents(batches: &[Placed], contents: &Contents) -> Verdict {
    let Contents { start, end, wrong, unexpected, damaged, next, .. } = contents;
    ensure(wrong.is_empty(), "other bytes", || wrong.join("; "))?;
    ensure(unexpected.is_empty(), "unexpected", || unexpected.join("; "))?;
    let truth_end = batches.last().map_or(0, |last| last.last_offset + 1);
    ensure(*start == 0 && *end >= truth_end, "lost", || format!("it reaches from {start} to {end}, not {truth_end}"))?;
    ensure(*end == truth_end, "from nowhere", || format!("it ends at {end}, and {truth_end} was the end"))?;
    ensure(next.is_none_or(|next| next >= truth_end), "offset given twice", || {
        format!("a new batch got {next:?}, and {truth_end} was the end")
    })?;
    ensure(next.is_none_or(|next| next == truth_end), "next offset", || {
        format!("a new batch got {next:?}, and {truth_end} was the end")
    })?;
    let mut last = None;
    for batch in &contents.batches {
        ensure(last < Some(batch.base_offset), "out of order", || format!("{batch} comes behind {last:?}"))?;
        last = Some(batch.base_offset);
        let known = batches.iter().find(|known| known.base_offset == batch.base_offset);
        ensure(known == Some(batch), "other bytes", || format!("{batch} is served, {known:?} was stored"))?;
    }
    let served: BTreeSet<u64> = contents.batches.iter().map(|batch| batch.base_offset).collect();
    for batch in batches.iter().filter(|batch| !served.contains(&batch.base_offset)) {
        let is_refused = damaged.iter().any(|span| span.from <= batch.base_offset && batch.last_offset < span.to);
        ensure(is_refused, "lost", || format!("{batch} is neither served nor refused"))?;
    }
    Ok(())
}

/// Offsets are refused that stand in damaged bytes, and no others. Of a server that was killed the journal may hold some
/// of them too.
fn judge_radius(contents: &Contents, expected: &BTreeSet<Span>, ended: EndedBy) -> Verdict {
    let refused = joined(contents.damaged.iter().copied());
    let may_be = joined(expected.iter().copied());
    let is_inside = |span: &Span| may_be.iter().any(|outer| outer.from <= span.from && span.to <= outer.to);
    ensure(refused.iter().all(is_inside), "refused too much", || {
        format!("{refused:?} are refused, of what is damaged {may_be:?} cannot be read")
    })?;
    ensure(ended == EndedBy::Kill || refused == may_be, "damage not noticed", || {
        format!("{refused:?} are refused, and {may_be:?} cannot be read")
    })
}

/// Spans of one partition, those that touch as one.
fn joined(spans: impl Iterator<Item = Span>) -> Vec<Span> {
    let mut spans: Vec<Span> = spans.collect();
    spans.sort_unstable();
    let mut joined: Vec<Span> = Vec::new();
    for span in spans {
        match joined.last_mut() {
            Some(last) if last.to >= span.from => last.to = last.to.max(span.to),
            _ => joined.push(span),
        }
    }
    joined
}
