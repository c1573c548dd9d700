use std::time::Duration;

use serde_json::json;

use super::{STYLE, escaped, page, unbroken};
use crate::report::{Column, Point, Round, Series};
use crate::statistics::{Latencies, Ratio};

const COLUMNS: [Column; 6] = [
    Column { heading: "connections", number: "connections", with_range: false },
    Column { heading: "records/s", number: "records_per_second", with_range: true },
    Column { heading: "p50 µs", number: "p50_us", with_range: false },
    Column { heading: "p99.99 µs", number: "p9999_us", with_range: false },
    Column { heading: "flushes/record", number: "flushes_per_record", with_range: false },
    Column { heading: "of the floor", number: "floor_epoll_ratio", with_range: true },
];

/// Latencies with a tail, the same in every run.
fn latencies(fastest_us: u64, count: u64) -> Latencies {
    let mut latencies = Latencies::new();
    for number in 1..=count {
        // A share of 1/number of all takes that much longer.
        let tail = (count as f64 / number as f64).powf(0.45);
        let spread = 1.0 + (number * 7919 % 97) as f64 / 200.0;
        latencies.record(Duration::from_secs_f64(fastest_us as f64 * 1e-6 * tail * spread));
    }
    latencies
}

fn point(connections: u64, batch: u64) -> Point {
    let round = |number: u64| Round {
        numbers: vec![
            ("records_per_second", Some((8000 * connections / (connections + 4) * batch + 37 * number) as f64)),
            ("server_cpu_us_per_record", Some(8.25)),
            ("flushes_per_record", None),
        ],
        latencies: Some(latencies(150 + 12 * number + 9 * connections, 20_000)),
    };
    Point {
        bench: "capture",
        labels: vec![("connections", json!(connections)), ("batch", json!(batch)), ("size", json!(256))],
        rounds: (1..=3).map(round).collect(),
        facts: vec![("rss_bytes", Some(73_400_320.0))],
        ratios: vec![("floor_epoll_ratio", Ratio { median: 0.93, low: 0.9, high: 0.97, rounds: 3 })],
        series: vec![
            Series { name: "floor_epoll", latencies: latencies(110, 60_000) },
            Series { name: "floor_glommio", latencies: latencies(118, 60_000) },
        ],
    }
}

fn facts() -> Vec<(&'static str, String)> {
    vec![
        ("kernel", "Linux 6.12.0".to_owned()),
        ("processor", "A <script>alert(1)</script> & \"CPU\"".to_owned()),
        ("device", "vda, write cache: write back, O_DIRECT of 512 bytes".to_owned()),
    ]
}

fn sample() -> String {
    let untimed = Point {
        bench: "recover",
        labels: vec![("journal", json!("<b>"))],
        rounds: vec![Round { numbers: vec![("seconds", Some(1.25))], latencies: None }],
        series: Vec::new(),
        ..point(1, 1)
    };
    let points = [point(1, 1), point(8, 1), point(32, 1), point(8, 16), untimed];
    page(&facts(), "Closed loop, one request in flight per connection; 3 rounds of 3 s.", &COLUMNS, &points)
}

/// The tags of a page in their order, with what stands inside them; or the first place where something is no tag, has an
/// attribute without its quotation marks, or is not closed.
fn tags(page: &str) -> Result<Vec<String>, String> {
    let mut rest = page.strip_prefix("<!DOCTYPE html>\n").ok_or("the page says what it is")?;
    let (mut open, mut tags) = (Vec::new(), Vec::new());
    while let Some((before, after)) = rest.split_once('<') {
        let (tag, behind) = after.split_once('>').ok_or("a tag does not end")?;
        let marks_are_even = tag.matches('"').count().is_multiple_of(2);
        let bare = tag.split('"').step_by(2).collect::<String>();
        if before.contains('>') || tag.contains('<') || !marks_are_even || bare.contains('\'') {
            return Err(format!("brackets and marks around {before} <{tag}>"));
        }
        rest = behind;
        let name = tag.trim_matches('/').split_whitespace().next().ok_or("a tag has no name")?;
        if !name.chars().all(|letter| letter.is_ascii_alphanumeric()) {
            return Err(format!("{tag} is no tag"));
        }
        if tag.starts_with('/') {
            if open.pop() != Some(name) {
                return Err(format!("{tag} closes what is not open"));
            }
        } else if !tag.ends_with('/') {
            open.push(name);
        }
        if tag == "style" {
            rest = &rest[rest.find("</style>").ok_or("the style does not end")?..];
        }
        tags.push(tag.to_owned());
    }
    if open.is_empty() && !rest.contains('>') {
        Ok(tags)
    } else {
        Err(format!("left open: {open:?}; at the end: {rest}"))
    }
}

#[test]
fn every_tag_is_closed_and_the_page_has_its_parts() {
    let page = sample();
    let tags = tags(&page).unwrap();
    let count = |name: &str| tags.iter().filter(|tag| tag.split_whitespace().next() == Some(name)).count();
    assert_eq!((count("html"), count("main"), count("h1"), count("style")), (1, 1, 1, 1));
    assert_eq!(count("figure"), 4 + 1, "four points with latencies, and one chart of three that differ in connections");
    assert_eq!(count("details"), 5);
    assert!(page.contains("<h1>Florin: capture, recover</h1>"));
    assert!(page.contains("<h3>capture: batch 1, size 256 by connections</h3>"));
    for name in [
        "connections 1",
        "connections 8",
        "connections 32",
        "floor epoll",
        "floor glommio",
        "3 rounds, one by one",
        "capture, all rounds",
    ] {
        assert!(page.contains(&format!("</svg> {name}</li>")), "{name} is in no legend");
    }
    assert!(page.contains("<th scope=\"row\">conditions</th><td>Closed loop"));
    assert!(page.contains("<td>1674 <span class=\"range\">(1637 to 1711)</span></td>"), "numbers are there");
}

#[test]
fn the_checker_finds_what_is_not_closed() {
    for broken in ["<p>", "<p></b>", "<p><b></p></b>", "</p>", "a > b", "<p class=\"a></p>"] {
        let page = format!("<!DOCTYPE html>\n{broken}");
        assert!(tags(&page).is_err(), "{broken}");
    }
    assert_eq!(tags("<!DOCTYPE html>\n<p>a<br/></p>").unwrap(), ["p", "br/", "/p"]);
}

#[test]
fn texts_from_outside_are_texts() {
    let page = sample();
    assert!(page.contains("A &lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;CPU&quot;"));
    assert!(page.contains("recover: journal &lt;b&gt;"));
    assert!(!tags(&page).unwrap().iter().any(|tag| tag.starts_with("script") || tag == "b"));
    assert_eq!(escaped("<a href='x'>\u{0}\u{1b}\n&amp;"), "&lt;a href=&#39;x&#39;&gt;\u{fffd}\u{fffd}\n&amp;amp;");
}

#[test]
fn numbers_are_not_broken_and_words_are() {
    assert_eq!(unbroken("12 345 (1 000 to 2 000) <"), "12\u{a0}345 (1\u{a0}000 to 2\u{a0}000) &lt;");
    assert_eq!(unbroken(""), "");
}

#[test]
fn nothing_is_loaded_from_anywhere() {
    let page = sample();
    for word in ["http:", "https:", "//", "url(", "@import", "src=", "href="] {
        assert!(!page.contains(word), "the page contains {word}");
    }
    assert!(page.contains("default-src &#39;none&#39;"));
    let names: Vec<String> =
        tags(&page).unwrap().iter().map(|tag| tag.split([' ', '/']).next().unwrap().to_owned()).collect();
    for name in ["script", "link", "img", "iframe", "object", "base", "form"] {
        assert!(!names.iter().any(|found| found == name), "{name}");
    }
}

#[test]
fn every_class_of_the_page_has_its_style_in_light_dark_and_print() {
    let page = sample();
    for tag in tags(&page).unwrap() {
        let Some(classes) = tag.split("class=\"").nth(1).and_then(|rest| rest.split('"').next()) else { continue };
        for class in classes.split(' ').filter(|class| *class != "d0") {
            assert!(STYLE.contains(&format!(".{class}")), "{class} has no style");
        }
    }
    assert!(STYLE.contains("prefers-color-scheme: dark") && STYLE.contains("@media print"));
    assert!(!STYLE.contains('<') && STYLE.matches('{').count() == STYLE.matches('}').count());
}

#[test]
fn points_are_compared_only_if_nothing_but_their_connections_differs() {
    let page_of = |points: &[Point]| page(&facts(), "", &COLUMNS, points);
    let other_bench = Point { bench: "e2e", ..point(8, 1) };
    assert!(!page_of(&[point(1, 1), point(8, 16), other_bench]).contains("by connections"));
    assert_eq!(
        page_of(&[point(1, 1), point(8, 16), point(8, 1), point(1, 16)]).matches(" by connections</h3>").count(),
        2
    );
    let unlabelled = Point { labels: Vec::new(), ..point(1, 1) };
    assert!(!page_of(&[unlabelled.clone(), unlabelled]).contains("by connections"));
}

#[test]
fn a_page_without_points_says_so() {
    let page = page(&facts(), "", &COLUMNS, &[]);
    tags(&page).unwrap();
    assert!(page.contains("nothing was measured") && !page.contains("<svg"));
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a page is a file of the host")]
fn a_page_can_be_written_to_a_file() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("sample.html");
    std::fs::write(&file, sample()).unwrap();
    let page = std::fs::read_to_string(&file).unwrap();
    assert!(page.len() < 100_000, "a page of five points is small: {} bytes", page.len());
}
