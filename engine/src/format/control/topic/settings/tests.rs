//! Bounds of the settings.

use super::*;

#[test]
fn the_settings_that_nobody_chose_keep_everything_and_take_what_fits_a_batch() {
    let settings = TopicSettings::default();
    assert_eq!((settings.retention_bytes, settings.retention_ns), (None, None));
    assert_eq!((settings.segment_bytes, settings.record_bytes_max), (256 << 20, 1 << 20));
    assert_eq!(settings.check(), Ok(()));
}

type Change = fn(&mut TopicSettings, u64);

#[test]
fn settings_out_of_their_bounds_are_named_with_what_there_may_be() {
    let with = |change: Change, number: u64| {
        let mut settings = TopicSettings::default();
        change(&mut settings, number);
        settings.check()
    };
    let changes: [(Setting, Change); 4] = [
        (Setting::RetentionBytes, |settings, number| settings.retention_bytes = Some(number)),
        (Setting::RetentionNs, |settings, number| settings.retention_ns = Some(number)),
        (Setting::SegmentBytes, |settings, number| settings.segment_bytes = number),
        (Setting::RecordBytesMax, |settings, number| settings.record_bytes_max = u32::try_from(number).unwrap()),
    ];
    for (setting, change) in changes {
        let (least, most) = setting.bounds().into_inner();
        assert_eq!((with(change, least), with(change, most)), (Ok(()), Ok(())), "{setting:?}");
        let refused = |asked| Err(SettingOutOfBounds { setting, asked, least, most });
        assert_eq!(with(change, least - 1), refused(least - 1));
        if most < u64::MAX {
            assert_eq!(with(change, most + 1), refused(most + 1));
        }
    }
    let error = with(|settings, number| settings.segment_bytes = number, 9).unwrap_err();
    assert_eq!(error.to_string(), "segment_bytes 9: choose from 65536 to 4294967296");
}
