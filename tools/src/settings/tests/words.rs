use super::super::words::{
    ExpectedId, HttpAddress, ListenAddress, is_expected_id, is_host_or_nothing, is_http, is_listen, is_log_filter,
};

#[test]
fn an_address_to_listen_on_has_a_host_and_a_port() {
    let parsed: ListenAddress = "0.0.0.0:7000".parse().unwrap();
    assert_eq!((parsed.address.to_string().as_str(), parsed.port), ("0.0.0.0", 7000));
    let parsed: ListenAddress = "[::1]:0".parse().unwrap();
    assert_eq!((parsed.address.to_string().as_str(), parsed.port), ("::1", 0));
    for wrong in ["7000", "localhost:1", "127.0.0.1:70000", ""] {
        assert!(!is_listen(wrong), "{wrong}");
    }
}

#[test]
fn http_is_an_address_or_off() {
    assert_eq!("off".parse::<HttpAddress>().unwrap().0, None);
    assert_eq!("127.0.0.1:1".parse::<HttpAddress>().unwrap().0, Some("127.0.0.1:1".parse().unwrap()));
    assert!(!is_http("yes") && !is_http(""));
}

#[test]
fn an_id_is_read_as_it_is_shown() {
    let text = "000102030405060708090a0b0c0d0e0f";
    assert_eq!(text.parse::<ExpectedId>().unwrap().0.unwrap().to_string(), text);
    assert_eq!("any".parse::<ExpectedId>().unwrap().0, None);
    let wrong = ["", "00", "zz0102030405060708090a0b0c0d0e0f", "000102030405060708090a0b0c0d0e0f0"];
    for wrong in wrong.into_iter().chain(["+10102030405060708090a0b0c0d0e0f"]) {
        assert!(!is_expected_id(wrong), "{wrong}");
    }
}

#[test]
fn a_host_has_no_port() {
    for host in ["", "localhost", "florin-0.payments.svc", "10.0.0.1", "::1", &"a".repeat(253)] {
        assert!(is_host_or_nothing(host), "{host}");
    }
    for wrong in ["localhost:7878", "[::1]", "two hosts", "host/path", "ho\nst", &"a".repeat(254)] {
        assert!(!is_host_or_nothing(wrong), "{wrong}");
    }
}

#[test]
fn a_log_filter_with_a_misspelled_level_is_not_taken_for_the_name_of_a_part() {
    for filter in
        ["info", "WARN", "off", "info,florin_net=debug", "warn,florin_engine::journal=trace", "[capture]=debug"]
    {
        assert!(is_log_filter(filter), "{filter}");
    }
    for wrong in ["", "debg", "info,debg", "florin_net=debg", "verbose"] {
        assert!(!is_log_filter(wrong), "{wrong}");
    }
}
