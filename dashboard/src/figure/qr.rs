//! A QR code for an authenticator app: dark on white in either colour scheme, with the quiet zone that cameras need.

use std::fmt::Write as _;

use qrcodegen::{QrCode, QrCodeEcc};

use super::{Svg, text};

const QUIET: i32 = 4;

/// Draws a text as a QR code; `None` when it is too long for one.
pub(crate) fn draw_qr(content: &str, label: &str) -> Option<Svg> {
    let code = QrCode::encode_text(content, QrCodeEcc::Medium).ok()?;
    let size = code.size();
    let mut path = String::new();
    for y in 0..size {
        for x in (0..size).filter(|x| code.get_module(*x, y)) {
            let _ = write!(path, "M{} {}h1v1h-1z", x + QUIET, y + QUIET);
        }
    }
    let edge = size + 2 * QUIET;
    Some(Svg(format!(
        r##"<svg class="qr" viewBox="0 0 {edge} {edge}" role="img" aria-label="{}" shape-rendering="crispEdges"><rect width="{edge}" height="{edge}" fill="#fff"/><path d="{path}" fill="#000"/></svg>"##,
        text(label)
    )))
}
