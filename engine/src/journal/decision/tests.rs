use super::*;

const HEADERS: [Header; 6] =
    [Header::Block, Header::Virgin, Header::StaleLap, Header::Misplaced, Header::Garbage, Header::Unreadable];
const BODIES: [Body; 4] = [Body::Good, Body::Bad, Body::Unreadable, Body::None];
const AGES: [Age; 4] = [Age::Current, Age::Older, Age::Newer, Age::None];
const ORDERS: [Order; 4] = [Order::Expected, Order::Ahead, Order::Behind, Order::None];
const LINKS: [Link; 3] = [Link::Matches, Link::Broken, Link::Unknown];
const REACHES: [Reach; 3] = [Reach::Next, Reach::Window, Reach::Beyond];
const LAPS: [Lap; 2] = [Lap::First, Lap::Later];
const EVIDENCES: [Evidence; 3] = [Evidence::MissingWasDurable, Evidence::ClosedInOrder, Evidence::Silent];

/// Every combination of all eight values, also those that no scan ever finds.
fn all_cases() -> impl Iterator<Item = Case> {
    let outer = HEADERS.into_iter().flat_map(|header| BODIES.map(|body| (header, body)));
    let outer = outer.flat_map(|(header, body)| AGES.map(|age| (header, body, age)));
    let outer = outer.flat_map(|(header, body, age)| ORDERS.map(|order| (header, body, age, order)));
    let outer = outer.flat_map(|block| LINKS.map(|link| (block, link)));
    let outer = outer.flat_map(|(block, link)| REACHES.map(|reach| (block, link, reach)));
    let outer = outer.flat_map(|(block, link, reach)| LAPS.map(|lap| (block, link, reach, lap)));
    outer.flat_map(|((header, body, age, order), link, reach, lap)| {
        EVIDENCES.map(|evidence| Case { header, body, age, order, link, reach, lap, evidence })
    })
}

fn first_row(case: &Case) -> Option<usize> {
    TABLE.iter().position(|row| row.matches(case))
}

/// Fails with the first case, its row and its verdict if `holds` does not hold for all.
fn for_all(what: &str, holds: impl Fn(&Case, Verdict) -> bool) {
    for case in all_cases() {
        let verdict = decide(&case);
        assert!(holds(&case, verdict), "{what}: row {:?} makes {verdict:?} of {case:?}", first_row(&case));
    }
}

#[test]
fn every_case_has_a_row() {
    assert_eq!(all_cases().count(), 6 * 4 * 4 * 4 * 3 * 3 * 2 * 3);
    for case in all_cases() {
        assert!(first_row(&case).is_some(), "{case:?}");
    }
}

#[test]
fn every_row_decides_some_case() {
    let mut decided = [0; TABLE.len()];
    all_cases().filter_map(|case| first_row(&case)).for_each(|row| decided[row] += 1);
    for (row, count) in decided.iter().enumerate() {
        assert!(*count > 0, "row {row} never decides: rows before it take all its cases");
    }
}

#[test]
fn a_verdict_is_that_of_the_first_matching_row() {
    for case in all_cases() {
        assert_eq!(decide(&case), TABLE[first_row(&case).unwrap()].verdict());
    }
}

#[test]
fn what_the_disk_did_not_give_is_always_damage() {
    for_all("an unreadable unit", |case, verdict| {
        let unreadable = case.header == Header::Unreadable || case.body == Body::Unreadable;
        !unreadable || verdict == Verdict::Damage(Harm::Unreadable)
    });
}

#[test]
fn only_the_next_block_in_every_respect_is_accepted() {
    for_all("an accepted block", |case, verdict| {
        let next = case.header == Header::Block
            && case.body == Body::Good
            && case.age == Age::Current
            && case.order == Order::Expected
            && case.link == Link::Matches
            && case.reach == Reach::Next
            && case.evidence != Evidence::ClosedInOrder;
        verdict != Verdict::Accept || next
    });
}

#[test]
fn the_next_block_in_every_respect_is_accepted_unless_the_journal_ended_before_it() {
    for lap in LAPS {
        for evidence in EVIDENCES {
            let case = Case {
                header: Header::Block,
                body: Body::Good,
                age: Age::Current,
                order: Order::Expected,
                link: Link::Matches,
                reach: Reach::Next,
                lap,
                evidence,
            };
            let expected = match evidence {
                Evidence::ClosedInOrder => Verdict::Damage(Harm::AfterCleanEnd),
                Evidence::MissingWasDurable | Evidence::Silent => Verdict::Accept,
            };
            assert_eq!(decide(&case), expected, "{case:?}");
        }
    }
}

#[test]
fn no_current_block_is_cut_when_a_durable_one_is_missing() {
    for_all("a block behind a durable one that is missing", |case, verdict| {
        let current = case.header == Header::Block && case.age == Age::Current;
        let doubtful = case.order == Order::Ahead || case.body == Body::Bad;
        let durable = case.evidence == Evidence::MissingWasDurable;
        !(current && doubtful && durable) || matches!(verdict, Verdict::Damage(_))
    });
}

#[test]
fn nothing_is_cut_when_a_durable_block_is_missing_or_the_journal_was_closed_in_order() {
    for_all("a cut", |case, verdict| verdict != Verdict::Cut || case.evidence == Evidence::Silent);
}

#[test]
fn an_older_block_is_never_accepted_and_a_newer_one_is_damage() {
    for_all("an older block", |case, verdict| {
        case.header != Header::Block || case.age != Age::Older || verdict != Verdict::Accept
    });
    for_all("a newer block", |case, verdict| {
        case.header != Header::Block || case.age != Age::Newer || matches!(verdict, Verdict::Damage(_))
    });
}

#[test]
fn a_misplaced_block_is_damage_unless_an_earlier_epoch_left_it() {
    for_all("a misplaced block", |case, verdict| {
        let is_left_over = case.age == Age::Older && case.body != Body::Unreadable;
        let expected = if is_left_over { verdict == Verdict::Stale } else { matches!(verdict, Verdict::Damage(_)) };
        case.header != Header::Misplaced || expected
    });
}

#[test]
fn a_block_behind_a_clean_end_is_stale_or_damage() {
    for_all("a block behind a clean end", |case, verdict| {
        let behind = case.header == Header::Block && case.evidence == Evidence::ClosedInOrder;
        !behind || matches!(verdict, Verdict::Stale | Verdict::Damage(_))
    });
}

#[test]
fn garbage_on_a_first_lap_is_damage_beyond_the_window_and_wherever_nothing_was_in_flight() {
    for_all("garbage on a first lap", |case, verdict| {
        let garbage = case.header == Header::Garbage && case.lap == Lap::First && case.body != Body::Unreadable;
        let explained = case.reach != Reach::Beyond && case.evidence == Evidence::Silent;
        !garbage || verdict == if explained { Verdict::Cut } else { Verdict::Damage(Harm::Garbage) }
    });
}

#[test]
fn only_what_can_be_left_over_is_stale_and_only_virgin_units_were_never_written() {
    for_all("a stale unit", |case, verdict| {
        let left_over = case.header == Header::StaleLap
            || (case.header == Header::Garbage && case.lap == Lap::Later)
            || (matches!(case.header, Header::Block | Header::Misplaced) && case.age == Age::Older);
        verdict != Verdict::Stale || left_over
    });
    for_all("a unit that was never written", |case, verdict| {
        verdict != Verdict::NeverWritten || case.header == Header::Virgin
    });
}
