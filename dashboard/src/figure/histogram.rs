//! Expiries by week: stacked bars with the number above each.

use std::fmt::Write as _;

use super::{Svg, text};

/// One week's expiries, by how soon they are.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Week {
    /// First day, as `11/20`.
    pub(crate) label: String,
    pub(crate) now: u64,
    pub(crate) soon: u64,
    pub(crate) later: u64,
}

impl Week {
    pub(crate) fn total(&self) -> u64 {
        self.now + self.soon + self.later
    }
}

const WIDTH: u64 = 430;
const BASE: u64 = 150;
const TALLEST: u64 = 124;
const LEFT: u64 = 30;

/// Draws the weeks side by side.
pub(crate) fn draw_weeks(weeks: &[Week], label: &str) -> Svg {
    let most = weeks.iter().map(Week::total).max().unwrap_or(0);
    let step = nice_step(most);
    let top = (most.div_ceil(step) * step).max(step);
    let mut svg = format!(r#"<svg class="weeks" viewBox="0 0 {WIDTH} 170" role="img" aria-label="{}">"#, text(label));
    for line in 0..=top / step {
        let y = BASE - scale(line * step, top);
        let kind = if line == 0 { "base" } else { "grid" };
        let _ = write!(svg, r#"<line class="{kind}" x1="{LEFT}" x2="{}" y1="{y}" y2="{y}"/>"#, WIDTH - 6);
        let _ = write!(svg, r#"<text x="{}" y="{}" text-anchor="end">{}</text>"#, LEFT - 5, y + 4, short(line * step));
    }
    let pitch = (WIDTH - 6 - LEFT) / weeks.len().max(1) as u64;
    for (at, week) in (0_u64..).zip(weeks) {
        draw_week(&mut svg, week, LEFT + 3 + at * pitch, pitch - 6, top);
        if at % 2 == 0 {
            let middle = LEFT + at * pitch + pitch / 2;
            let _ = write!(svg, r#"<text x="{middle}" y="164" text-anchor="middle">{}</text>"#, text(&week.label));
        }
    }
    svg.push_str("</svg>");
    Svg(svg)
}

fn draw_week(svg: &mut String, week: &Week, x: u64, width: u64, top: u64) {
    let mut below = 0;
    for (class, n) in [("now", week.now), ("soon", week.soon), ("well", week.later)] {
        if n > 0 {
            let (from, to) = (BASE - scale(below, top), BASE - scale(below + n, top));
            // A hairline of ground parts the colours; a bar that is there is at least one unit high.
            let height = (from - to).saturating_sub(1).max(1);
            let y = from - height;
            let _ = write!(svg, r#"<rect class="{class}" x="{x}" y="{y}" width="{width}" height="{height}"/>"#);
            below += n;
        }
    }
    if below > 0 {
        let (middle, y) = (x + width / 2, BASE - scale(below, top) - 4);
        let _ = write!(svg, r#"<text class="v" x="{middle}" y="{y}" text-anchor="middle">{}</text>"#, short(below));
    }
}

fn scale(n: u64, top: u64) -> u64 {
    n.saturating_mul(TALLEST) / top.max(1)
}

/// 1, 2 or 5 times a power of ten, so that three or four lines reach the highest bar.
fn nice_step(most: u64) -> u64 {
    let mut power = 1_u64;
    loop {
        for step in [power, 2 * power, 5 * power] {
            if most <= step.saturating_mul(4) {
                return step;
            }
        }
        power *= 10;
    }
}

/// `940`, `1.2k`, `31k`.
fn short(n: u64) -> String {
    match n {
        ..1_000 => n.to_string(),
        1_000..10_000 => format!("{}.{}k", n / 1_000, n % 1_000 / 100),
        _ => format!("{}k", n / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_is_round_and_reaches_the_highest_bar() {
        for (most, step) in [(0, 1), (3, 1), (6, 2), (36, 10), (61, 20), (31_000, 10_000)] {
            assert_eq!(nice_step(most), step, "{most}");
        }
    }

    #[test]
    fn a_bar_stays_inside_the_picture_however_many_there_are() {
        let weeks = vec![Week { label: "1/1".to_owned(), now: 1, soon: 500_000, later: u64::from(u32::MAX) }; 13];
        let svg = draw_weeks(&weeks, "x").to_string();
        assert!(!svg.contains("y=\"-"));
        assert_eq!(svg.matches("<rect").count(), 39);
    }

    #[test]
    fn an_empty_quarter_is_a_line_without_bars() {
        let svg = draw_weeks(&vec![Week::default(); 13], "x").to_string();
        assert_eq!(svg.matches("<rect").count(), 0);
    }
}
