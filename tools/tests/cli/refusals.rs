//! What the commands say when a server has not got what is asked for.

use crate::live_server::LiveServer;

/// Runs a command that must fail, and expects these words on one line.
fn fails(server: &LiveServer, command: &[&str], words: &[&str]) {
    let answer = server.run_with_input(command, b"late\n");
    assert_eq!((answer.code, answer.out.as_str()), (1, ""), "{command:?}: {answer:?}");
    assert_eq!(answer.err.lines().count(), 1, "{command:?}: {answer:?}");
    for word in words {
        assert!(answer.err.contains(word), "{command:?}: no {word:?} in {:?}", answer.err);
    }
}

#[test]
fn a_topic_that_is_not_there_is_named_with_the_server_and_what_to_do() {
    let Some(server) = LiveServer::start() else { return };
    let commands: [&[&str]; 5] = [
        &["topic", "describe", "nope"],
        &["topic", "delete", "nope", "--yes"],
        &["produce", "nope"],
        &["consume", "nope"],
        &["consume", "nope", "--follow", "--json"],
    ];
    let words = ["florin: the server at 127.0.0.1:", "has no topic nope (code 12)", "`florin topic create nope`"];
    for command in commands {
        fails(&server, command, &words);
    }
    server.stop();
}

#[test]
fn a_topic_that_is_there_is_not_created_again() {
    let Some(server) = LiveServer::start() else { return };
    server.run(&["topic", "create", "payments"]).assert(0, &[]);
    let words = ["has a topic payments already, with id 1 (code 15)", "`florin topic describe payments`"];
    fails(&server, &["topic", "create", "payments", "--partitions", "2"], &words);
    server.stop();
}

#[test]
fn partitions_offsets_and_shards_that_are_not_there_are_told_with_those_that_are() {
    let Some(server) = LiveServer::start() else { return };
    server.run(&["topic", "create", "payments", "--partitions", "4"]).assert(0, &[]);
    let absent = "topic payments has no partition 9: it has 4, from 0";
    fails(&server, &["produce", "payments", "--partition", "9"], &[absent]);
    fails(&server, &["consume", "payments", "--partition", "9"], &[absent]);
    fails(&server, &["consume", "payments", "--partition", "0", "--partition", "9", "--follow"], &[absent]);
    server.run_with_input(&["produce", "payments", "--partition", "2"], b"1\n2\n3\n").assert(0, &["stored       3"]);
    let words = ["partition 2 of topic payments has no offset 77: choose one from 0 to 3", "--from beginning"];
    fails(&server, &["consume", "payments", "--partition", "2", "--from", "77"], &words);
    fails(&server, &["consume", "payments", "--partition", "2", "--from", "77", "--follow"], &words);
    fails(&server, &["clock", "confirm", "--shard", "7"], &["has no shard 7: it has 2, from 0"]);
    server.stop();
}
