use florin_engine::model::Realtime;

use super::{SECOND_NS, rfc3339, rfc3339_unless_never};

#[test]
fn known_instants_are_shown_as_their_dates() {
    let known = [
        (0, "1970-01-01T00:00:00.000000000Z"),
        (951_782_400, "2000-02-29T00:00:00.000000000Z"),
        (951_868_799, "2000-02-29T23:59:59.000000000Z"),
        (1_709_164_800, "2024-02-29T00:00:00.000000000Z"),
        (1_735_689_599, "2024-12-31T23:59:59.000000000Z"),
        (4_107_542_400, "2100-03-01T00:00:00.000000000Z"),
    ];
    for (seconds, text) in known {
        assert_eq!(rfc3339(Realtime(seconds * SECOND_NS)), text);
    }
}

#[test]
fn nanoseconds_are_kept_and_the_last_instant_is_shown() {
    assert_eq!(rfc3339(Realtime(1)), "1970-01-01T00:00:00.000000001Z");
    assert_eq!(rfc3339(Realtime(u64::MAX)), "2554-07-21T23:34:33.709551615Z");
}

#[test]
fn every_day_is_followed_by_the_next_one() {
    let texts = (0..60_000).map(|day| rfc3339(Realtime(day * 86_400 * SECOND_NS)));
    let texts: Vec<String> = texts.collect();
    assert!(texts.windows(2).all(|pair| pair[0] < pair[1]), "dates rise with time");
}

#[test]
fn the_time_zero_stands_for_never() {
    assert_eq!(rfc3339_unless_never(Realtime(0)), None);
}
