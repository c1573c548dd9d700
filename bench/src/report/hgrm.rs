//! Latencies as text that plotters of HdrHistogram read.
//!
//! The format is that of `outputPercentileDistribution` of the Java HdrHistogram, as it is documented there: a heading, a
//! line for each percentile with its value, the share of operations, their count and 1/(1 - share), the last line without
//! the latter, then three lines of comment.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::Point;
use crate::statistics::Latencies;

/// Lines between two percentiles of which the second has half of the operations above it that the first has.
const TICKS_PER_HALF_DISTANCE: f64 = 5.0;
const HEADING: &str = "       Value     Percentile TotalCount 1/(1-Percentile)\n\n";
const NANOSECONDS_PER_MICROSECOND: f64 = 1000.0;

/// The files of all points: names and texts. A point or series without latencies has none.
pub fn files(points: &[Point]) -> Vec<(String, String)> {
    let mut names = BTreeSet::new();
    let mut files = Vec::new();
    for point in points {
        let own = point.latencies().map(|latencies| (point.file_stem(), distribution(&latencies)));
        let series = point.series.iter().filter(|series| series.latencies.count() > 0);
        let series =
            series.map(|series| (format!("{}-{}", point.file_stem(), series.name), distribution(&series.latencies)));
        for (stem, text) in own.into_iter().chain(series) {
            files.push((unused_name(&mut names, &stem), text));
        }
    }
    files
}

/// Points with equal labels keep files of their own.
fn unused_name(names: &mut BTreeSet<String>, stem: &str) -> String {
    let mut name = format!("{stem}.hgrm");
    let mut number = 2;
    while !names.insert(name.clone()) {
        name = format!("{stem}-{number}.hgrm");
        number += 1;
    }
    name
}

/// The text of one file. Values are microseconds.
pub fn distribution(latencies: &Latencies) -> String {
    let histogram = latencies.histogram();
    let mut text = HEADING.to_owned();
    let (mut count, mut percentile) = (0, 0.0);
    for step in histogram.iter_recorded() {
        count += step.count_since_last_iteration();
        let reached = count as f64 * 100.0 / histogram.len() as f64;
        while percentile <= reached {
            line(&mut text, step.value_iterated_to(), percentile, count);
            percentile = next_percentile(percentile);
            if count == histogram.len() {
                line(&mut text, step.value_iterated_to(), 100.0, count);
                break;
            }
        }
    }
    let (mean, deviation) = (microseconds(histogram.mean()), microseconds(histogram.stdev()));
    let _ = writeln!(text, "#[Mean    = {mean:12.3}, StdDeviation   = {deviation:12.3}]");
    let maximum = microseconds(histogram.max() as f64);
    let _ = writeln!(text, "#[Max     = {maximum:12.3}, Total count    = {:12}]", histogram.len());
    let sub_buckets = (2 * 10_u64.pow(u32::from(histogram.sigfig()))).next_power_of_two();
    let _ = writeln!(text, "#[Buckets = {:12}, SubBuckets     = {sub_buckets:12}]", histogram.buckets());
    text
}

fn line(text: &mut String, nanoseconds: u64, percentile: f64, count: u64) {
    let (value, share) = (microseconds(nanoseconds as f64), percentile / 100.0);
    let _ = write!(text, "{value:12.3} {share:2.12} {count:10}");
    let _ = if share < 1.0 { writeln!(text, " {:14.2}", 1.0 / (1.0 - share)) } else { writeln!(text) };
}

/// Steps are a part of the power of two that fits into what is left to 100. They add up without a rounding error in
/// percent; as shares they would not, and an operation would be counted to the wrong side.
fn next_percentile(percentile: f64) -> f64 {
    let halvings = (100.0 / (100.0 - percentile)).log2().floor();
    percentile + 100.0 / (TICKS_PER_HALF_DISTANCE * (halvings + 1.0).exp2())
}

fn microseconds(nanoseconds: f64) -> f64 {
    nanoseconds / NANOSECONDS_PER_MICROSECOND
}

#[cfg(test)]
mod tests;
