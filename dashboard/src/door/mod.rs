//! Who may come in: the session cookie, the form token, the check that a form came from our own pages, and the headers
//! that tell a browser how little it may do.
//!
//! A form counts only when two things hold: the browser says that it was sent from this very site (`Sec-Fetch-Site`,
//! or `Origin` from browsers that do not say), and it carries the token of this session. The token is a keyed hash of
//! the session's secret, so nothing has to be stored for it. Log-in and setup have no session yet; there the first
//! check stands alone, beside the password, or the secret in the address.

mod headers;
mod signed_in;

pub(crate) use self::headers::{refuse_foreign_posts, set_security_headers};
pub(crate) use self::signed_in::{Fragment, Posted, SignedForm, SignedIn, SpokenTo, form_token, is_form_token};

use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};

use crate::Options;

/// The session cookie's name. With the prefix a browser takes it only over HTTPS, for this host alone, for every path.
pub(crate) fn cookie_name(options: &Options) -> &'static str {
    if options.secure_cookies { "__Host-inkan" } else { "inkan" }
}

/// The cookie that keeps a session.
pub(crate) fn session_cookie(options: &Options, secret: String) -> Cookie<'static> {
    Cookie::build((cookie_name(options), secret))
        .path("/")
        .http_only(true)
        .secure(options.secure_cookies)
        .same_site(SameSite::Lax)
        .max_age(options.core.settings().browser_session)
        .build()
}

/// The session's secret that a browser brings.
pub(crate) fn session_secret(options: &Options, jar: &CookieJar) -> Option<String> {
    let secret = jar.get(cookie_name(options))?.value();
    // Ours have 43 characters; nothing longer is worth hashing.
    (secret.len() <= 64 && !secret.is_empty()).then(|| secret.to_owned())
}
