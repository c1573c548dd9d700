//! Names, limits, and descriptions that follow each other.

use super::*;

pub(in crate::format::control) fn orders() -> TopicDescriptor {
    TopicDescriptor::new(TopicId(0x0102), "pay-1", vec![ShardId(2), ShardId(0), ShardId(2)]).expect("valid")
}

/// The same topic, altered.
pub(in crate::format::control) fn altered() -> TopicDescriptor {
    let settings = TopicSettings {
        retention_bytes: Some(0x0102_0304),
        retention_ns: Some(0x0506_0708_090a),
        segment_bytes: 0x0010_0000,
        record_bytes_max: 0x4000,
    };
    orders().altered(settings, &[ShardId(1)]).expect("valid").expect("there are more revisions")
}

#[test]
fn topic_names_follow_the_rules() {
    let check = TopicDescriptor::check_name;
    let longest = "x".repeat(TOPIC_NAME_BYTES_MAX);
    for good in ["a", "A.b_c-9", "...", "-", longest.as_str()] {
        assert_eq!(check(good), Ok(()), "{good}");
    }
    assert_eq!(check(""), Err(TopicNameError::Empty));
    assert_eq!(check("."), Err(TopicNameError::Dots));
    assert_eq!(check(".."), Err(TopicNameError::Dots));
    assert_eq!(check("ab/c"), Err(TopicNameError::Character { position: 2 }));
    assert_eq!(check("zahlungé"), Err(TopicNameError::Character { position: 7 }));
    let bytes = TOPIC_NAME_BYTES_MAX + 1;
    assert_eq!(check(&"x".repeat(bytes)), Err(TopicNameError::TooLong { bytes }));
}

#[test]
fn topics_outside_the_limits_cannot_be_made_or_read() {
    let count_max = TOPIC_PARTITION_COUNT_MAX as usize;
    for partition_count in [0, count_max + 1] {
        let made = TopicDescriptor::new(TopicId(1), "a", vec![ShardId(0); partition_count]);
        assert_eq!(made, Err(TopicError::PartitionCount { partition_count }));
    }
    let shard = ShardId(SHARD_COUNT_MAX);
    let made = TopicDescriptor::new(TopicId(1), "a", vec![ShardId(0), shard]);
    assert_eq!(made, Err(TopicError::Shard { partition: 1, shard }));

    let mut body = Vec::new();
    TopicDescriptor::new(TopicId(1), "ab", vec![ShardId(0); count_max]).expect("the largest").put(&mut body);
    let read = |body: &[u8]| TopicDescriptor::get(TopicId(1), &mut &*body);
    let out_of_bounds = |setting: Setting, asked| {
        let (least, most) = setting.bounds().into_inner();
        SettingOutOfBounds { setting, asked, least, most }
    };
    assert!(read(&body).is_ok());
    for (position, byte, error) in [
        (1, 0x11, TopicError::PartitionCount { partition_count: 0x1100 }),
        (3, 0xff, TopicError::PartitionCount { partition_count: 0xff00_1000 }),
        (4, 0, TopicError::Name(TopicNameError::Empty)),
        (4, 3, TopicError::Truncated),
        (6, 1, TopicError::Truncated),
        (8, 0, TopicError::Revision { revision: 0 }),
        (14, 0, TopicError::Setting(out_of_bounds(Setting::RecordBytesMax, 0))),
        (20, 1, TopicError::Setting(out_of_bounds(Setting::SegmentBytes, (1 << 32) + (256 << 20)))),
        (41, 1, TopicError::Shard { partition: 0, shard }),
        (body.len() - 1, b'/', TopicError::Name(TopicNameError::Character { position: 1 })),
    ] {
        let mut damaged = body.clone();
        damaged[position] = byte;
        assert_eq!(read(&damaged), Err(error), "byte {position}");
    }
}

#[test]
fn an_altered_description_keeps_the_name_and_the_partitions_that_are_there() {
    let (before, after) = (orders(), altered());
    assert_eq!((before.revision(), after.revision()), (1, 2));
    assert_eq!((after.id(), after.name(), after.partition_count()), (before.id(), before.name(), 4));
    assert_eq!(after.settings().record_bytes_max, 0x4000);
    assert!(after.follows(&before) && !before.follows(&after) && !before.follows(&before));
    let skipped = after.altered(*after.settings(), &[]).expect("valid").expect("there are more revisions");
    assert!(skipped.follows(&after) && !skipped.follows(&before));
    let moved = TopicDescriptor::new(before.id(), before.name(), vec![ShardId(1); 3]).expect("valid");
    assert!(!after.follows(&moved), "partitions stay where they are");
    let other = TopicDescriptor::new(before.id(), "other", before.placement().to_vec()).expect("valid");
    assert!(!after.follows(&other));

    let tiny = TopicSettings { segment_bytes: 1, ..TopicSettings::default() };
    assert!(matches!(before.altered(tiny, &[]), Err(TopicError::Setting(_))));
    assert!(matches!(before.clone().with_settings(tiny), Err(TopicError::Setting(_))));
    let many = vec![ShardId(0); TOPIC_PARTITION_COUNT_MAX as usize];
    assert!(matches!(before.altered(*before.settings(), &many), Err(TopicError::PartitionCount { .. })));
    let mut last = Vec::new();
    before.put(&mut last);
    last[8..12].fill(0xff);
    let last = TopicDescriptor::get(before.id(), &mut &last[..]).expect("valid");
    assert_eq!(last.altered(*before.settings(), &[]), Ok(None), "there is no revision behind the last");
}

#[test]
fn a_topic_names_its_owners_and_their_partitions() {
    let topic = orders();
    let on = |shard| topic.partitions_on(ShardId(shard)).map(|partition| partition.index).collect::<Vec<_>>();
    assert_eq!((on(2), on(0), on(1)), (vec![0, 2], vec![1], vec![]));
    assert_eq!(topic.owners().into_iter().collect::<Vec<_>>(), vec![ShardId(0), ShardId(2)]);
    assert_eq!((topic.shard_of(1), topic.shard_of(3)), (Some(ShardId(0)), None));
}

#[test]
fn the_rule_of_idempotency_keys_stands_behind_the_name_and_never_changes() {
    let rule = |window_days| KeyRule::new(KeySource::RecordKey, window_days, Vec::new(), Partitioner::Crc32);
    let keyed = orders().with_keys(rule(30).expect("a rule"));
    let (mut plain, mut body) = (Vec::new(), Vec::new());
    orders().put(&mut plain);
    keyed.put(&mut body);
    assert_eq!(body.len(), keyed.encoded_bytes());
    assert_eq!((&body[..6], &body[8..plain.len()]), (&plain[..6], &plain[8..]));
    assert_eq!((&body[6..8], &body[plain.len()..]), (&b"\x06\x00"[..], &b"\x01\x02\x1e\x00\x00\x00"[..]));
    let mut left = &body[..];
    assert_eq!(TopicDescriptor::get(keyed.id(), &mut left), Ok(keyed.clone()));
    assert!(left.is_empty());
    let wrong = |at: usize, byte: u8| {
        let mut body = body.clone();
        body[at] = byte;
        TopicDescriptor::get(keyed.id(), &mut &body[..])
    };
    assert_eq!(wrong(plain.len(), 9), Err(TopicError::KeyRule(KeyRuleError::Bytes)));
    assert_eq!(wrong(6, 7), Err(TopicError::Truncated));

    let next = keyed.altered(TopicSettings::default(), &[]).expect("valid").expect("there are more revisions");
    assert!(next.follows(&keyed) && next.keys() == keyed.keys());
    assert_eq!(keyed.altered(TopicSettings::default(), &[ShardId(1)]), Err(TopicError::PartitionsFixed));
    let other = orders().with_keys(rule(31).expect("a rule"));
    assert!(!next.follows(&other) && !next.is_made_of(&orders()));
}
