use super::Scale;

#[test]
fn latencies_that_are_near_each_other_have_a_linear_axis_from_zero() {
    let scale = Scale::over(40.0, 1150.0);
    assert_eq!(scale.ticks(), [0.0, 200.0, 400.0, 600.0, 800.0, 1000.0, 1200.0]);
    assert_eq!([0.0, 600.0, 1200.0].map(|latency| scale.height_of(latency)), [0.0, 0.5, 1.0]);
}

#[test]
fn latencies_that_are_far_apart_have_a_logarithmic_axis() {
    let scale = Scale::over(40.0, 1500.0);
    assert_eq!(scale.ticks(), [20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0]);
    assert!((scale.height_of(200.0) - 0.5).abs() < 1e-12);
    assert_eq!([20.0, 2000.0].map(|latency| scale.height_of(latency)), [0.0, 1.0]);
}

#[test]
fn the_axis_changes_at_thirty_times() {
    assert_eq!(Scale::over(10.0, 300.0).height_of(0.0), 0.0);
    assert_eq!(Scale::over(10.0, 300.0).ticks()[0], 0.0);
    assert_eq!(Scale::over(10.0, 300.5).ticks()[0], 10.0);
}

#[test]
fn many_powers_of_ten_have_no_names_between_them() {
    assert_eq!(Scale::over(3.0, 2_000_000.0).ticks().len(), 6, "10 to 1 000 000");
    let all = Scale::over(0.001, 120_000_000.0);
    assert_eq!(all.ticks().len(), 12);
    assert_eq!((all.height_of(0.001), all.height_of(200_000_000.0)), (0.0, 1.0));
}

#[test]
fn one_latency_alone_has_an_axis_too() {
    for latency in [0.001, 0.5, 7.0, 120_000_000.0] {
        let scale = Scale::over(latency, latency);
        let height = scale.height_of(latency);
        assert!(height > 0.5 && height <= 1.0, "{latency} is at {height}");
        assert!(scale.ticks().len() >= 2 && *scale.ticks().last().unwrap() >= latency);
    }
}
