//! How a device is mounted, from the text of `/proc/self/mountinfo`.

/// What of a mount's options decides about durability.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct MountOptions {
    /// ext4 journals file contents as well (`data=journal`).
    pub(super) data_journal: bool,
    /// Flushes are not sent to the device (`nobarrier`).
    pub(super) no_barrier: bool,
}

/// The options of the file system on the device `major:minor`; they are the same wherever it is mounted. `None`
/// if it is not listed.
pub(super) fn options_of_device(mountinfo: &str, major: u32, minor: u32) -> Option<MountOptions> {
    let device = format!("{major}:{minor}");
    mountinfo.lines().find_map(|line| {
        // "27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,data=ordered"
        let (place, source) = line.split_once(" - ")?;
        if place.split_whitespace().nth(2)? != device {
            return None;
        }
        let options = source.split_whitespace().nth(2).unwrap_or_default();
        let mut found = MountOptions::default();
        for option in options.split(',') {
            found.data_journal |= option == "data=journal";
            found.no_barrier |= option == "nobarrier" || option == "barrier=0";
        }
        Some(found)
    })
}
