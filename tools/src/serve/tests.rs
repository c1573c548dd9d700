use super::directory_id;
use crate::cli::{HttpAddress, ListenAddress};

#[test]
fn an_address_to_listen_on_has_a_host_and_a_port() {
    let parsed: ListenAddress = "0.0.0.0:7000".parse().unwrap();
    assert_eq!((parsed.address.to_string().as_str(), parsed.port), ("0.0.0.0", 7000));
    let parsed: ListenAddress = "[::1]:0".parse().unwrap();
    assert_eq!((parsed.address.to_string().as_str(), parsed.port), ("::1", 0));
    for wrong in ["7000", "localhost:1", "127.0.0.1:70000", ""] {
        assert!(wrong.parse::<ListenAddress>().is_err(), "{wrong}");
    }
}

#[test]
fn http_is_an_address_or_off() {
    assert_eq!("off".parse::<HttpAddress>().unwrap().0, None);
    assert_eq!("127.0.0.1:1".parse::<HttpAddress>().unwrap().0, Some("127.0.0.1:1".parse().unwrap()));
    assert!("yes".parse::<HttpAddress>().is_err());
}

#[test]
fn an_id_is_read_as_it_is_shown() {
    let text = "000102030405060708090a0b0c0d0e0f";
    assert_eq!(directory_id(text).unwrap().to_string(), text);
    for wrong in ["", "00", "zz0102030405060708090a0b0c0d0e0f", "000102030405060708090a0b0c0d0e0f0"] {
        assert!(directory_id(wrong).is_err(), "{wrong}");
    }
}
