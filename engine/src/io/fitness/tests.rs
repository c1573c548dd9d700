use std::path::Path;

use super::direct::judge_alignment;
use super::mount::{MountOptions, options_of_device};
use super::{
    DirectAlignment, DirectIo, DirectoryLock, FileSystem, LockError, Options, Unfit, Warning, check, judge_kind,
    judge_mount,
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
