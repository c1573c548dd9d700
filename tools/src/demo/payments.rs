//! The payments that come with the program, and what each becomes as a record.

use std::fmt;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use florin_net::client::Record;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use serde::Serialize;

#[cfg(test)]
mod tests;

/// One line of headings, then one line per payment: customer, date, items, dollars.
const PURCHASES: &str = include_str!("../../data/cdnow_master.txt");

/// Money in whole cents: sums of it are exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cents(pub u64);

/// A payment as it stands in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payment {
    /// The number of its line: some lines repeat others exactly and are payments all the same.
    pub id: u64,
    /// Who paid.
    pub customer: &'static str,
    /// When: the day, and midnight of it.
    pub date: &'static str,
    /// Milliseconds from 1970 to the beginning of that day in UTC.
    pub timestamp_ms: i64,
    /// For how many things.
    pub items: u32,
    /// How much, as it is written.
    pub dollars: &'static str,
    /// The same as a number.
    pub cents: Cents,
}

/// What the record's value says.
#[derive(Debug, Serialize)]
struct Value {
    payment_id: u64,
    customer: &'static str,
    date: &'static str,
    items: u32,
    dollars: &'static str,
}

/// All payments, in the order of the file.
pub fn all() -> Result<Vec<Payment>> {
    let numbered = PURCHASES.lines().zip(1..).skip(1);
    numbered.map(|(line, id)| parse(line, id).with_context(|| format!("line {id} of the payments"))).collect()
}

fn parse(line: &'static str, id: u64) -> Result<Payment> {
    let columns: Vec<&str> = line.split_whitespace().collect();
    let [customer, date, items, dollars] = columns[..] else { anyhow::bail!("it has {} columns", columns.len()) };
    Ok(Payment {
        id,
        customer,
        date,
        timestamp_ms: midnight_ms(date)?,
        items: items.parse().context("its number of items is none")?,
        dollars,
        cents: dollars.parse()?,
    })
}

/// Milliseconds from 1970 to the beginning of a day in UTC.
fn midnight_ms(date: &str) -> Result<i64> {
    ensure!(date.len() == 8 && date.is_ascii(), "the date {date} is not YYYYMMDD");
    let (year, month, day) = (date[..4].parse()?, date[4..6].parse()?, date[6..].parse()?);
    let midnight = Date::new(year, month, day)?.to_datetime(Time::midnight());
    Ok(TimeZone::UTC.to_timestamp(midnight)?.as_millisecond())
}

impl Payment {
    /// The bytes of the record's value.
    pub fn value(&self) -> Bytes {
        let Self { id, customer, date, items, dollars, .. } = *self;
        let value = Value { payment_id: id, customer, date, items, dollars };
        serde_json::to_vec(&value).expect("numbers and texts are always JSON, and memory takes them").into()
    }

    /// The record: its customer's payments share a partition.
    pub fn record(&self) -> Record {
        Record {
            key: Some(Bytes::from_static(self.customer.as_bytes())),
            value: Some(self.value()),
            timestamp_ms: Some(self.timestamp_ms),
            ..Record::default()
        }
    }
}

impl std::str::FromStr for Cents {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (dollars, cents) = text.split_once('.').with_context(|| format!("{text} has no cents"))?;
        let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        ensure!(is_number(dollars) && is_number(cents) && cents.len() == 2, "{text} is no amount in dollars and cents");
        let (dollars, cents): (u64, u64) = (dollars.parse()?, cents.parse()?);
        dollars.checked_mul(100).and_then(|amount| amount.checked_add(cents)).map(Self).context("too much money")
    }
}

impl std::ops::AddAssign for Cents {
    fn add_assign(&mut self, more: Self) {
        self.0 += more.0;
    }
}

impl std::iter::Sum for Cents {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        Self(amounts.map(|amount| amount.0).sum())
    }
}

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}.{:02}", crate::size::grouped(self.0 / 100), self.0 % 100))
    }
}
