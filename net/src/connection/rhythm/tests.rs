use super::{CALM_READS, LOOK_EVERY, Rhythm};

fn calm() -> Rhythm {
    let mut rhythm = Rhythm::default();
    for _ in 0..CALM_READS {
        assert!(!rhythm.waits_for_answers(), "a client has to show first that it waits");
        rhythm.came(0, 1);
    }
    rhythm
}

#[test]
fn a_client_that_sends_one_request_at_a_time_is_watched_only_now_and_then() {
    let mut rhythm = calm();
    assert!(!rhythm.waits_for_answers(), "it is looked at once, then waited for");
    for _ in 0..3 {
        for _ in 0..LOOK_EVERY {
            assert!(rhythm.waits_for_answers());
            rhythm.came(0, 1);
        }
        assert!(!rhythm.waits_for_answers(), "a client that does not wait any more is noticed");
        rhythm.came(0, 1);
    }
}

#[test]
fn a_request_that_comes_while_another_is_under_way_ends_the_waiting_for_answers() {
    for (under_way, frame_count) in [(1, 1), (0, 2)] {
        let mut rhythm = calm();
        rhythm.came(under_way, frame_count);
        for _ in 0..CALM_READS {
            assert!(!rhythm.waits_for_answers());
            rhythm.came(0, 1);
        }
    }
}
