//! What a container may forbid a server: system calls, by a filter that the process inherits.

use std::thread;

use florin_harness::served::server::{Ended, Server, Start, program};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

use super::{place, roomy, start};

/// A filter that answers this call with this error and lets all others through.
fn forbid(call: libc::c_long, error: i32) -> BpfProgram {
    let answer = SeccompAction::Errno(error.unsigned_abs());
    let architecture = std::env::consts::ARCH.try_into().expect("an architecture with filters");
    let filter = SeccompFilter::new([(call, Vec::new())].into(), SeccompAction::Allow, answer, architecture);
    filter.and_then(TryInto::try_into).expect("a filter of one call")
}

/// Starts a server that may not make this call; it must end by itself. An error says why the kernel takes no filter.
fn start_without(call: libc::c_long, error: i32, at: &Start) -> Result<Ended, seccompiler::Error> {
    let filter = forbid(call, error);
    // Built before, so that no compiler runs under the filter.
    program();
    thread::scope(|scope| {
        // The filter stays on the thread that it was put on, and on the processes that it starts.
        let filtered = scope.spawn(|| {
            seccompiler::apply_filter(&filter)?;
            let Err(ended) = Server::start(at) else { panic!("it was started") };
            Ok(ended)
        });
        filtered.join().expect("it ends")
    })
}

/// Whether only filters of this test decide about io_uring here.
fn is_switched_on() -> bool {
    std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled").is_ok_and(|switch| switch.trim() == "0")
}

#[test]
fn served_without_io_uring_says_how_to_permit_it_and_ends_in_order() {
    let Some(place) = place("a filter of system calls") else { return };
    if !is_switched_on() {
        println!("SKIP a filter of system calls: kernel.io_uring_disabled is not there, or not 0");
        return;
    }
    let (refused, hidden) = ((libc::EPERM, "Operation not permitted"), (libc::ENOSYS, "Function not implemented"));
    for (call, (error, words)) in [
        (libc::SYS_io_uring_setup, refused),
        (libc::SYS_io_uring_setup, hidden),
        (libc::SYS_io_uring_enter, refused),
        (libc::SYS_io_uring_register, hidden),
    ] {
        let ended = match start_without(call, error, &roomy(&place)) {
            Ok(ended) => ended,
            Err(refused) => {
                println!("SKIP a filter of system calls: this kernel takes none ({refused})");
                return;
            }
        };
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        let how = ["allow io_uring_setup, io_uring_enter and io_uring_register", "seccomp profile", "SystemCallFilter"];
        for words in ["florin: io_uring is blocked for this process", words].iter().chain(&how) {
            assert!(ended.log.contains(words), "{words:?} is not in {:?}", ended.log);
        }
        assert!(!ended.log.contains("panicked"), "{:?}", ended.log);
    }
    assert!(start(&roomy(&place)).stop().status.success(), "once it is permitted the same directory is served");
}
