use std::path::Path;

use super::{Spent, Thread, Usage, number_behind};

const STATUS: &str =
    "Name:\tflorin\nVmRSS:\t   1234 kB\nvoluntary_ctxt_switches:\t40\nnonvoluntary_ctxt_switches:\t2\n";

#[test]
fn a_thread_is_read_from_what_the_kernel_tells() {
    let thread = Thread::parse(Some("5000 17 3\n"), Some(STATUS));
    assert_eq!(thread, Thread { cpu_ns: Some(5000), context_switches: Some(42) });
    assert_eq!(Thread::parse(None, None), Thread::default());
    assert_eq!(number_behind(STATUS, "VmRSS:"), Some(1234));
    assert_eq!(number_behind(STATUS, "VmSwap:"), None);
}

#[test]
fn what_was_used_is_the_sum_over_threads_those_that_came_included() {
    let thread = |cpu_ns, switches| Thread { cpu_ns: Some(cpu_ns), context_switches: Some(switches) };
    let usage = |threads: &[(u32, Thread)]| Usage { rss_bytes: 0, threads: threads.iter().copied().collect() };
    let before = usage(&[(1, thread(100, 5)), (2, thread(50, 1))]);
    let after = usage(&[(1, thread(160, 9)), (3, thread(7, 2))]);
    assert_eq!(after.since(&before), Spent { cpu_ns: Some(67), context_switches: Some(6) });
    let silent = usage(&[(1, Thread { cpu_ns: None, context_switches: Some(9) })]);
    assert_eq!(silent.since(&before), Spent { cpu_ns: None, context_switches: Some(4) });
}

#[test]
fn this_process_has_memory_and_threads_and_one_that_cannot_be_has_none() {
    let own = Usage::of(std::process::id()).unwrap();
    assert!(own.rss_bytes > 0 && own.thread_count() > 0);
    assert!(Usage::of(u32::MAX).is_err());
    assert!(Usage::read(Path::new("/nowhere")).is_err());
}
