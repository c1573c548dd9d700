//! What is chosen for a topic: how much of it is kept, how it is cut into segments, how large its records are.

use std::ops::RangeInclusive;

use thiserror::Error;

use crate::limits::{
    RECORD_BYTES_MAX_MAX, RECORD_BYTES_MAX_MIN, RETENTION_BYTES_MIN, RETENTION_NS_MIN, SEGMENT_BYTES_DEFAULT,
    SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN,
};

#[cfg(test)]
mod tests;

/// The settings of a topic. They hold for each of its partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicSettings {
    /// Bytes of a partition above which its oldest batches go; none: everything is kept.
    pub retention_bytes: Option<u64>,
    /// Nanoseconds after its append time from which on a batch goes; none: everything is kept.
    pub retention_ns: Option<u64>,
    /// Size at which a segment file is sealed, [`SEGMENT_BYTES_MIN`] to [`SEGMENT_BYTES_MAX`].
    pub segment_bytes: u64,
    /// The largest record that is taken, in bytes as it stands in its batch, [`RECORD_BYTES_MAX_MIN`] to
    /// [`RECORD_BYTES_MAX_MAX`]. Of a compressed batch all bytes count as one record.
    pub record_bytes_max: u32,
}

/// One of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// [`TopicSettings::retention_bytes`].
    RetentionBytes,
    /// [`TopicSettings::retention_ns`].
    RetentionNs,
    /// [`TopicSettings::segment_bytes`].
    SegmentBytes,
    /// [`TopicSettings::record_bytes_max`].
    RecordBytesMax,
}

/// A setting that no topic can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{} {asked}: choose from {least} to {most}", setting.name())]
pub struct SettingOutOfBounds {
    /// Which.
    pub setting: Setting,
    /// What was asked for.
    pub asked: u64,
    /// The least there may be.
    pub least: u64,
    /// The most there may be.
    pub most: u64,
}

impl Default for TopicSettings {
    /// Everything is kept, and every record that fits a batch is taken.
    fn default() -> Self {
        Self {
            retention_bytes: None,
            retention_ns: None,
            segment_bytes: SEGMENT_BYTES_DEFAULT,
            record_bytes_max: RECORD_BYTES_MAX_MAX,
        }
    }
}

impl TopicSettings {
    /// Whether a topic can have these settings.
    ///
    /// # Errors
    /// The first one that is out of its bounds.
    pub fn check(&self) -> Result<(), SettingOutOfBounds> {
        let chosen = [
            (Setting::RetentionBytes, self.retention_bytes),
            (Setting::RetentionNs, self.retention_ns),
            (Setting::SegmentBytes, Some(self.segment_bytes)),
            (Setting::RecordBytesMax, Some(u64::from(self.record_bytes_max))),
        ];
        for (setting, asked) in chosen {
            let bounds = setting.bounds();
            if let Some(asked) = asked.filter(|asked| !bounds.contains(asked)) {
                return Err(SettingOutOfBounds { setting, asked, least: *bounds.start(), most: *bounds.end() });
            }
        }
        Ok(())
    }
}

impl Setting {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::RetentionBytes => "retention_bytes",
            Self::RetentionNs => "retention_ns",
            Self::SegmentBytes => "segment_bytes",
            Self::RecordBytesMax => "record_bytes_max",
        }
    }

    /// The least and the most there may be.
    pub fn bounds(self) -> RangeInclusive<u64> {
        match self {
            Self::RetentionBytes => RETENTION_BYTES_MIN..=u64::MAX,
            Self::RetentionNs => RETENTION_NS_MIN..=u64::MAX,
            Self::SegmentBytes => SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX,
            Self::RecordBytesMax => u64::from(RECORD_BYTES_MAX_MIN)..=u64::from(RECORD_BYTES_MAX_MAX),
        }
    }
}
