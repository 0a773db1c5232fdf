//! Clinics.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::json;

use super::{Context, or_dash};
use crate::args::{Clinic, Limit, NewClinic};
use crate::error::{Error, Result};
use crate::output::{Align, Table};
use crate::words::in_words;

/// Bytes of the largest list that the API takes.
const LARGEST_LIST: u64 = 8 * 1024 * 1024;

#[derive(Deserialize)]
struct Item {
    code: String,
    name: String,
    kind: String,
    prefecture: Prefecture,
    phone: Option<String>,
    hosts: u64,
    worst: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Prefecture {
    pub(super) name: String,
}

#[derive(Deserialize)]
struct Saved {
    code: String,
    name: String,
}

#[derive(Deserialize)]
struct Imported {
    created: u32,
    changed: u32,
    unchanged: u32,
}

pub(super) async fn run(context: &Context<'_>, command: Clinic) -> Result<()> {
    match command {
        Clinic::List { search, kind, prefecture, limit } => list(context, [search, kind, prefecture], &limit).await,
        Clinic::Import { file } => import(context, &file).await,
        Clinic::Export { to } => export(context, to).await,
        Clinic::Add(new) => add(context, new).await,
    }
}

async fn list(context: &Context<'_>, filter: [Option<String>; 3], limit: &Limit) -> Result<()> {
    let [search, kind, prefecture] = &filter;
    let query = vec![("search", search.as_deref()), ("kind", kind.as_deref()), ("prefecture", prefecture.as_deref())];
    let show = |items: &[Item]| {
        let mut table = Table::new([
            (context.word("コード", "CODE"), Align::Left),
            (context.word("名称", "NAME"), Align::Left),
            (context.word("種別", "KIND"), Align::Left),
            (context.word("都道府県", "PREFECTURE"), Align::Left),
            (context.word("端末", "PCS"), Align::Right),
            (context.word("緊急度", "URGENCY"), Align::Left),
            (context.word("電話", "PHONE"), Align::Left),
        ]);
        for item in items {
            table.row([
                item.code.clone(),
                item.name.clone(),
                in_words(context.locale, &item.kind).to_owned(),
                item.prefecture.name.clone(),
                item.hosts.to_string(),
                or_dash(item.worst.as_deref().map(|worst| in_words(context.locale, worst))),
                or_dash(item.phone.as_deref()),
            ]);
        }
        table
    };
    context.print_list("/clinics", &query, limit, show).await
}

async fn import(context: &Context<'_>, file: &Path) -> Result<()> {
    let csv = read_list(file).map_err(|cause| Error::local(format!("read {}", file.display()), cause))?;
    let reply = context.client.post_body("/clinics/import", "text/csv", csv).await?;
    context.print(&reply, |Imported { created, changed, unchanged }| {
        let new = context.word("新規", "created");
        let (changes, same) = (context.word("変更", "changed"), context.word("変更なし", "unchanged"));
        context.out.line(&format!("{new} {created}, {changes} {changed}, {same} {unchanged}"))
    })
}

fn read_list(file: &Path) -> io::Result<Vec<u8>> {
    let mut csv = Vec::new();
    let read = if file == Path::new("-") {
        io::stdin().lock().take(LARGEST_LIST + 1).read_to_end(&mut csv)?
    } else {
        fs::File::open(file)?.take(LARGEST_LIST + 1).read_to_end(&mut csv)?
    };
    if u64::try_from(read).unwrap_or(u64::MAX) > LARGEST_LIST {
        return Err(io::Error::other("it is larger than 8 MiB"));
    }
    Ok(csv)
}

async fn export(context: &Context<'_>, to: Option<PathBuf>) -> Result<()> {
    let reply = context.client.get("/clinics/export.csv", &Vec::new()).await?;
    match to {
        Some(file) => {
            fs::write(&file, reply.bytes()).map_err(|cause| Error::local(format!("write {}", file.display()), cause))
        }
        None => context.out.bytes(reply.bytes()),
    }
}

async fn add(context: &Context<'_>, new: NewClinic) -> Result<()> {
    let NewClinic { code, name, kind, prefecture, contact, phone, mail } = new;
    let body = json!({
        "code": code, "name": name, "kind": kind, "prefecture": prefecture,
        "contact": contact, "phone": phone, "mail": mail,
    });
    let reply = context.client.post("/clinics", &body).await?;
    context.print(&reply, |Saved { code, name }| {
        context.out.line(&format!("{code}  {name}  {}", context.word("登録しました", "saved")))
    })
}
