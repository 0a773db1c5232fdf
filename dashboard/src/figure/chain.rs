//! How a certificate hangs together: its issuers on this PC, from the root to the certificate itself.

use std::fmt::Write as _;

use super::{Svg, fit, text};
use crate::state::State;

/// One certificate of a chain, or the gap where one is missing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ChainBox {
    pub(crate) name: String,
    /// What it is here: root, intermediate, the certificate itself, missing.
    pub(crate) role: String,
    /// Its end with the days left; empty for a gap.
    pub(crate) until: String,
    pub(crate) state: State,
    /// Whether this is the gap.
    pub(crate) missing: bool,
}

/// Draws the boxes side by side (`wide`) or one below the other, the root first.
pub(crate) fn draw_chain(boxes: &[ChainBox], label: &str, issued: &str, wide: bool) -> Svg {
    let count = u32::try_from(boxes.len()).unwrap_or(1).max(1);
    // At most three stand side by side in a column; more would be too small to read.
    let box_width = if wide { 210 } else { 340 };
    let (step_x, step_y) = if wide { (box_width + 52, 0) } else { (0, 70 + 34) };
    let (width, height) = (step_x * (count - 1) + box_width + 4, step_y * (count - 1) + 70 + 4);
    let class = if wide { "chain wide" } else { "chain tall" };
    let mut svg =
        format!(r#"<svg class="{class}" viewBox="0 0 {width} {height}" role="img" aria-label="{}">"#, text(label));
    for (at, one) in (0_u32..).zip(boxes) {
        let (x, y) = (2 + at * step_x, 2 + at * step_y);
        if at > 0 {
            draw_arrow(&mut svg, x, y, box_width, issued, wide);
        }
        draw_box(&mut svg, one, x, y, box_width);
    }
    svg.push_str("</svg>");
    Svg(svg)
}

fn draw_box(svg: &mut String, one: &ChainBox, x: u32, y: u32, width: u32) {
    let kind = if one.missing { "missing" } else { one.state.class() };
    // Tenths of a unit; the name is bold and a little larger.
    let fit_in = |line: &str, size| fit(line, (width - 22) * 10, size);
    let lines = [("v", fit_in(&one.name, 128)), ("", fit_in(&one.role, 112)), ("", fit_in(&one.until, 112))];
    let _ = write!(svg, r#"<g class="link {kind}"><rect x="{x}" y="{y}" width="{width}" height="70" rx="3"/>"#);
    for (at, (class, line)) in (0_u32..).zip(&lines) {
        let _ = write!(svg, r#"<text class="{class}" x="{}" y="{}">{}</text>"#, x + 12, y + 22 + at * 18, text(line));
    }
    svg.push_str("</g>");
}

fn draw_arrow(svg: &mut String, x: u32, y: u32, width: u32, issued: &str, wide: bool) {
    let issued = text(issued);
    let _ = if wide {
        let (from, to, middle) = (x - 50, x - 3, y + 35);
        write!(
            svg,
            r#"<path class="arrow" d="M{from} {middle}H{to}m-5 -4l5 4l-5 4"/><text x="{}" y="{}" text-anchor="middle">{issued}</text>"#,
            x - 26,
            middle - 8
        )
    } else {
        let (from, to, middle) = (y - 32, y - 3, x + width / 2);
        write!(
            svg,
            r#"<path class="arrow" d="M{middle} {from}V{to}m-4 -5l4 5l4 -5"/><text x="{}" y="{}">{issued}</text>"#,
            middle + 10,
            y - 13
        )
    };
}
