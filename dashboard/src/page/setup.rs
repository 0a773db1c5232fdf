//! The one-time setup: vendor and owner, with password and authenticator app. Gone once it was used.

use askama::Template;
use axum::extract::{Path, State as Extract};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use inkan_core::Error;
use inkan_core::operators::{NewPerson, SHORTEST_PASSWORD};
use inkan_core::totp;
use inkan_model::operator::Role;
use secrecy::SecretString;

use super::print;
use crate::Site;
use crate::door::{Posted, SpokenTo};
use crate::fault::Fault;
use crate::figure::{Svg, draw_qr};
use crate::link::{Fields, Link};
use crate::words::Words;

#[derive(Template)]
#[template(path = "setup.html")]
struct Setup {
    w: Words,
    path: String,
    vendor: String,
    name: String,
    mail: String,
    seed: String,
    /// The seed in groups of four, as people type it.
    seed_words: String,
    uri: String,
    qr: Option<Svg>,
    shortest_password: usize,
    /// The field that is wrong, and what is wrong with it.
    wrong: Option<(String, String)>,
    other_language: Link,
}

impl Setup {
    fn new(w: Words, secret: &str, fields: &Fields, seed: &[u8]) -> Self {
        let text = |name: &str| fields.text(name).unwrap_or("").chars().take(255).collect::<String>();
        let mail = text("mail");
        let (seed_text, uri) = totp::describe_seed(seed, &mail);
        let groups: Vec<_> = seed_text.as_bytes().chunks(4).map(String::from_utf8_lossy).collect();
        let path = Link::to(format!("/setup/{secret}"));
        let other = if w.is_japanese() { "en" } else { "ja" };
        Self {
            w,
            other_language: path.clone().with("lang", other),
            path: path.with("lang", w.tag()).to_string(),
            vendor: text("vendor"),
            name: text("name"),
            seed_words: groups.join(" "),
            qr: draw_qr(&uri, &w.say("setup.qr_label")),
            mail,
            seed: seed_text,
            uri,
            shortest_password: SHORTEST_PASSWORD,
            wrong: None,
        }
    }

    fn is_wrong(&self, field: &str) -> bool {
        self.wrong.as_ref().is_some_and(|(wrong, _)| wrong == field)
    }
}

/// Shows the form, with a fresh seed.
pub(crate) async fn show(
    Extract(site): Extract<Site>,
    SpokenTo { w, .. }: SpokenTo,
    Path(secret): Path<String>,
) -> Result<Response, Fault> {
    if !site.core().is_setup_link(&secret).await? {
        return Err(Fault::NoSuchPage);
    }
    print(&Setup::new(w, &secret, &Fields::default(), &site.core().new_totp_seed()))
}

/// Completes the setup.
pub(crate) async fn complete(
    Extract(site): Extract<Site>,
    SpokenTo { w, .. }: SpokenTo,
    Path(secret): Path<String>,
    Posted(fields): Posted,
) -> Result<Response, Fault> {
    if !site.core().is_setup_link(&secret).await? {
        return Err(Fault::NoSuchPage);
    }
    // The seed travels in the form that shows it; one that was changed on the way is the owner's own trouble.
    let Some(seed) = totp::parse_seed(fields.text("seed").unwrap_or("")) else { return Err(Fault::Unreadable) };
    let text = |name: &str| fields.text(name).unwrap_or("").to_owned();
    let person = NewPerson {
        mail: text("mail"),
        name: text("name"),
        password: SecretString::from(fields.raw("password").unwrap_or("").to_owned()),
        totp_seed: seed.clone(),
        role: Role::Owner,
        locale: w.0,
    };
    match site.core().complete_setup(&secret, &text("vendor"), person, &text("code")).await {
        Ok(_) => {
            let login = Link::to("/login").with("welcome", 1).with("mail", text("mail")).with("lang", w.tag());
            Ok(Redirect::to(&login.to_string()).into_response())
        }
        Err(Error::Invalid { field, .. }) => {
            let hint = match field.as_str() {
                "vendor" => w.say("setup.wrong_vendor"),
                "name" => w.say("setup.wrong_name"),
                "mail" => w.say("setup.wrong_mail"),
                "password" => w.count("setup.wrong_password", u64::try_from(SHORTEST_PASSWORD).unwrap_or(12)),
                _ => w.say("setup.wrong_code"),
            };
            let page = Setup { wrong: Some((field, hint)), ..Setup::new(w, &secret, &fields, &seed) };
            let mut response = print(&page)?;
            *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
            Ok(response)
        }
        Err(other) => Err(other.into()),
    }
}
