use super::process::{process_cpu_us, ticks_of};
use super::stolen::CpuTicks;
use super::{Machine, load_average_of, on_core, processor_of};

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

#[test]
fn every_fact_of_the_line_is_a_pair_and_what_is_unknown_says_so() {
    let mut machine = Machine {
        kernel: "Linux 6.1".to_owned(),
        processor: "A CPU".to_owned(),
        cpu_count: 2,
        device: "vda".to_owned(),
        file_system: "ext4".to_owned(),
        commit: Some("0a1b2c".to_owned()),
        load_average: "0.25".to_owned(),
        began: None,
    };
    let pairs = |machine: &Machine| machine.facts().into_iter().map(|(name, value)| format!("{name}={value}"));
    let expected = "kernel=Linux 6.1 processor=A CPU CPUs=2 file system=ext4 device=vda \
                    load average at the start=0.25 CPU time taken by the host=unknown commit=0a1b2c";
    assert_eq!(pairs(&machine).collect::<Vec<_>>().join(" "), expected);
    let line = machine.line();
    assert!(machine.facts().iter().all(|(_, value)| line.contains(value)), "{line}");
    machine.commit = None;
    assert!(pairs(&machine).any(|pair| pair == "commit=unknown"));
}

#[test]
fn this_machine_has_a_kernel_and_cpus() {
    let facts = Machine::of(std::path::Path::new(".")).facts();
    let fact = |wanted: &str| facts.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.clone()).unwrap();
    assert!(fact("kernel").starts_with("Linux ") && fact("CPUs").parse::<usize>().unwrap() >= 1, "{facts:?}");
}

#[test]
fn time_that_the_host_took_is_a_share_of_all_time_in_between() {
    let ticks = |text: &str| CpuTicks::parse(text);
    let before = ticks("cpu  100 0 50 800 10 0 20 20 7 0\ncpu0 1 2 3").unwrap();
    let after = ticks("intr 5\ncpu  200 0 100 1500 20 0 40 40 9 0\n").unwrap();
    // 900 ticks passed, 20 of them were taken; those of guests are counted in the first field already.
    assert_eq!(after.stolen_percent_since(&before), Some(20.0 * 100.0 / 900.0));
    assert_eq!(after.stolen_percent_since(&after), None);
    assert_eq!(ticks("cpu  1 2 3 4 5 6 7"), None);
    assert_eq!(ticks("cpu0 1 2 3 4 5 6 7 8"), None);
    assert!(CpuTicks::now().is_some());
}
