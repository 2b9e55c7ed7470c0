//! Plain plots as SVG.

use std::fmt::Write as _;

const WIDTH: f64 = 680.0;
const HEIGHT: f64 = 440.0;
const LEFT: f64 = 66.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 92.0;
const BOTTOM: f64 = 58.0;

/// About so many steps on the vertical axis.
const STEPS: f64 = 6.0;

/// A plot with one or more series over the same axis.
pub struct Plot<'a> {
    pub title: &'a str,
    /// One line that says what was measured.
    pub subtitle: &'a str,
    pub x: Axis<'a>,
    pub y_name: &'a str,
    pub series: Vec<Series<'a>>,
}

/// The horizontal axis: where its marks are, and what they are called.
pub struct Axis<'a> {
    pub name: &'a str,
    pub marks: Vec<(f64, String)>,
}

/// Points that belong together.
pub struct Series<'a> {
    pub name: &'a str,
    pub look: Look,
    /// Horizontal, vertical.
    pub points: Vec<(f64, f64)>,
}

/// How a series is drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// A line with round dots: what we measured.
    Ours,
    /// Squares without a line: what the paper says.
    Paper,
    /// A dashed line: what theory says.
    Law,
    /// Upright strokes between two points of the same place.
    Range,
    /// Upright bars from zero.
    Bars,
}

/// From values to places on the page.
struct Scale {
    x: (f64, f64),
    y_max: f64,
}

impl Scale {
    fn x(&self, value: f64) -> f64 {
        let (low, high) = self.x;
        LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - value / self.y_max * (HEIGHT - TOP - BOTTOM)
    }
}

impl Plot<'_> {
    /// The plot as an SVG document.
    pub fn svg(&self) -> String {
        let step = self.step();
        let scale = self.scale(step);
        let mut svg = head(self.title);
        self.caption(&mut svg);
        self.axes(&mut svg, &scale, step);
        for series in &self.series {
            series.draw(&mut svg, &scale);
        }
        svg.push_str("</svg>\n");
        svg
    }

    fn points(&self) -> impl Iterator<Item = &(f64, f64)> {
        self.series.iter().flat_map(|series| &series.points)
    }

    /// 1, 2 or 5 times a power of ten, so that there are about [`STEPS`].
    fn step(&self) -> f64 {
        let most = self.points().map(|point| point.1).fold(0.0, f64::max);
        let rough = (most / STEPS).max(f64::MIN_POSITIVE);
        let power = 10f64.powf(rough.log10().floor());
        let fits = |factor: &f64| factor * power >= rough;
        let factor = [1.0, 2.0, 5.0].into_iter().find(fits).unwrap_or(10.0);
        factor * power
    }

    fn scale(&self, step: f64) -> Scale {
        let marks = self.x.marks.iter().map(|mark| mark.0);
        let all: Vec<f64> = self.points().map(|point| point.0).chain(marks).collect();
        let low = all.iter().copied().fold(f64::INFINITY, f64::min);
        let high = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let margin = ((high - low) * 0.04).max(f64::MIN_POSITIVE);
        let most = self.points().map(|point| point.1).fold(step, f64::max);
        Scale {
            x: (low - margin, high + margin),
            y_max: (most / step).ceil() * step,
        }
    }

    fn caption(&self, svg: &mut String) {
        text(svg, LEFT, 26.0, "start", "title", self.title);
        text(svg, LEFT, 46.0, "start", "quiet", self.subtitle);
        let mut at = LEFT;
        for series in &self.series {
            series.key(svg, at, 68.0);
            text(svg, at + 30.0, 72.0, "start", "", series.name);
            at += 54.0 + 6.7 * series.name.chars().count() as f64;
        }
    }

    fn axes(&self, svg: &mut String, scale: &Scale, step: f64) {
        let (right, floor) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for i in 0..=(scale.y_max / step).round() as u32 {
            let value = f64::from(i) * step;
            let y = scale.y(value);
            let class = if i == 0 { "axis" } else { "grid" };
            line(svg, (LEFT, y), (right, y), class);
            text(svg, LEFT - 8.0, y + 4.0, "end", "", &number(value, step));
        }
        for (value, label) in &self.x.marks {
            let x = scale.x(*value);
            line(svg, (x, floor), (x, floor + 5.0), "axis");
            text(svg, x, floor + 20.0, "middle", "", label);
        }
        text(
            svg,
            (LEFT + right) / 2.0,
            HEIGHT - 14.0,
            "middle",
            "",
            self.x.name,
        );
        let middle = (TOP + floor) / 2.0;
        put(
            svg,
            format_args!("<g transform=\"translate(18 {middle:.1}) rotate(-90)\">"),
        );
        text(svg, 0.0, 0.0, "middle", "", self.y_name);
        svg.push_str("</g>\n");
    }
}

impl Series<'_> {
    fn draw(&self, svg: &mut String, scale: &Scale) {
        let places = self
            .points
            .iter()
            .map(|point| (scale.x(point.0), scale.y(point.1)));
        let places: Vec<(f64, f64)> = places.collect();
        match self.look {
            Look::Ours => {
                polyline(svg, &places, "ours");
                places.iter().for_each(|place| dot(svg, *place));
            }
            Look::Paper => places.iter().for_each(|place| square(svg, *place)),
            Look::Law => polyline(svg, &places, "law"),
            Look::Range => {
                for pair in places.chunks_exact(2) {
                    line(svg, pair[0], pair[1], "range");
                }
            }
            Look::Bars => {
                let floor = scale.y(0.0);
                for (x, y) in places {
                    line(svg, (x, floor), (x, y), "bar");
                }
            }
        }
    }

    /// The series' sign in the legend.
    fn key(&self, svg: &mut String, x: f64, y: f64) {
        let ends = ((x, y), (x + 24.0, y));
        match self.look {
            Look::Ours => {
                line(svg, ends.0, ends.1, "ours");
                dot(svg, (x + 12.0, y));
            }
            Look::Paper => square(svg, (x + 12.0, y)),
            Look::Law => line(svg, ends.0, ends.1, "law"),
            Look::Range => line(svg, (x + 12.0, y - 8.0), (x + 12.0, y + 8.0), "range"),
            Look::Bars => line(svg, (x + 12.0, y + 6.0), (x + 12.0, y - 6.0), "bar"),
        }
    }
}

fn head(title: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         width=\"{WIDTH}\" height=\"{HEIGHT}\" role=\"img\">\n<title>{}</title>\n<style>\n\
         text{{font:13px system-ui,sans-serif;fill:#1c1c1c}}\n\
         .title{{font-size:17px;font-weight:600}}\n.quiet{{fill:#5c5c5c}}\n\
         .axis{{stroke:#1c1c1c}}\n.grid{{stroke:#e2e2e2}}\n\
         .ours{{stroke:#1f5fa8;stroke-width:2;fill:none}}\n.dot{{fill:#1f5fa8}}\n\
         .paper{{fill:#fff;stroke:#b4470a;stroke-width:2}}\n\
         .law{{stroke:#6b6b6b;stroke-width:1.5;stroke-dasharray:6 4;fill:none}}\n\
         .range{{stroke:#1f5fa8;stroke-width:6;stroke-opacity:.25}}\n\
         .bar{{stroke:#1f5fa8;stroke-width:18}}\n</style>\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n",
        escaped(title)
    )
}

fn put(svg: &mut String, text: std::fmt::Arguments<'_>) {
    // A String takes whatever is written to it.
    let _ = svg.write_fmt(text);
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, class: &str, text: &str) {
    let text = escaped(text);
    let class = if class.is_empty() {
        String::new()
    } else {
        format!(" class=\"{class}\"")
    };
    put(
        svg,
        format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\"{class}>{text}</text>\n"
        ),
    );
}

fn line(svg: &mut String, from: (f64, f64), to: (f64, f64), class: &str) {
    let ((x1, y1), (x2, y2)) = (from, to);
    put(
        svg,
        format_args!(
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" \
             class=\"{class}\"/>\n"
        ),
    );
}

fn polyline(svg: &mut String, places: &[(f64, f64)], class: &str) {
    let points = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}"));
    let points = points.collect::<Vec<_>>().join(" ");
    put(
        svg,
        format_args!("<polyline points=\"{points}\" class=\"{class}\"/>\n"),
    );
}

fn dot(svg: &mut String, (x, y): (f64, f64)) {
    put(
        svg,
        format_args!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" class=\"dot\"/>\n"),
    );
}

fn square(svg: &mut String, (x, y): (f64, f64)) {
    let (x, y) = (x - 5.0, y - 5.0);
    put(
        svg,
        format_args!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"10\" height=\"10\" class=\"paper\"/>\n"
        ),
    );
}

/// As many digits after the point as the steps need.
fn number(value: f64, step: f64) -> String {
    let digits = (-step.log10().floor()).clamp(0.0, 6.0) as usize;
    format!("{value:.digits$}")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(points: Vec<(f64, f64)>) -> Plot<'static> {
        Plot {
            title: "a < b & c",
            subtitle: "",
            x: Axis {
                name: "nodes",
                marks: vec![(0.0, "1".into()), (10.0, "1024".into())],
            },
            y_name: "hops",
            series: vec![Series {
                name: "measured",
                look: Look::Ours,
                points,
            }],
        }
    }

    #[test]
    fn steps_are_round_numbers() {
        let step = |most: f64| plot(vec![(0.0, most)]).step();
        assert_eq!([step(11.0), step(5.1), step(100.0)], [2.0, 1.0, 20.0]);
        assert!((step(0.31) - 0.1).abs() < 1e-9);
        assert_eq!(
            [number(4.0, 2.0), number(0.3, 0.1), number(1.5, 0.5)],
            ["4", "0.3", "1.5"]
        );
    }

    #[test]
    fn everything_lies_within_the_axes() {
        let plot = plot(vec![(0.0, 0.0), (10.0, 7.3)]);
        let step = plot.step();
        let scale = plot.scale(step);
        assert_eq!(scale.y_max, 8.0);
        assert_eq!(scale.y(0.0), HEIGHT - BOTTOM);
        assert!(scale.y(7.3) > TOP && scale.x(0.0) > LEFT && scale.x(10.0) < WIDTH - RIGHT);
    }

    #[test]
    fn text_is_escaped_and_nothing_is_nan() {
        let svg = plot(vec![(3.0, 0.0)]).svg();
        assert!(svg.contains("a &lt; b &amp; c") && !svg.contains("NaN") && !svg.contains("inf"));
    }
}
