//! What recovery makes of each unit behind the confirmed part of a journal: one table, tested over all combinations.
//!
//! The confirmed part, which a superblock vouches for, needs no table: every unit of it must be exactly as expected.
//! Behind it, blocks are accepted one by one as long as the next expected one stands where it must. The first that
//! does not is *missing*; everything that is left is judged by its case.

/// What stands at a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// A block header of this journal, place and lap.
    Block,
    /// The virgin unit of this place.
    Virgin,
    /// A block header of this journal and place from an earlier lap.
    StaleLap,
    /// A block header of this journal that belongs somewhere else, or to a lap that never began.
    Misplaced,
    /// None of these.
    Garbage,
    /// The disk did not give the unit.
    Unreadable,
}

/// The body behind a block header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// Its checksum is right.
    Good,
    /// Its checksum is wrong or it ends beyond the file.
    Bad,
    /// The disk did not give all of it.
    Unreadable,
    /// There is no block.
    None,
}

/// The epoch of the block, in its place or not, against the superblock's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// The same.
    Current,
    /// An older one: a recovery cut the block off, or found it elsewhere and everything that was durable without it.
    Older,
    /// A newer one, which no superblock announced.
    Newer,
    /// There is no block.
    None,
}

/// The block's sequence against the next expected one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The next expected.
    Expected,
    /// A later one.
    Ahead,
    /// One that was accepted already.
    Behind,
    /// There is no block.
    None,
}

/// The block's link to the last accepted one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// It names the last accepted block.
    Matches,
    /// It names another.
    Broken,
    /// The block before it is missing, or there is no block.
    Unknown,
}

/// Where the unit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Where the next block must begin: behind the last accepted one, or at the start of an open file.
    Next,
    /// Within what blocks in flight at a crash can have touched.
    Window,
    /// Farther on.
    Beyond,
}

/// Whether the file is written for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lap {
    /// Its units were virgin.
    First,
    /// Its units hold what an earlier lap left.
    Later,
}

/// What the journal itself says about the missing block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// A valid header or the superblock states that the missing block was durable.
    MissingWasDurable,
    /// The superblock states that the journal was closed in order and ends before the missing block.
    ClosedInOrder,
    /// Nothing is said.
    Silent,
}

/// Everything the decision depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// What stands there.
    pub header: Header,
    /// The body.
    pub body: Body,
    /// The epoch.
    pub age: Age,
    /// The sequence.
    pub order: Order,
    /// The chain.
    pub link: Link,
    /// The position.
    pub reach: Reach,
    /// The file's lap.
    pub lap: Lap,
    /// The durable sequence.
    pub evidence: Evidence,
}

/// Why a unit is damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// The disk did not give it, so nobody knows what it held.
    Unreadable,
    /// A block of this journal at a place where it was not written to.
    Misplaced,
    /// A block of an epoch that no superblock announced: the superblocks are older than the journal.
    SuperblockBehind,
    /// A second block with the number of an accepted one.
    DuplicateSequence,
    /// The next block, but not where it must stand.
    Displaced,
    /// The next block, but behind another one than was accepted.
    ChainBroken,
    /// A block that was durable is gone or torn.
    ConfirmedBlockLost,
    /// A block behind the end of a journal that was closed in order.
    AfterCleanEnd,
    /// Bytes that were never written by a journal, in a part that was never written.
    Garbage,
}

/// What is done with a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The next block of the journal.
    Accept,
    /// Part of the last write before a crash, which nobody was told about: cut off, and reported.
    Cut,
    /// Never written.
    NeverWritten,
    /// Left from an earlier lap or epoch.
    Stale,
    /// Refuse the journal.
    Damage(Harm),
}

/// One row: a case matches when every named column contains its value; an empty column takes any.
pub struct Row {
    header: &'static [Header],
    body: &'static [Body],
    age: &'static [Age],
    order: &'static [Order],
    link: &'static [Link],
    reach: &'static [Reach],
    lap: &'static [Lap],
    evidence: &'static [Evidence],
    verdict: Verdict,
}

/// A row that takes every case: the others name what they differ in.
const ANY: Row = Row {
    header: &[],
    body: &[],
    age: &[],
    order: &[],
    link: &[],
    reach: &[],
    lap: &[],
    evidence: &[],
    verdict: Verdict::Damage(Harm::Garbage),
};

const BLOCK: &[Header] = &[Header::Block];
const CURRENT: &[Age] = &[Age::Current];
const LOST: Verdict = Verdict::Damage(Harm::ConfirmedBlockLost);
const DURABLE: &[Evidence] = &[Evidence::MissingWasDurable];
const CLOSED: &[Evidence] = &[Evidence::ClosedInOrder];

/// The table; the first row that matches decides.
pub const TABLE: [Row; 20] = [
    Row { header: &[Header::Unreadable], verdict: Verdict::Damage(Harm::Unreadable), ..ANY },
    Row { body: &[Body::Unreadable], verdict: Verdict::Damage(Harm::Unreadable), ..ANY },
    Row { header: &[Header::Misplaced], age: &[Age::Older], verdict: Verdict::Stale, ..ANY },
    Row { header: &[Header::Misplaced], verdict: Verdict::Damage(Harm::Misplaced), ..ANY },
    Row { header: BLOCK, age: &[Age::Newer], verdict: Verdict::Damage(Harm::SuperblockBehind), ..ANY },
    Row { header: BLOCK, age: &[Age::Older], verdict: Verdict::Stale, ..ANY },
    Row { header: BLOCK, order: &[Order::Behind], verdict: Verdict::Damage(Harm::DuplicateSequence), ..ANY },
    Row { header: BLOCK, evidence: CLOSED, verdict: Verdict::Damage(Harm::AfterCleanEnd), ..ANY },
    Row { header: BLOCK, age: CURRENT, order: &[Order::Ahead], evidence: DURABLE, verdict: LOST, ..ANY },
    Row { header: BLOCK, age: CURRENT, order: &[Order::Ahead], verdict: Verdict::Cut, ..ANY },
    Row { header: BLOCK, body: &[Body::Bad], evidence: DURABLE, verdict: LOST, ..ANY },
    Row { header: BLOCK, body: &[Body::Bad], verdict: Verdict::Cut, ..ANY },
    Row { header: BLOCK, link: &[Link::Broken, Link::Unknown], verdict: Verdict::Damage(Harm::ChainBroken), ..ANY },
    Row {
        header: BLOCK,
        body: &[Body::Good],
        age: CURRENT,
        order: &[Order::Expected],
        link: &[Link::Matches],
        reach: &[Reach::Next],
        verdict: Verdict::Accept,
        ..ANY
    },
    Row { header: BLOCK, verdict: Verdict::Damage(Harm::Displaced), ..ANY },
    Row { header: &[Header::Virgin], verdict: Verdict::NeverWritten, ..ANY },
    Row { header: &[Header::StaleLap], verdict: Verdict::Stale, ..ANY },
    Row { header: &[Header::Garbage], lap: &[Lap::Later], verdict: Verdict::Stale, ..ANY },
    Row {
        header: &[Header::Garbage],
        lap: &[Lap::First],
        reach: &[Reach::Next, Reach::Window],
        evidence: &[Evidence::Silent],
        verdict: Verdict::Cut,
        ..ANY
    },
    Row { header: &[Header::Garbage], verdict: Verdict::Damage(Harm::Garbage), ..ANY },
];

impl Row {
    /// Whether the row takes the case.
    pub fn matches(&self, case: &Case) -> bool {
        fn takes<T: PartialEq>(column: &[T], value: &T) -> bool {
            column.is_empty() || column.contains(value)
        }
        takes(self.header, &case.header)
            && takes(self.body, &case.body)
            && takes(self.age, &case.age)
            && takes(self.order, &case.order)
            && takes(self.link, &case.link)
            && takes(self.reach, &case.reach)
            && takes(self.lap, &case.lap)
            && takes(self.evidence, &case.evidence)
    }

    /// What the row decides.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }
}

/// Judges one unit.
pub fn decide(case: &Case) -> Verdict {
    let row = TABLE.iter().find(|row| row.matches(case));
    row.map(Row::verdict).expect("the last rows of each header take every case")
}

#[cfg(test)]
mod tests;
