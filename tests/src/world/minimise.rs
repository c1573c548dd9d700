//! Fewer steps that break the same promise: delta debugging over the steps of a world (Zeller and Hildebrandt,
//! "Simplifying and Isolating Failure-Inducing Input", 2002).

use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Tries to leave out more and more small parts of `steps`, as long as `fails` with what is left; at most `try_count_max`
/// times. What it gives back fails, if `steps` did.
pub fn minimise(
    steps: BTreeSet<u32>,
    try_count_max: u32,
    mut fails: impl FnMut(&BTreeSet<u32>) -> bool,
) -> BTreeSet<u32> {
    let mut left: Vec<u32> = steps.into_iter().collect();
    let mut part_count = 2;
    let mut try_count = 0;
    while left.len() > 1 && try_count < try_count_max {
        let part_len = left.len().div_ceil(part_count);
        let mut without = left.chunks(part_len).map(|part| {
            let gone: BTreeSet<u32> = part.iter().copied().collect();
            left.iter().copied().filter(|step| !gone.contains(step)).collect::<BTreeSet<u32>>()
        });
        let fewer = without.find(|fewer| {
            try_count += 1;
            try_count <= try_count_max && fails(fewer)
        });
        match fewer {
            Some(fewer) => {
                left = fewer.into_iter().collect();
                part_count = (part_count - 1).max(2);
            }
            None if part_len == 1 => break,
            None => part_count = (part_count * 2).min(left.len()),
        }
    }
    left.into_iter().collect()
}

/// Steps as people and command lines write them: `3-7,12`.
pub fn steps_text(steps: &BTreeSet<u32>) -> String {
    let mut text = String::new();
    let mut steps = steps.iter().copied().peekable();
    while let Some(first) = steps.next() {
        let mut last = first;
        while let Some(next) = steps.next_if(|next| *next == last + 1) {
            last = next;
        }
        let comma = if text.is_empty() { "" } else { "," };
        let _ = if first == last { write!(text, "{comma}{first}") } else { write!(text, "{comma}{first}-{last}") };
    }
    text
}

/// The steps that a text names.
///
/// # Errors
/// If a part of it is neither a number nor two with a dash between them.
pub fn steps_of(text: &str) -> Result<BTreeSet<u32>, String> {
    let mut steps = BTreeSet::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number =
            |text: &str| text.trim().parse::<u32>().map_err(|_| format!("{part:?} names no steps: write 3-7,12"));
        steps.extend(number(first)?..=number(last)?);
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_fails_and_every_step_of_it_is_needed() {
        let needed = BTreeSet::from([17, 230, 231, 499]);
        let mut tries = 0;
        let left = minimise((0..600).collect(), 1000, |steps| {
            tries += 1;
            needed.is_subset(steps)
        });
        assert_eq!(left, needed);
        assert!(tries < 200, "{tries} tries");
    }

    #[test]
    fn it_gives_up_after_so_many_tries() {
        let mut tries = 0;
        let left = minimise((0..600).collect(), 10, |steps| {
            tries += 1;
            steps.len() > 590
        });
        assert!(tries <= 10 && left.len() > 590, "{tries} tries, {} steps", left.len());
    }

    #[test]
    fn steps_are_written_and_read_as_ranges() {
        let steps = BTreeSet::from([3, 4, 5, 12, 14]);
        assert_eq!(steps_text(&steps), "3-5,12,14");
        assert_eq!(steps_of("3-5,12,14"), Ok(steps));
        assert_eq!(steps_of(""), Ok(BTreeSet::new()));
        assert!(steps_of("3-x").unwrap_err().contains("3-x"));
    }
}
