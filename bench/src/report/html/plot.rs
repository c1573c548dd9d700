//! A percentile plot as SVG: shares of operations by their number of nines, latencies in microseconds.

mod scale;

use std::fmt::Write as _;

use super::escaped;
use crate::report::grouped;
use crate::statistics::Latencies;

use scale::Scale;

/// The drawing, in units of its own: a page may show it at any width.
const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 270.0;
/// Where the lines are.
const LEFT: f64 = 60.0;
const RIGHT: f64 = 378.0;
const TOP: f64 = 22.0;
const BOTTOM: f64 = 230.0;

/// The shares that are named below the plot: each is one nine further to the right.
const SHARES: [&str; 6] = ["0", "90", "99", "99.9", "99.99", "99.999"];
const NINES_MAX: f64 = 5.0;
/// Places between two nines at which a line is drawn through its latency.
const STEPS_PER_NINE: u32 = 20;
/// Colours of the style sheet.
const HUE_COUNT: usize = 8;
/// Patterns of the style sheet that keep lines of one colour apart.
const DASH_COUNT: usize = 4;
const NANOSECONDS_PER_MICROSECOND: f64 = 1000.0;

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stroke {
    /// What is measured.
    Strong,
    /// A part of it.
    Thin,
    /// What it is held against.
    Dashed,
}

/// One line of a plot.
#[derive(Clone, Debug)]
pub struct Line<'a> {
    /// As it is called below the plot; a line without a name belongs to one that has it.
    pub name: Option<String>,
    /// What it shows.
    pub latencies: &'a Latencies,
    /// The number of its colour; with more lines than colours, of its pattern too.
    pub hue: usize,
    /// How it looks.
    pub stroke: Stroke,
}

/// A place of a line: nines of the share, and the latency in microseconds.
type Place = (f64, f64);

/// The plot of all lines that have latencies, with their names below; `None` without any.
pub fn figure(title: &str, lines: &[Line<'_>]) -> Option<String> {
    let lines: Vec<&Line<'_>> = lines.iter().filter(|line| line.latencies.count() > 0).collect();
    let tracks: Vec<Vec<Place>> = lines.iter().map(|line| track(line.latencies)).collect();
    let latencies = || tracks.iter().flatten().map(|(_, latency)| *latency);
    let scale = Scale::over(latencies().min_by(f64::total_cmp)?, latencies().max_by(f64::total_cmp)?);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n{}",
        escaped(title),
        axes(&scale)
    );
    for (line, track) in lines.iter().zip(&tracks) {
        let points: Vec<String> = straightened(track)
            .into_iter()
            .map(|(nines, latency)| format!("{:.1},{:.1}", x_of(nines), y_of(&scale, latency)))
            .collect();
        let _ = writeln!(svg, "<polyline class=\"{}\" points=\"{}\"/>", classes(line), points.join(" "));
    }
    svg.push_str("</svg>\n");
    let names = lines.iter().filter_map(|line| {
        let swatch = "<svg class=\"swatch\" viewBox=\"0 0 24 8\" aria-hidden=\"true\"><polyline";
        let name = escaped(line.name.as_deref()?);
        Some(format!("<li>{swatch} class=\"{}\" points=\"1,4 23,4\"/></svg> {name}</li>\n", classes(line)))
    });
    let names: String = names.collect();
    Some(format!("<figure>\n{svg}<figcaption>\n<ul class=\"legend\">\n{names}</ul>\n</figcaption>\n</figure>\n"))
}

/// Where the latencies of a line are, from all operations down to the slowest that the plot has room for.
///
/// Of n operations, 1 - 1/n is the last share that says something; there the line rises to the slowest operation.
fn track(latencies: &Latencies) -> Vec<Place> {
    let histogram = latencies.histogram();
    let last = (latencies.count() as f64).log10();
    let end = last.min(NINES_MAX);
    let steps = (0..).map(|step| f64::from(step) / f64::from(STEPS_PER_NINE));
    let nines: Vec<f64> = steps.take_while(|nines| *nines < end).chain([end]).collect();
    let shares: Vec<f64> = nines.iter().map(|nines| 1.0 - 10_f64.powf(-nines)).collect();
    let values = histogram.value_at_quantiles(shares);
    let slowest = (last <= NINES_MAX).then(|| (end, histogram.max()));
    let places = nines.into_iter().zip(values).chain(slowest);
    places.map(|(nines, nanoseconds)| (nines, nanoseconds as f64 / NANOSECONDS_PER_MICROSECOND)).collect()
}

/// The line without the places that a straight level between their neighbours goes through anyway.
fn straightened(track: &[Place]) -> Vec<Place> {
    let same = |one: Place, other: Place| one.1.total_cmp(&other.1).is_eq();
    let needed = |index: usize| {
        index == 0
            || index + 1 == track.len()
            || !same(track[index - 1], track[index])
            || !same(track[index], track[index + 1])
    };
    (0..track.len()).filter(|index| needed(*index)).map(|index| track[index]).collect()
}

fn x_of(nines: f64) -> f64 {
    LEFT + nines / NINES_MAX * (RIGHT - LEFT)
}

fn y_of(scale: &Scale, latency_us: f64) -> f64 {
    BOTTOM - scale.height_of(latency_us) * (BOTTOM - TOP)
}

/// Grid, numbers and names of both axes.
fn axes(scale: &Scale) -> String {
    let mut svg = String::new();
    for tick in scale.ticks() {
        let y = y_of(scale, tick);
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{RIGHT}\" y2=\"{y:.1}\"/>\
             <text class=\"y\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            LEFT - 6.0,
            y + 3.5,
            tick_text(tick)
        );
    }
    for (nines, share) in (0_u32..).zip(SHARES) {
        let x = x_of(f64::from(nines));
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{BOTTOM}\"/>\
             <text class=\"x\" x=\"{x:.1}\" y=\"{:.1}\">{share}</text>",
            BOTTOM + 15.0
        );
    }
    let _ = writeln!(
        svg,
        "<text class=\"y\" x=\"{:.1}\" y=\"{:.1}\">µs</text>\
         <text class=\"x\" x=\"{:.1}\" y=\"{:.1}\">% of operations</text>",
        LEFT - 6.0,
        TOP - 9.0,
        f64::midpoint(LEFT, RIGHT),
        BOTTOM + 32.0
    );
    svg
}

/// A round number with no more digits than it needs.
fn tick_text(value: f64) -> String {
    if value >= 1.0 {
        grouped(&format!("{value:.0}"))
    } else {
        format!("{:.3}", value).trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

fn classes(line: &Line<'_>) -> String {
    let hue = line.hue % HUE_COUNT;
    match line.stroke {
        Stroke::Strong => format!("strong h{hue} d{}", line.hue / HUE_COUNT % DASH_COUNT),
        Stroke::Thin => format!("thin h{hue}"),
        Stroke::Dashed => format!("floor h{hue}"),
    }
}

#[cfg(test)]
mod tests;
