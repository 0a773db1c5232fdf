//! PCs.

use inkan_model::HostId;
use inkan_model::host::HostFacts;
use serde::Deserialize;
use serde_json::json;

use super::certificates::{self, Installation};
use super::clinics::Prefecture;
use super::{Context, or_dash};
use crate::args::{Host, HostFilter};
use crate::client::Reply;
use crate::error::{Error, Result};
use crate::output::{Align, Table};
use crate::typed::HostName;
use crate::words::{day, in_words, minute};

/// PCs of one name that are told apart before giving up.
const MOST_OF_ONE_NAME: u32 = 500;

#[derive(Deserialize)]
struct Item {
    id: HostId,
    name: String,
    state: String,
    last_seen: String,
    clinic: ClinicRef,
    prefecture: Prefecture,
    next_expiry: Option<String>,
    findings: u32,
    worst: Option<String>,
}

#[derive(Deserialize)]
struct ClinicRef {
    name: String,
}

#[derive(Deserialize)]
struct Detail {
    id: HostId,
    name: String,
    clinic: Clinic,
    state: String,
    enrolled_at: String,
    last_seen: String,
    facts: Facts,
    findings: Vec<Finding>,
}

#[derive(Deserialize)]
struct Clinic {
    code: String,
    name: String,
    contact: Option<String>,
    phone: Option<String>,
}

#[derive(Deserialize)]
struct Facts {
    os: String,
    os_version: String,
    agent_version: String,
}

#[derive(Deserialize)]
struct Finding {
    urgency: String,
    statement: String,
    remedy: String,
}

pub(super) async fn run(context: &Context<'_>, command: Host) -> Result<()> {
    match command {
        Host::List(filter) => list(context, &filter).await,
        Host::Show(which) => show(context, &which.host).await,
        Host::Approve(which) => set_state(context, &which.host, "active").await,
        Host::Suspend(which) => set_state(context, &which.host, "suspended").await,
        Host::Retire(which) => set_state(context, &which.host, "retired").await,
    }
}

async fn list(context: &Context<'_>, filter: &HostFilter) -> Result<()> {
    let HostFilter { search, clinic, prefecture, rule, urgency, state, limit } = filter;
    let query = vec![
        ("search", search.as_deref()),
        ("clinic", clinic.as_deref()),
        ("prefecture", prefecture.as_deref()),
        ("rule", rule.as_deref()),
        ("urgency", urgency.as_deref()),
        ("state", state.as_deref()),
    ];
    let show = |items: &[Item]| {
        let mut table = Table::new([
            (context.word("緊急度", "URGENCY"), Align::Left),
            (context.word("端末", "NAME"), Align::Left),
            (context.word("医療機関", "CLINIC"), Align::Left),
            (context.word("都道府県", "PREFECTURE"), Align::Left),
            (context.word("状態", "STATE"), Align::Left),
            (context.word("期限", "EXPIRES"), Align::Left),
            (context.word("問題", "FINDINGS"), Align::Right),
            (context.word("最終連絡", "LAST SEEN"), Align::Left),
            ("ID", Align::Left),
        ]);
        for item in items {
            table.row([
                or_dash(item.worst.as_deref().map(|worst| in_words(context.locale, worst))),
                item.name.clone(),
                item.clinic.name.clone(),
                item.prefecture.name.clone(),
                in_words(context.locale, &item.state).to_owned(),
                or_dash(item.next_expiry.as_deref().map(day).as_deref()),
                item.findings.to_string(),
                minute(&item.last_seen),
                item.id.to_string(),
            ]);
        }
        table
    };
    context.print_list("/hosts", &query, limit, show).await
}

/// The identifier of the PC that an operator names. A name that several PCs have is refused, with their identifiers.
pub(super) async fn find(context: &Context<'_>, name: &HostName) -> Result<HostId> {
    let name = match name {
        HostName::Id(id) => return Ok(*id),
        HostName::Name(name) => name,
    };
    let query = vec![("search", Some(name.as_str()))];
    let listing = context.client.list("/hosts", &query, MOST_OF_ONE_NAME).await?;
    let items: Vec<Item> = listing.items()?;
    let named: Vec<_> = items.iter().filter(|item| item.name.to_lowercase() == name.to_lowercase()).collect();
    match named.as_slice() {
        [one] if !listing.more => Ok(one.id),
        [] => {
            Err(Error::NotDone(format!("{}: {name}", context.word("この名前の端末はありません", "no PC has the name"))))
        }
        several => {
            let lines: Vec<_> =
                several.iter().map(|item| format!("\n  {}  {}  {}", item.id, item.name, item.clinic.name)).collect();
            let words = context
                .word("同じ名前の端末があります。ID で指定してください:", "several PCs have this name; give an ID:");
            Err(Error::NotDone(format!("{words}{}", lines.concat())))
        }
    }
}

/// The identifier of the PC that an operator names, if they name one.
pub(super) async fn find_named(context: &Context<'_>, name: Option<&HostName>) -> Result<Option<String>> {
    match name {
        Some(name) => Ok(Some(find(context, name).await?.to_string())),
        None => Ok(None),
    }
}

async fn show(context: &Context<'_>, name: &HostName) -> Result<()> {
    let id = find(context, name).await?;
    let reply = context.client.get(&format!("/hosts/{id}"), &Vec::new()).await?;
    if context.json {
        return context.out.raw_line(reply.text()?);
    }
    print_detail(context, &reply)?;
    let path = format!("/hosts/{id}/certificates");
    let held: Vec<Installation> = context.client.list(&path, &Vec::new(), MOST_OF_ONE_NAME).await?.items()?;
    if !held.is_empty() {
        context.out.line("")?;
        certificates::table(context, &held).print(context.out)?;
    }
    Ok(())
}

fn print_detail(context: &Context<'_>, reply: &Reply) -> Result<()> {
    let Detail { id, name, clinic, state, enrolled_at, last_seen, facts, findings } = reply.read()?;
    let os = HostFacts { os: facts.os, os_version: facts.os_version, ..HostFacts::default() };
    let call = [clinic.contact, clinic.phone].into_iter().flatten().collect::<Vec<_>>().join("  ");
    let mut table = Table::facts();
    for (ja, en, value) in [
        ("端末", "Name", name),
        ("ID", "ID", id.to_string()),
        ("医療機関", "Clinic", format!("{}  {}", clinic.code, clinic.name)),
        ("連絡先", "Call", or_dash(Some(&call))),
        ("状態", "State", in_words(context.locale, &state).to_owned()),
        ("OS", "OS", os.os_in_words()),
        ("エージェント", "Agent", or_dash(Some(&facts.agent_version))),
        ("登録", "Joined", minute(&enrolled_at)),
        ("最終連絡", "Last seen", minute(&last_seen)),
    ] {
        table.row([context.word(ja, en).to_owned(), value]);
    }
    table.print(context.out)?;
    for Finding { urgency, statement, remedy } in findings {
        context.out.line("")?;
        context.out.line(&format!("{}: {statement}", in_words(context.locale, &urgency)))?;
        context.out.line(&format!("  {remedy}"))?;
    }
    Ok(())
}

async fn set_state(context: &Context<'_>, name: &HostName, state: &str) -> Result<()> {
    let id = find(context, name).await?;
    let reply = context.client.post(&format!("/hosts/{id}/state"), &json!({ "state": state })).await?;
    context.print(&reply, |detail: Detail| {
        let words = in_words(context.locale, &detail.state);
        context.out.line(&format!("{}  {}  {words}", detail.name, detail.clinic.name))
    })
}
