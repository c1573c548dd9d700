use std::time::Duration;

use super::Span;

#[test]
fn durations_are_read_with_their_unit_and_shown_with_the_largest_that_fits() {
    let known = [
        ("0", 0, "0"),
        ("0s", 0, "0"),
        ("250us", 250_000, "250us"),
        ("5ms", 5_000_000, "5ms"),
        ("1000ms", 1_000_000_000, "1s"),
        ("90s", 90_000_000_000, "90s"),
        ("10m", 600_000_000_000, "10m"),
        ("48h", 172_800_000_000_000, "2d"),
    ];
    for (text, nanoseconds, shown) in known {
        let span: Span = text.parse().expect("a duration");
        assert_eq!(span, Span(Duration::from_nanos(nanoseconds)), "{text}");
        assert_eq!(span.to_string(), shown);
    }
}

#[test]
fn what_is_no_duration_is_refused_with_an_example() {
    for text in ["", "5", "ms", "-5ms", "1.5s", "5 ms", "5min", "5MS"] {
        let problem = text.parse::<Span>().expect_err(text);
        assert!(problem.contains("such as 5ms"), "{problem}");
    }
    assert!("999999999999d".parse::<Span>().expect_err("too long").contains("584 years"));
}

#[test]
fn how_long_something_goes_on_is_told_in_two_units() {
    let known = [(0, "0ms"), (850, "850ms"), (12_345, "12.3s"), (250_999, "4m10s"), (11_100_000, "3h5m")];
    for (milliseconds, shown) in known {
        assert_eq!(Span(Duration::from_millis(milliseconds)).rounded(), shown);
    }
    assert_eq!(Span(Duration::from_secs(2 * 86_400 + 4 * 3_600)).rounded(), "2d4h");
}
