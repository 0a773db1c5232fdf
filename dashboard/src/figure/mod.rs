//! Pictures, drawn here as SVG. They print, need no script, and obey the content security policy: colours come from
//! classes of the style sheet. A picture holds no links, and a table with the same facts always stands beside it.

mod chain;
mod histogram;
mod qr;
mod tiles;

use std::fmt;

use askama::filters::HtmlSafe;

pub(crate) use self::chain::{ChainBox, draw_chain};
pub(crate) use self::histogram::{Week, draw_weeks};
pub(crate) use self::qr::draw_qr;
pub(crate) use self::tiles::{Tile, draw_prefectures};

/// A finished picture. Whoever builds one escapes every text in it with [`text`].
pub(crate) struct Svg(String);

impl fmt::Display for Svg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Its texts were escaped when they were put in.
impl HtmlSafe for Svg {}

/// Escapes a text for an element or a quoted attribute.
fn text(raw: &str) -> String {
    let mut safe = String::with_capacity(raw.len());
    for c in raw.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// Cuts a text to about `width` units when it is printed in this size. A Latin letter takes some three fifths of the
/// size, a Japanese one all of it.
fn fit(raw: &str, width: u32, size: u32) -> String {
    let of = |c: char| if c.is_ascii() { size * 3 / 5 } else { size };
    if raw.chars().map(of).sum::<u32>() <= width {
        return raw.to_owned();
    }
    let mut left = width.saturating_sub(size);
    let stays = |c: &char| {
        let fits = of(*c) <= left;
        left = left.saturating_sub(of(*c));
        fits
    };
    let mut cut: String = raw.chars().take_while(stays).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_cannot_leave_their_place() {
        assert_eq!(text(r#"<a x="1">'&"#), "&lt;a x=&quot;1&quot;&gt;&#39;&amp;");
    }

    #[test]
    fn long_names_are_cut_where_they_still_fit() {
        assert_eq!(fit("short", 60, 10), "short");
        assert_eq!(fit("Security Communication", 64, 10), "Security …");
        assert_eq!(fit("さくら内科クリニック", 50, 10), "さくら内…");
    }
}
