//! Charts as inline SVG. Widths are in percent and text stays outside, so that they fit any screen unscaled.

use std::fmt::Write;

use minijinja::Value;

/// Bars of one histogram.
const BINS: u64 = 30;

/// One bar cut into parts, each a CSS class and a count.
pub(super) fn stacked(parts: &[(&str, u64)]) -> Value {
    let total: u64 = parts.iter().map(|(_, count)| count).sum();
    let (mut svg, mut x) = (open("100%", 28, "stacked"), 0.0);
    for (class, count) in parts.iter().filter(|(_, count)| *count > 0) {
        let width = percent(*count, total);
        part(&mut svg, class, (x, width), 28);
        x += width;
    }
    close(svg)
}

/// One horizontal bar, as long as its share of the longest.
pub(super) fn bar(class: &str, count: u64, longest: u64) -> Value {
    let mut svg = open("100%", 10, "bar");
    part(&mut svg, class, (0.0, percent(count, longest).max(0.5)), 10);
    close(svg)
}

/// How often each length occurs, from 0 to the limit or the longest, with a line at the limit.
pub(super) fn histogram(counts: &[u64], limit: u64) -> Value {
    let longest = counts.iter().rposition(|count| *count > 0).unwrap_or(0) as u64;
    let end = longest.max(limit) + 1;
    let width = end.div_ceil(BINS).max(1);
    let bins: Vec<u64> =
        counts.chunks(width as usize).take(BINS as usize).map(|bin| bin.iter().sum()).collect();
    let highest = bins.iter().copied().max().unwrap_or(0).max(1);
    let scale = 300.0 / end as f64;
    let mut svg = String::from(
        r#"<svg class="histogram" viewBox="0 0 300 72" preserveAspectRatio="none" aria-hidden="true" focusable="false">"#,
    );
    for (at, count) in bins.iter().enumerate().filter(|(_, count)| **count > 0) {
        let height = (66.0 * *count as f64 / highest as f64).max(1.5);
        let (x, w) = (at as f64 * width as f64 * scale, (width as f64 * scale - 1.0).max(1.0));
        let y = 72.0 - height;
        write_to(
            &mut svg,
            format_args!(r#"<rect class="ink" x="{x:.2}" y="{y:.2}" width="{w:.2}" height="{height:.2}"/>"#),
        );
    }
    if limit > 0 {
        let x = ((limit + 1) as f64 * scale).min(299.0);
        write_to(&mut svg, format_args!(r#"<line class="limit" x1="{x:.2}" x2="{x:.2}" y1="0" y2="72"/>"#));
    }
    close(svg)
}

fn open(width: &str, height: u32, class: &str) -> String {
    format!(r#"<svg class="{class}" width="{width}" height="{height}" aria-hidden="true" focusable="false">"#)
}

fn part(svg: &mut String, class: &str, (x, width): (f64, f64), height: u32) {
    write_to(
        svg,
        format_args!(r#"<rect class="{class}" x="{x:.3}%" width="{width:.3}%" height="{height}"/>"#),
    );
}

fn write_to(svg: &mut String, piece: std::fmt::Arguments<'_>) {
    svg.write_fmt(piece).expect("a string takes every write");
}

/// Every character of a chart is ours: classes are constants and the rest are numbers.
fn close(mut svg: String) -> Value {
    svg.push_str("</svg>");
    Value::from_safe_string(svg)
}

fn percent(part: u64, whole: u64) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charts_show_their_numbers_and_survive_none() {
        let svg = stacked(&[("a", 3), ("b", 0), ("c", 1)]).to_string();
        assert!(
            svg.contains(r#"class="a" x="0.000%" width="75.000%""#)
                && svg.contains(r#"class="c" x="75.000%""#)
        );
        assert!(!svg.contains(r#"class="b""#));
        assert!(!stacked(&[("a", 0)]).to_string().contains("rect"));
        let mut counts = vec![0; 61];
        (counts[10], counts[60]) = (4, 2);
        let svg = histogram(&counts, 60).to_string();
        assert_eq!(svg.matches("<rect").count(), 2, "{svg}");
        assert!(svg.contains(r#"height="66.00""#) && svg.contains(r#"height="33.00""#), "{svg}");
        assert!(histogram(&[], 0).to_string().ends_with("</svg>"));
    }
}
