//! Japan's prefectures as tiles, each coloured by the worst that is open there.

use std::fmt::Write as _;

use inkan_model::clinic::Prefecture;

use super::{Svg, text};
use crate::state::State;

/// One prefecture with clinics.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Tile {
    pub(crate) prefecture: Prefecture,
    pub(crate) state: State,
}

/// Column and row of each prefecture, in the order of JIS X 0401: roughly where it lies, without gaps.
const PLACES: [(u16, u16); 47] = [
    (14, 0),
    (13, 2),
    (13, 3),
    (13, 4),
    (12, 3),
    (12, 4),
    (13, 5),
    (13, 6),
    (12, 6),
    (11, 6),
    (11, 7),
    (13, 7),
    (12, 7),
    (12, 8),
    (11, 5),
    (10, 5),
    (9, 5),
    (8, 6),
    (10, 7),
    (10, 6),
    (9, 6),
    (11, 8),
    (10, 8),
    (9, 8),
    (8, 7),
    (7, 6),
    (7, 7),
    (6, 6),
    (8, 8),
    (7, 8),
    (5, 6),
    (4, 6),
    (5, 7),
    (4, 7),
    (3, 7),
    (6, 9),
    (5, 9),
    (4, 9),
    (5, 10),
    (2, 8),
    (1, 8),
    (0, 9),
    (1, 9),
    (2, 9),
    (2, 10),
    (1, 10),
    (0, 12),
];

const PITCH: u16 = 29;
const ROW: u16 = 22;

/// Draws all prefectures; those without clinics stay empty.
pub(crate) fn draw_prefectures(tiles: &[Tile], label: &str) -> Svg {
    let (width, height) = (15 * PITCH, 13 * ROW);
    let mut svg =
        format!(r#"<svg class="tiles" viewBox="0 0 {width} {height}" role="img" aria-label="{}">"#, text(label));
    for (prefecture, (column, row)) in Prefecture::all().zip(PLACES) {
        let (x, y) = (column * PITCH + 1, row * ROW + 1);
        let tile = tiles.iter().find(|tile| tile.prefecture == prefecture);
        let class = tile.map_or("none", |tile| tile.state.class());
        let name = prefecture.short_name();
        let size = if name.chars().count() > 2 { " long" } else { "" };
        let _ = write!(
            svg,
            r#"<g class="tile {class}{size}"><rect x="{x}" y="{y}" width="{}" height="{}" rx="1.500"/><text x="{}" y="{}" text-anchor="middle" lang="ja">{name}</text></g>"#,
            PITCH - 3,
            ROW - 3,
            x + (PITCH - 3) / 2,
            y + 13,
        );
    }
    svg.push_str("</svg>");
    Svg(svg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_prefectures_share_a_place() {
        let mut places = PLACES.to_vec();
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), 47);
    }
}
