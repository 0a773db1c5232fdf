//! Signing in and out.

use std::fs;
use std::io;

use inkan_model::locale::Locale;
use serde::Deserialize;
use serde_json::json;

use super::{Context, credentials_file, is_same_server};
use crate::args::{Common, Login};
use crate::client::Client;
use crate::credentials::{self, Credentials};
use crate::error::{Error, Result};
use crate::output::{Output, Table};
use crate::words::{in_words, minute, pick};

#[derive(Deserialize)]
struct Started {
    token: String,
    expires_at: String,
    operator: Person,
}

#[derive(Deserialize)]
struct Person {
    mail: String,
    name: String,
}

#[derive(Deserialize)]
struct Me {
    mail: String,
    name: String,
    role: String,
    vendor: String,
}

/// Signs in, and keeps the token.
pub(super) async fn log_in(login: Login, common: &Common, locale: Locale, out: &Output) -> Result<()> {
    let file = credentials_file()?;
    let kept = credentials::read(&file).ok().flatten();
    let server = common.server.clone().or_else(|| kept.as_ref().map(|kept| kept.server.clone()));
    let server = server.ok_or_else(|| Error::Usage("say which server: --server https://fleet.example".to_owned()))?;
    let kept = kept.filter(|kept| is_same_server(&kept.server, &server));
    let ca_file = common.ca_file.clone().or_else(|| kept.and_then(|kept| kept.ca_file));
    let ca_file = ca_file.map(fs::canonicalize).transpose().map_err(|cause| Error::local("find the CA file", cause))?;
    let client = Client::new(&server, ca_file.as_deref(), None, locale)?;

    let body = read_entry(login, locale, out)?;
    let reply = client.post("/sessions", &body).await?;
    let Started { token, expires_at, operator } = reply.read()?;
    let Person { mail, name } = operator;
    let server = client.server().to_owned();
    let kept = Credentials { server, mail, expires_at: expires_at.clone(), ca_file, token };
    credentials::write(&file, &kept)?;
    let until = minute(&expires_at);
    match locale {
        Locale::Ja => out.note(&format!("{name} さんとしてサインインしました ({until} まで)。")),
        Locale::En => out.note(&format!("Signed in as {name}, until {until}.")),
    }
    Ok(())
}

/// What to sign in with: as typed, else as asked for.
fn read_entry(login: Login, locale: Locale, out: &Output) -> Result<serde_json::Value> {
    let Login { mail, password_file, code } = login;
    let ask = |question: &str, flag: &str| {
        if !out.can_ask() {
            return Err(Error::Usage(format!("nobody can be asked here: give {flag}")));
        }
        out.ask(question).map_err(|cause| Error::local("ask", cause))
    };
    let mail = mail.map_or_else(|| ask(pick(locale, "メールアドレス", "Mail address"), "--mail"), Ok)?;
    let password = match password_file {
        Some(file) => {
            let text = fs::read_to_string(&file);
            let text = text.map_err(|cause| Error::local(format!("read {}", file.display()), cause))?;
            text.trim_end_matches(['\r', '\n']).to_owned()
        }
        None => ask_password(pick(locale, "パスワード: ", "Password: "))?,
    };
    let code =
        code.map_or_else(|| ask(pick(locale, "認証アプリのコード", "Code of the authenticator app"), "--code"), Ok)?;
    Ok(json!({ "mail": mail, "password": password, "code": code }))
}

fn ask_password(question: &str) -> Result<String> {
    rpassword::prompt_password(question).map_err(|cause| match cause.kind() {
        io::ErrorKind::Interrupted => Error::NotDone("interrupted".to_owned()),
        _ => Error::Usage("the password cannot be asked for here: give --password-file".to_owned()),
    })
}

/// Ends the token on the server, and forgets it here.
pub(super) async fn log_out(common: &Common, locale: Locale, out: &Output) -> Result<()> {
    let file = credentials_file()?;
    let Some(kept) = credentials::read(&file)? else {
        out.note(pick(locale, "サインインしていません。", "Nobody is signed in."));
        return Ok(());
    };
    let Credentials { server, ca_file, token, .. } = kept;
    let ca_file = common.ca_file.clone().or(ca_file);
    let client = Client::new(&server, ca_file.as_deref(), Some(token), locale)?;
    match client.delete("/sessions/current").await {
        Ok(_) => {}
        // It had ended already, which is as good.
        Err(Error::Refused(problem)) if problem.status == 401 => {}
        Err(error) => return Err(error),
    }
    credentials::forget(&file)?;
    out.note(pick(locale, "サインアウトしました。", "Signed out."));
    Ok(())
}

/// Shows who is signed in.
pub(super) async fn show_me(context: &Context<'_>) -> Result<()> {
    let reply = context.client.get("/me", &Vec::new()).await?;
    context.print(&reply, |me: Me| {
        let Me { mail, name, role, vendor } = me;
        let mut table = Table::facts();
        table.row([context.word("名前", "Name").to_owned(), name]);
        table.row([context.word("メール", "Mail").to_owned(), mail]);
        table.row([context.word("役割", "Role").to_owned(), in_words(context.locale, &role).to_owned()]);
        table.row([context.word("会社", "Vendor").to_owned(), vendor]);
        table.row([context.word("サーバー", "Server").to_owned(), context.client.server().to_owned()]);
        table.print(context.out)
    })
}
