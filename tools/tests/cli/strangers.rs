//! What the commands say of a port at which something else listens than Florin.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use crate::scratch::florin;

/// The address of something that listens until the test ends and does this with every connection, which is kept.
fn stranger(does: fn(&mut TcpStream)) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address").to_string();
    thread::Builder::new()
        .spawn(move || {
            let mut kept = Vec::new();
            for connection in listener.incoming() {
                let mut connection = connection.expect("a connection");
                does(&mut connection);
                kept.push(connection);
            }
        })
        .expect("a thread");
    address
}

/// Asks it and expects to be told what is wrong, where, and what to do.
fn is_told(address: &str, command: &[&str], what: &str) {
    let answer = florin(&[command, &["--server", address]].concat());
    assert_eq!((answer.code, answer.out.as_str()), (1, ""), "{answer:?}");
    let cannot = format!("florin: the server at {address} cannot be asked: ");
    for words in [&cannot, what, "--server or FLORIN_SERVER"] {
        assert!(answer.err.contains(words), "no {words:?} in {:?}", answer.err);
    }
    assert_eq!(answer.err.lines().count(), 1, "{:?}", answer.err);
}

#[test]
fn a_port_of_another_program_is_told_by_what_it_sends() {
    let http = stranger(|connection| {
        let mut request = [0; 8];
        let _ = connection.read_exact(&mut request);
        let _ = connection.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    });
    let begins = r#"it begins with "HTTP/1.1 400 Bad Request", which Florin never sends"#;
    is_told(&http, &["topic", "list"], begins);
    is_told(&http, &["produce", "payments", "/proc/self/status"], begins);
    is_told(&http, &["consume", "payments"], "which port is a shard's");
    let mail = stranger(|connection| {
        let _ = connection.write_all(b"220 mail ESMTP\r\n");
    });
    is_told(&mail, &["topic", "list"], r#"it begins with "220 mail ESMTP\r\n""#);
}

#[test]
fn a_port_that_never_answers_is_told_from_one_at_which_nobody_listens() {
    let mute = stranger(|_| ());
    is_told(&mute, &["topic", "list"], "asked: it did not answer in time;");
}

#[test]
fn a_port_that_closes_every_connection_is_told() {
    let closing = stranger(|connection| {
        let mut request = [0; 8];
        let _ = connection.read_exact(&mut request);
        let _ = connection.shutdown(Shutdown::Write);
    });
    is_told(&closing, &["topic", "list"], "asked: it closed the connection;");
}
