//! Log-in, log-out, and the language of whoever is signed in.

use askama::Template;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum_extra::extract::cookie::{Cookie, CookieJar};
use inkan_core::Error;
use inkan_core::operators::LogIn;
use inkan_core::ports::SessionKind;
use inkan_model::locale::Locale;
use secrecy::SecretString;

use super::print;
use crate::Site;
use crate::door::{Posted, SignedForm, SpokenTo, cookie_name, session_cookie, session_secret};
use crate::fault::Fault;
use crate::link::{Fields, Link, own_path};
use crate::words::Words;

#[derive(Template)]
#[template(path = "login.html")]
struct LogInPage {
    w: Words,
    mail: String,
    next: String,
    /// What was wrong with the last try.
    error: Option<String>,
    /// Whether setup was just completed.
    welcome: bool,
    other_language: Link,
}

impl LogInPage {
    fn new(w: Words, fields: &Fields) -> Self {
        let next = fields.text("next").and_then(own_path).unwrap_or("").to_owned();
        let other = if w.is_japanese() { Locale::En } else { Locale::Ja };
        Self {
            w,
            mail: fields.text("mail").unwrap_or("").chars().take(254).collect(),
            error: None,
            welcome: fields.text("welcome").is_some(),
            other_language: Link::to("/login").with("lang", other.tag()).with("next", &next),
            next,
        }
    }
}

/// Shows the form; whoever is signed in already goes on.
pub(crate) async fn show(
    Extract(site): Extract<Site>,
    SpokenTo { w, .. }: SpokenTo,
    jar: CookieJar,
    fields: Fields,
) -> Result<Response, Fault> {
    if let Some(secret) = session_secret(site.options(), &jar)
        && site.core().find_operator(&secret, SessionKind::Browser).await?.is_some()
    {
        return Ok(Redirect::to(fields.text("next").and_then(own_path).unwrap_or("/")).into_response());
    }
    print(&LogInPage::new(w, &fields))
}

/// Lets somebody in.
pub(crate) async fn log_in(
    Extract(site): Extract<Site>,
    SpokenTo { w, source }: SpokenTo,
    jar: CookieJar,
    Posted(fields): Posted,
) -> Result<Response, Fault> {
    let attempt = LogIn {
        mail: fields.text("mail").unwrap_or("").to_owned(),
        password: SecretString::from(fields.raw("password").unwrap_or("").to_owned()),
        code: fields.text("code").unwrap_or("").to_owned(),
        source,
    };
    let (status, error) = match site.core().log_in(attempt, SessionKind::Browser).await {
        Ok(logged_in) => {
            let cookie = session_cookie(site.options(), logged_in.secret.reveal().to_owned());
            let next = fields.text("next").and_then(own_path).unwrap_or("/").to_owned();
            return Ok((jar.add(cookie), Redirect::to(&next)).into_response());
        }
        Err(Error::WrongCredentials) => (StatusCode::UNAUTHORIZED, w.say("login.wrong")),
        Err(Error::TooManyTries) => (StatusCode::TOO_MANY_REQUESTS, w.say("login.too_many")),
        Err(other) => return Err(other.into()),
    };
    let page = LogInPage { error: Some(error), welcome: false, ..LogInPage::new(w, &fields) };
    let mut response = print(&page)?;
    *response.status_mut() = status;
    Ok(response)
}

/// Ends the session.
pub(crate) async fn log_out(Extract(site): Extract<Site>, jar: CookieJar, form: SignedForm) -> Result<Response, Fault> {
    site.core().log_out(&form.by.secret).await?;
    let gone = Cookie::build((cookie_name(site.options()), "")).path("/").secure(site.options().secure_cookies);
    Ok((jar.remove(gone), Redirect::to("/login")).into_response())
}

/// Changes the language, for now and for later.
pub(crate) async fn set_language(Extract(site): Extract<Site>, form: SignedForm) -> Result<Response, Fault> {
    let SignedForm { by, fields } = form;
    let locale = fields.text("locale").and_then(Locale::from_tag).ok_or(Fault::Unreadable)?;
    site.core().set_locale(&by.operator, locale).await?;
    let back = fields.text("back").and_then(own_path).unwrap_or("/");
    Ok(Redirect::to(&without_language(back)).into_response())
}

/// A language in the address would outlast the one that was just chosen.
fn without_language(path: &str) -> String {
    let Some((path, query)) = path.split_once('?') else { return path.to_owned() };
    let kept: Vec<_> = query.split('&').filter(|pair| !pair.starts_with("lang=")).collect();
    if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_gone_back_to_says_no_language() {
        assert_eq!(without_language("/hosts?lang=en&rule=x"), "/hosts?rule=x");
        assert_eq!(without_language("/?lang=en"), "/");
        assert_eq!(without_language("/join"), "/join");
    }
}
