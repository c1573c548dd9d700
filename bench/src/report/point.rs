//! One measured point: what its rounds say together, under the names of the JSON.

use serde_json::Value;

use super::{ABSENT, Object, median_text, number_text, numbers, rounded, spread_text};
use crate::statistics::{Latencies, Percentiles, Ratio, Spread};

/// Numbers that stand before the percentiles: what was done comes before how long it took.
const LEADING_NUMBERS: [&str; 2] = ["records_per_second", "mb_per_second"];

/// A percentile with its name in JSON.
type Percentile = (&'static str, fn(&Percentiles) -> f64);

/// The percentiles of a point.
const PERCENTILES: [Percentile; 6] = [
    ("p50_us", |percentiles| percentiles.p50_us),
    ("p90_us", |percentiles| percentiles.p90_us),
    ("p99_us", |percentiles| percentiles.p99_us),
    ("p999_us", |percentiles| percentiles.p999_us),
    ("p9999_us", |percentiles| percentiles.p9999_us),
    ("max_us", |percentiles| percentiles.max_us),
];

/// One measured point: one row of the table, one object of the JSON.
#[derive(Clone, Debug)]
pub struct Point {
    /// What was measured: the command, as a rule.
    pub bench: &'static str,
    /// What tells this point from others, such as its connections.
    pub labels: Vec<(&'static str, Value)>,
    /// Its rounds. All have the same numbers.
    pub rounds: Vec<Round>,
    /// Single numbers of the whole point.
    pub facts: Vec<(&'static str, Option<f64>)>,
    /// Its numbers against floors of the same rounds.
    pub ratios: Vec<(&'static str, Ratio)>,
    /// Floors that its latencies are plotted with.
    pub series: Vec<Series>,
}

/// One round of a point.
#[derive(Clone, Debug)]
pub struct Round {
    /// By name; `None` is not known.
    pub numbers: Vec<(&'static str, Option<f64>)>,
    /// Of the operations, if single ones were timed.
    pub latencies: Option<Latencies>,
}

/// Other latencies that are plotted with those of a point: a floor, over all its rounds.
#[derive(Clone, Debug)]
pub struct Series {
    /// What they are of.
    pub name: &'static str,
    /// All of them.
    pub latencies: Latencies,
}

/// What a point says under one name.
#[derive(Clone, Debug, PartialEq)]
pub enum Field {
    /// What tells it from other points.
    Label(Value),
    /// A number with its range over the rounds. The middle is the median of the rounds; that of a percentile is the
    /// percentile of all latencies of all rounds, since percentiles of rounds have no median that means anything.
    Number(Option<Spread>),
    /// A single number.
    Fact(Option<f64>),
    /// A number against a floor.
    Ratio(Ratio),
}

impl Point {
    /// All that it says, in the order of the JSON.
    pub fn fields(&self) -> Vec<(&'static str, Field)> {
        let mut fields = vec![("bench", Field::Label(self.bench.into()))];
        fields.extend(self.labels.iter().map(|(name, value)| (*name, Field::Label(value.clone()))));
        fields.push(("rounds", Field::Label(self.rounds.len().into())));
        let (leading, others): (Vec<_>, Vec<_>) =
            self.number_names().into_iter().partition(|name| LEADING_NUMBERS.contains(name));
        let number = |name: &'static str| (name, Field::Number(self.spread(name)));
        fields.extend(leading.into_iter().map(number));
        fields.extend(self.percentiles().into_iter().map(|(name, spread)| (name, Field::Number(spread))));
        fields.extend(others.into_iter().map(number));
        fields.extend(self.facts.iter().map(|(name, value)| (*name, Field::Fact(*value))));
        fields.extend(self.ratios.iter().map(|(name, ratio)| (*name, Field::Ratio(*ratio))));
        fields
    }

    /// The object of the JSON.
    pub fn object(&self) -> Object {
        let mut object = Object::new();
        for (name, field) in self.fields() {
            match field {
                Field::Label(value) => {
                    object.put(name, value);
                }
                Field::Number(spread) => numbers(&mut object, name, spread),
                Field::Fact(value) => {
                    object.put(name, value.map(rounded));
                }
                Field::Ratio(Ratio { median, low, high, .. }) => {
                    object.put(name, rounded(median));
                    object.put(&format!("{name}_low"), rounded(low));
                    object.put(&format!("{name}_high"), rounded(high));
                }
            }
        }
        object
    }

    /// The latencies of all rounds together; `None` if none was taken.
    pub fn latencies(&self) -> Option<Latencies> {
        let mut timed = self.timed_rounds();
        let mut merged = timed.next()?.clone();
        timed.for_each(|latencies| merged.merge(latencies));
        Some(merged)
    }

    /// The latencies of each round that has some.
    pub fn timed_rounds(&self) -> impl Iterator<Item = &Latencies> {
        self.rounds.iter().filter_map(|round| round.latencies.as_ref()).filter(|latencies| latencies.count() > 0)
    }

    /// What tells it from other points, in words.
    pub fn title(&self) -> String {
        let labels: Vec<String> =
            self.labels.iter().map(|(name, value)| format!("{name} {}", value_text(value))).collect();
        if labels.is_empty() { self.bench.to_owned() } else { format!("{}: {}", self.bench, labels.join(", ")) }
    }

    /// The same as part of a file's name.
    pub fn file_stem(&self) -> String {
        let labels = self.labels.iter().map(|(name, value)| format!("-{name}-{}", value_text(value)));
        let words = format!("{}{}", self.bench, labels.collect::<String>());
        let allowed = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        words.chars().map(|letter| if allowed(letter) { letter } else { '_' }).collect()
    }

    fn number_names(&self) -> Vec<&'static str> {
        self.rounds.first().map(|round| round.numbers.iter().map(|(name, _)| *name).collect()).unwrap_or_default()
    }

    fn spread(&self, name: &str) -> Option<Spread> {
        let number =
            |round: &Round| round.numbers.iter().find(|(other, _)| *other == name).and_then(|(_, value)| *value);
        Spread::of(self.rounds.iter().filter_map(number))
    }

    fn percentiles(&self) -> Vec<(&'static str, Option<Spread>)> {
        let merged = self.latencies().map(|latencies| latencies.percentiles());
        let rounds: Vec<Percentiles> = self.timed_rounds().map(Latencies::percentiles).collect();
        let percentile = |(name, value): Percentile| {
            let range = Spread::of(rounds.iter().map(value));
            let middle = merged.as_ref().map(value);
            (name, range.zip(middle).map(|(range, median)| Spread { median, ..range }))
        };
        PERCENTILES.map(percentile).into()
    }
}

impl Field {
    /// As people read it; a number with its range if that is wanted.
    pub fn text(&self, with_range: bool) -> String {
        match self {
            Self::Label(value) => value_text(value),
            Self::Number(spread) if with_range => spread_text(*spread),
            Self::Number(spread) => median_text(*spread),
            Self::Fact(value) => value.map_or_else(|| ABSENT.to_owned(), number_text),
            Self::Ratio(Ratio { median, low, high, .. }) => {
                format!("{} ({} to {})", number_text(*median), number_text(*low), number_text(*high))
            }
        }
    }
}

/// A label without the marks of JSON.
pub fn value_text(value: &Value) -> String {
    match value {
        Value::Null => ABSENT.to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
