//! File systems without `O_DIRECT`, mounted for one test: refused with the reason, and served with `--no-direct`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;

use florin_engine::io::fitness::{self, DirectAlignment, Options};
use florin_harness::served::server::{Start, program};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use super::places::{captures_survive_a_kill, contents, refused};
use super::{MIB, place};

/// Room for two shards as [`start_at`] has them, and for the file system's own journal.
const IMAGE_BYTES: u64 = 128 * MIB;
/// Flags of an ext4 inode: mapped by extents, data in the journal.
const JOURNALED_FOLDER_FLAGS: u32 = 0x80000 | 0x4000;
const NO_DATA: Option<&str> = None;

/// Runs on a thread with mounts of its own. The kernel takes them away with the thread and the processes that it
/// started, however they end. An error says why that cannot be.
pub(super) fn with_own_mounts(run: impl FnOnce() -> Result<(), String> + Send) -> Result<(), String> {
    // Built before, and seen from everywhere.
    program();
    thread::scope(|scope| {
        let own = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNS).map_err(|error| format!("no mounts of its own: {error}"))?;
            mount(NO_DATA, "/", NO_DATA, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NO_DATA)
                .expect("mounts can be private");
            run()
        });
        own.join().expect("it holds")
    })
}

/// Says that a test cannot run here.
pub(super) fn skip_if(test: &str, outcome: Result<(), String>) {
    if let Err(reason) = outcome {
        println!("SKIP {test}: {reason}");
    }
}

/// Runs a program of the system.
fn run(name: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(name).args(arguments).output().map_err(|error| format!("{name}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("{name}: {}", said.trim())) }
}

/// A new folder.
fn folder(parent: &Path, name: &str) -> PathBuf {
    let path = parent.join(name);
    fs::create_dir(&path).expect("it can be made");
    path
}

pub(super) fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

fn start_at(file_system: &Path, arguments: &[&str]) -> Start {
    Start::new(file_system.join("data")).journal(8, 4 * MIB).with(arguments)
}

fn format_at(file_system: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(program());
    command.arg("format").arg(file_system.join("data")).args(["--shards=2", "--journal-files=8"]);
    command.args(["--journal-file-bytes=4MiB", "--manifest-bytes=256KiB"]).args(arguments);
    command.output().expect("the program runs")
}

/// Neither formats nor serves there with these arguments, says why, and leaves everything as it was.
fn is_refused(file_system: &Path, arguments: &[&str], words: &[&str]) {
    let before = contents(file_system);
    refused(&start_at(file_system, arguments), words);
    let output = format_at(file_system, arguments);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(words.iter().all(|word| said.contains(word)), "not all of {words:?} in {said:?}");
    assert!(contents(file_system) == before, "nothing was made");
}

/// Is served with these arguments, from a directory that is formatted with them, and survives SIGKILL.
fn is_served(file_system: &Path, arguments: &[&str], warning: &str) {
    let output = format_at(file_system, arguments);
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains(warning), "{warning:?} is not in {said:?}");
    captures_survive_a_kill(&start_at(file_system, arguments));
}

/// The image of an empty ext4.
pub(super) fn image(place: &Path) -> Result<PathBuf, String> {
    let image = place.join("image");
    fs::File::create(&image).and_then(|file| file.set_len(IMAGE_BYTES)).expect("an image");
    run("mkfs.ext4", &["-q", "-F", text(&image)])?;
    Ok(image)
}

/// The image, mounted with these options besides.
pub(super) fn ext4(place: &Path, image: &Path, options: &str) -> Result<PathBuf, String> {
    let mounted = folder(place, "ext4");
    run("mount", &["-t", "ext4", "-o", &format!("loop,{options}"), text(image), text(&mounted)])?;
    Ok(mounted)
}

#[test]
fn served_ext4_that_journals_data_is_refused_because_it_buffers_and_is_served_without_direct_io() {
    let test = "ext4 with data=journal";
    let Some(place) = place(test) else { return };
    let outcome = with_own_mounts(|| {
        let mounted = ext4(place.path(), &image(place.path())?, "data=journal")?;
        let words = ["accepts O_DIRECT and buffers all the same", "data=ordered", "--no-direct"];
        is_refused(&mounted, &[], &words);
        is_served(&mounted, &["--no-direct"], "everything is written twice");
        // Also what was made without direct I/O is not served with it.
        let before = contents(&mounted);
        refused(&start_at(&mounted, &[]), &words);
        assert!(contents(&mounted) == before, "nothing was changed");
        Ok(())
    });
    skip_if(test, outcome);
}

#[test]
fn served_a_folder_whose_files_cannot_be_used_directly_is_refused_and_is_served_without_direct_io() {
    let test = "a folder that journals data";
    let Some(place) = place(test) else { return };
    let here = fitness::check(place.path(), Options::default()).expect("it was found fit");
    if !matches!(here.direct, Some(DirectAlignment::Known { .. })) {
        println!("SKIP {test}: this kernel does not state which files can be used directly");
        return;
    }
    let outcome = with_own_mounts(|| {
        // Its files are journaled like the root folder, as far as allocation is not delayed; no mount option says so.
        let image = image(place.path())?;
        run("debugfs", &["-w", "-R", &format!("set_inode_field / flags {JOURNALED_FOLDER_FLAGS:#x}"), text(&image)])?;
        let mounted = ext4(place.path(), &image, "nodelalloc")?;
        is_refused(&mounted, &[], &["it does not offer O_DIRECT (statx says", "--no-direct"]);
        is_served(&mounted, &["--no-direct"], "formatted");
        Ok(())
    });
    skip_if(test, outcome);
}

#[test]
fn served_a_file_system_that_cannot_open_files_directly_or_not_preallocate_them_is_refused() {
    let test = "overlayfs on ramfs";
    let Some(place) = place(test) else { return };
    let outcome = with_own_mounts(|| {
        // The files of a ramfs cannot be opened with O_DIRECT. Itself it is refused as memory.
        let (memory, mounted) = (folder(place.path(), "memory"), folder(place.path(), "overlay"));
        let unavailable = |error| format!("it cannot be mounted ({error})");
        mount(Some("none"), &memory, Some("ramfs"), MsFlags::empty(), NO_DATA).map_err(unavailable)?;
        is_refused(&memory, &["--no-direct"], &["ramfs is memory"]);
        let [lower, upper, work] = ["lower", "upper", "work"].map(|name| folder(&memory, name));
        let layers = format!("lowerdir={},upperdir={},workdir={}", text(&lower), text(&upper), text(&work));
        let layers = Some(layers.as_str());
        mount(Some("none"), &mounted, Some("overlay"), MsFlags::empty(), layers).map_err(unavailable)?;
        is_refused(&mounted, &[], &["overlayfs writes every block to a new place", "--allow-cow"]);
        is_refused(&mounted, &["--allow-cow"], &["it does not offer O_DIRECT (open: Invalid argument", "--no-direct"]);
        let output = format_at(&mounted, &["--allow-cow", "--no-direct"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(said.contains("cannot preallocate files: use ext4 or xfs"), "{said:?}");
        Ok(())
    });
    skip_if(test, outcome);
}
