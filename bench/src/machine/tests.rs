use super::process::{process_cpu_us, ticks_of};
use super::{load_average_of, on_core, processor_of};

#[test]
fn a_process_whose_name_has_brackets_and_blanks_has_its_ticks_read() {
    let text = "42 (a) b) c) S 1 42 42 0 -1 4194560 1 2 3 4 700 55 9 9 20 0 1 0 100 2 3";
    assert_eq!(ticks_of(text), Some(755));
    assert_eq!(ticks_of("42 (short) S 1"), None);
}

#[test]
fn this_process_has_a_cpu_time_and_a_process_that_cannot_be_has_none() {
    assert!(process_cpu_us(std::process::id()).is_some());
    assert!(process_cpu_us(u32::MAX).is_none());
}

#[test]
fn the_processor_is_its_model_name_or_unknown() {
    assert_eq!(processor_of("processor\t: 0\nmodel name\t: A CPU @ 2 GHz\nflags\t: fpu"), "A CPU @ 2 GHz");
    assert_eq!(processor_of(""), "unknown");
    assert_eq!(load_average_of("0.25 0.1 0.0 1/200 4711\n"), "0.25");
}

#[test]
fn work_on_a_core_that_does_not_exist_is_refused_and_not_done() {
    let mut done = false;
    let outcome = on_core(Some(usize::MAX), || {
        done = true;
        Ok(())
    });
    assert!(outcome.unwrap_err().to_string().contains("cannot be used"));
    assert!(!done);
}
