use florin_engine::catalogue::TopicSettings;

use super::{SettingsDocument, in_words};

#[test]
fn settings_are_told_in_one_line_with_the_largest_units() {
    let everything = TopicSettings::default();
    assert_eq!(in_words(&everything), "keeps everything; segments of 256MiB; records of 1MiB at most");
    let week = TopicSettings { retention_ns: Some(7 * 86_400 * 1_000_000_000), ..everything };
    assert!(in_words(&week).starts_with("keeps a record for 7d; "));
    let sized = TopicSettings { retention_bytes: Some(8 << 30), ..everything };
    assert!(in_words(&sized).starts_with("keeps 8GiB of each partition; "));
    let both = TopicSettings { retention_ns: week.retention_ns, ..sized };
    assert!(in_words(&both).starts_with("keeps a record for 7d and 8GiB of each partition, whichever is less; "));
}

#[test]
fn json_has_null_for_what_is_kept_without_an_end() {
    let document = serde_json::to_value(SettingsDocument::from(&TopicSettings::default())).expect("it is JSON");
    assert!(document["retention_bytes"].is_null() && document["retention_ns"].is_null());
    assert_eq!((&document["segment_bytes"], &document["record_bytes_max"]), (&(256 << 20).into(), &(1 << 20).into()));
}
