//! Style sheet, scripts and seal, embedded. A file's address holds its content's hash, so it may be kept for ever.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use inkan_model::Fingerprint;

struct Asset {
    name: String,
    media_type: &'static str,
    bytes: &'static [u8],
}

impl Asset {
    fn new(stem: &str, extension: &str, media_type: &'static str, bytes: &'static [u8]) -> Self {
        Self { name: format!("{stem}-{}.{extension}", Fingerprint::of(bytes).short()), media_type, bytes }
    }
}

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

static ASSETS: LazyLock<[Asset; 5]> = LazyLock::new(|| {
    [
        Asset::new("inkan", "css", "text/css; charset=utf-8", include_bytes!("../assets/inkan.css")),
        Asset::new("htmx", "js", JAVASCRIPT, include_bytes!("../assets/vendor/htmx.min.js")),
        Asset::new("hx-sse", "js", JAVASCRIPT, include_bytes!("../assets/vendor/hx-sse.min.js")),
        Asset::new("inkan", "js", JAVASCRIPT, include_bytes!("../assets/inkan.js")),
        Asset::new("seal", "svg", "image/svg+xml", include_bytes!("../assets/seal.svg")),
    ]
});

/// The address of the style sheet.
pub(crate) fn style() -> String {
    address(0)
}

/// The address of htmx.
pub(crate) fn htmx() -> String {
    address(1)
}

/// The address of htmx's extension for streams.
pub(crate) fn sse() -> String {
    address(2)
}

/// The address of our own script.
pub(crate) fn script() -> String {
    address(3)
}

/// The address of the seal, which a browser shows beside a page's title.
pub(crate) fn seal() -> String {
    address(4)
}

fn address(at: usize) -> String {
    format!("/assets/{}", ASSETS[at].name)
}

pub(crate) async fn serve(Path(name): Path<String>) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers: [(HeaderName, &str); 2] =
        [(header::CONTENT_TYPE, asset.media_type), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
    (headers, asset.bytes).into_response()
}
