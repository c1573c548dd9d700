//! A server looked at from outside: its memory and descriptors as the kernel counts them, and what it says over HTTP.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::server::{PATIENCE, Server};

/// An answer over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// One sample of the metrics.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The name, with its suffix.
    pub name: String,
    /// What is within the braces, as written.
    pub labels: String,
    /// The value.
    pub value: f64,
}

/// Asks for a path over HTTP.
///
/// # Panics
/// If there is no answer in HTTP.
pub fn http_get(address: SocketAddr, path: &str) -> HttpAnswer {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).expect("HTTP is listened to");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out can be set");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: florin\r\nConnection: close\r\n\r\n").expect("it is read");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers and closes");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head ends");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    HttpAnswer { status, body: body.to_owned() }
}

impl Server {
    /// Asks the server for a path over HTTP.
    ///
    /// # Panics
    /// If it does not answer.
    pub fn http_get(&self, path: &str) -> HttpAnswer {
        http_get(self.ready().http.expect("HTTP is on"), path)
    }

    /// All metrics.
    ///
    /// # Panics
    /// If a line is neither a comment nor a sample.
    pub fn metrics(&self) -> Vec<Sample> {
        let answer = self.http_get("/metrics");
        assert_eq!(answer.status, 200, "{}", answer.body);
        parse_metrics(&answer.body).unwrap_or_else(|line| panic!("{line:?} is no line of metrics"))
    }

    /// The sum of a metric over all shards and executors, of the samples whose labels contain `label`.
    ///
    /// # Panics
    /// If there is none of that name.
    pub fn metric(&self, name: &str, label: &str) -> f64 {
        let metrics = self.metrics();
        let mut samples = metrics.iter().filter(|sample| sample.name == name).peekable();
        assert!(samples.peek().is_some(), "there is no metric {name}");
        samples.filter(|sample| sample.labels.contains(label)).map(|sample| sample.value).sum()
    }

    /// Memory that it has in RAM.
    ///
    /// # Panics
    /// If it does not run.
    pub fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process_id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the kernel says so");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number of KiB") * 1024
    }

    /// Descriptors that it has open.
    ///
    /// # Panics
    /// If it does not run.
    pub fn descriptor_count(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.process_id())).expect("it runs").count()
    }
}

/// The samples of a text in the format of OpenMetrics, or the first line that is none and no comment.
pub fn parse_metrics(text: &str) -> Result<Vec<Sample>, String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| parse_sample(line).ok_or_else(|| line.to_owned())).collect()
}

fn parse_sample(line: &str) -> Option<Sample> {
    let (series, value) = line.rsplit_once(' ')?;
    let (name, labels) = match series.split_once('{') {
        Some((name, rest)) => (name, rest.strip_suffix('}')?),
        None => (series, ""),
    };
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let is_label = |label: &str| {
        label.split_once('=').is_some_and(|(name, value)| {
            is_name(name) && value.len() >= 2 && value.starts_with('"') && value.ends_with('"')
        })
    };
    let is_right = is_name(name) && (labels.is_empty() || labels.split(',').all(is_label));
    let value = value.parse().ok().filter(|value: &f64| value.is_finite())?;
    is_right.then(|| Sample { name: name.to_owned(), labels: labels.to_owned(), value })
}
