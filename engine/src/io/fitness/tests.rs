use std::path::Path;

use super::device::flushes_of;
use super::direct::judge_alignment;
use super::mount::{MountOptions, options_of_device};
use super::{
    BlockDevice, DirectAlignment, DirectIo, DirectoryLock, FileSystem, FreeSpace, LockError, Options, Overwrite,
    OverwriteFile, Unfit, Warning, WriteCache, check, check_preallocation, file_system_of, judge_kind, judge_mount,
};
use crate::io::blocking::conformance::directory_on_disk;

const DIRECT: Options = Options { allow_cow: false, direct_io: DirectIo::Required };
const BUFFERED: Options = Options { allow_cow: false, direct_io: DirectIo::Off };

fn names_in(path: &Path) -> Vec<String> {
    crate::io::blocking::names::list(path).unwrap()
}

#[test]
fn a_checked_directory_is_left_as_it_was() {
    let directory = directory_on_disk();
    let allow_cow = true;
    for direct_io in [DirectIo::Required, DirectIo::Off] {
        let fitness = check(directory.path(), Options { allow_cow, direct_io });
        // What is under the build is unknown here; if it is fit, it says how direct I/O has to be done.
        if let Ok(fitness) = fitness {
            assert_eq!(fitness.direct.is_some(), direct_io == DirectIo::Required);
        }
        assert!(names_in(directory.path()).is_empty());
    }
}

#[test]
fn memory_is_refused_whatever_is_allowed() {
    let everything = Options { allow_cow: true, direct_io: DirectIo::Off };
    for file_system in [FileSystem::Tmpfs, FileSystem::Ramfs] {
        assert_eq!(judge_kind(file_system, everything), Err(Unfit::Volatile(file_system)));
    }
    let shared_memory = Path::new("/dev/shm");
    if shared_memory.is_dir() {
        let error = check(shared_memory, everything).unwrap_err();
        assert_eq!(error.reason, Unfit::Volatile(FileSystem::Tmpfs));
        assert!(error.to_string().contains("/dev/shm"), "{error}");
    }
}

#[test]
fn copy_on_write_is_refused_unless_allowed() {
    for magic in [0x9123_683e, 0xca45_1a4e, 0x2fc1_2fc1, 0x794c_7630] {
        let file_system = FileSystem::from_magic(magic);
        assert_eq!(judge_kind(file_system, DIRECT), Err(Unfit::CopyOnWrite(file_system)));
        assert!(Unfit::CopyOnWrite(file_system).to_string().contains("--allow-cow"));
        let allowed = judge_kind(file_system, Options { allow_cow: true, ..DIRECT });
        assert_eq!(allowed, Ok(vec![Warning::CopyOnWrite(file_system)]));
    }
}

#[test]
fn an_unknown_file_system_is_accepted_with_a_warning() {
    let nfs = FileSystem::from_magic(0x6969);
    assert_eq!(judge_kind(nfs, DIRECT), Ok(vec![Warning::Untested(nfs)]));
    assert_eq!(judge_kind(FileSystem::from_magic(0xef53), DIRECT), Ok(vec![]));
    assert_eq!(judge_kind(FileSystem::from_magic(0x5846_5342), DIRECT), Ok(vec![]));
}

#[test]
fn mount_options_are_found_by_device() {
    let mountinfo = "\
        22 27 0:21 / /proc rw,relatime - proc proc rw\n\
        27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard\n\
        31 27 254:16 /sub /data rw,noatime shared:7 master:1 - ext4 /dev/vdb rw,data=journal\n\
        32 27 254:32 / /fast rw,data=journal - ext4 /dev/vdc rw,nobarrier,data=ordered\n";
    let plain = MountOptions::default();
    assert_eq!(options_of_device(mountinfo, 254, 0), Some(plain));
    assert_eq!(options_of_device(mountinfo, 254, 16), Some(MountOptions { data_journal: true, ..plain }));
    assert_eq!(options_of_device(mountinfo, 254, 32), Some(MountOptions { no_barrier: true, ..plain }));
    assert_eq!(options_of_device(mountinfo, 254, 1), None);
    assert_eq!(options_of_device("", 254, 0), None);
}

#[test]
fn a_journaled_or_barrierless_mount_is_refused_where_it_breaks_a_promise() {
    let journaled = Some(MountOptions { data_journal: true, no_barrier: false });
    let barrierless = Some(MountOptions { data_journal: false, no_barrier: true });
    assert_eq!(judge_mount(journaled, DIRECT), Err(Unfit::DataJournal));
    assert_eq!(judge_mount(journaled, BUFFERED), Ok(Some(Warning::DataJournal)));
    assert_eq!(judge_mount(barrierless, DIRECT), Err(Unfit::NoBarrier));
    assert_eq!(judge_mount(barrierless, BUFFERED), Err(Unfit::NoBarrier));
    assert_eq!(judge_mount(Some(MountOptions::default()), DIRECT), Ok(None));
    assert_eq!(judge_mount(None, DIRECT), Ok(Some(Warning::MountUnknown)));
}

#[test]
fn an_alignment_above_one_unit_is_refused() {
    let known = DirectAlignment::Known { memory_bytes: 512, position_bytes: 4096 };
    assert_eq!(judge_alignment((512, 4096)), Ok(known));
    assert_eq!(judge_alignment((4, 65536)), Err(Unfit::Alignment { bytes: 65536 }));
    assert!(matches!(judge_alignment((0, 0)), Err(Unfit::NoDirectIo { .. })));
}

#[test]
fn a_missing_directory_is_named() {
    let directory = directory_on_disk();
    let error = check(&directory.path().join("absent"), DIRECT).unwrap_err();
    assert!(error.to_string().contains("absent"), "{error}");
    assert!(matches!(error.reason, Unfit::Failed { .. }));
}

#[test]
fn a_directory_is_locked_once_and_free_again_when_its_owner_is_gone() {
    let directory = directory_on_disk();
    let lock = DirectoryLock::take(directory.path()).unwrap();
    assert_eq!(names_in(directory.path()), ["lock"]);
    let error = DirectoryLock::take(directory.path()).unwrap_err();
    let (path, process_id) = (lock.path().to_owned(), Some(std::process::id()));
    assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
    assert_eq!(error, LockError::Held { path, process_id });
    drop(lock);
    DirectoryLock::take(directory.path()).unwrap();
}

#[test]
fn a_lock_file_left_by_a_dead_owner_is_free_and_gets_our_process_id() {
    let directory = directory_on_disk();
    let path = directory.path().join("lock");
    std::fs::write(&path, "4194304999\n").unwrap();
    let lock = DirectoryLock::take(directory.path()).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
    drop(lock);
}

#[test]
fn a_lock_in_a_missing_directory_is_an_error_that_names_it() {
    let directory = directory_on_disk();
    let error = DirectoryLock::take(&directory.path().join("absent")).unwrap_err();
    assert!(matches!(error, LockError::Failed { .. }));
    assert!(error.to_string().contains("absent"), "{error}");
}

#[test]
fn flushes_are_the_sixteenth_number_and_absent_on_older_kernels() {
    let text = " 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 283 404\n";
    assert_eq!(flushes_of(text), Some(283));
    assert_eq!(flushes_of("1 2 3 4 5 6 7 8 9 10 11"), None);
}

/// Writes a folder as `/sys` has it: names and contents.
fn system_folder(root: &Path, name: &str, files: &[(&str, &str)]) {
    for (file, text) in files {
        let path = root.join(name).join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

#[test]
fn a_device_says_whether_it_has_a_cache_and_a_partition_speaks_for_its_disk() {
    let root = directory_on_disk();
    let statistics = "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 7 8";
    let volatile = [("queue/write_cache", "write back\n"), ("queue/fua", "1\n"), ("stat", statistics)];
    system_folder(root.path(), "disk", &volatile);
    system_folder(root.path(), "disk/disk1", &[("partition", "1\n")]);
    let device = BlockDevice::of_folder(root.path().join("disk/disk1")).unwrap();
    assert_eq!((device.name(), device.description().as_str()), ("disk", "disk (write back, FUA)"));
    assert_eq!((device.write_cache(), device.has_fua()), (Some(WriteCache::Volatile), Some(true)));
    assert_eq!(device.flush_count(), Some(7));

    system_folder(root.path(), "safe", &[("queue/write_cache", "write through\n"), ("queue/fua", "0\n")]);
    let device = BlockDevice::of_folder(root.path().join("safe")).unwrap();
    assert_eq!((device.write_cache(), device.flush_count()), (Some(WriteCache::None), None));
    let silent = BlockDevice::of_folder(root.path().join("silent")).unwrap();
    assert_eq!((silent.write_cache(), silent.has_fua(), silent.description().as_str()), (None, None, "silent"));
}

#[test]
fn a_mapped_device_speaks_for_the_one_below_and_an_array_for_none() {
    let root = directory_on_disk();
    system_folder(root.path(), "disk", &[("queue/write_cache", "write back\n")]);
    system_folder(root.path(), "disk/disk2", &[("partition", "2\n")]);
    let link = |device: &str, below: &str| {
        let slaves = root.path().join(device).join("slaves");
        std::fs::create_dir_all(&slaves).unwrap();
        std::os::unix::fs::symlink(root.path().join(below), slaves.join(below.replace('/', "-"))).unwrap();
    };
    link("mapped", "disk/disk2");
    assert_eq!(BlockDevice::of_folder(root.path().join("mapped")).unwrap().name(), "disk");
    link("array", "disk/disk2");
    link("array", "mapped");
    assert!(BlockDevice::of_folder(root.path().join("array")).is_none());
}

#[test]
fn a_prepared_file_is_overwritten_in_every_way_that_there_is_and_leaves_no_name() {
    let directory = directory_on_disk();
    for how in [Overwrite::Direct, Overwrite::Durable, Overwrite::Synced] {
        match OverwriteFile::prepare(directory.path(), how) {
            Ok(mut file) => (0..10).for_each(|_| file.overwrite().unwrap()),
            Err(error) => assert_eq!((how, error.raw_os_error()), (Overwrite::Direct, Some(libc::EINVAL)), "{error}"),
        }
        assert!(names_in(directory.path()).is_empty());
    }
}

#[test]
fn what_is_free_and_whether_it_can_be_allocated_is_asked_without_a_trace() {
    let directory = directory_on_disk();
    check_preallocation(directory.path(), 1 << 20).unwrap();
    assert!(names_in(directory.path()).is_empty());
    assert!(FreeSpace::of(directory.path()).unwrap().bytes > 0);
    let absent = directory.path().join("absent");
    assert!(FreeSpace::of(&absent).is_err() && check_preallocation(&absent, 4096).is_err());
    assert!(file_system_of(directory.path()).is_ok());
}
