//! Renewals: asked for, shown, given up.

use serde::Deserialize;
use serde_json::json;

use super::{Context, certificates, hosts, or_dash, waiting};
use crate::args::{Renew, Renewal};
use crate::error::Result;
use crate::output::{Align, Table};
use crate::words::{in_words, minute};

/// Digits of a SHA-256 that a table shows.
const SHOWN_DIGITS: usize = 16;

#[derive(Deserialize)]
pub(super) struct Detail {
    pub(super) id: String,
    host: Named,
    certificate: String,
    new_certificate: Option<String>,
    reason: Option<String>,
    created_at: String,
    failures: u32,
    pub(super) state: String,
    pub(super) since: String,
    pub(super) why: Option<String>,
    pub(super) retry_at: Option<String>,
    pub(super) over: bool,
    probe: Option<Probe>,
}

#[derive(Deserialize)]
struct Probe {
    target: String,
    accepted: bool,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct Item {
    id: String,
    host: Named,
    clinic_name: String,
    certificate: String,
    certificate_name: Option<String>,
    state: String,
    why: Option<String>,
    updated_at: String,
}

/// Asks for a renewal, and waits for it where that was asked for.
pub(super) async fn renew(context: &Context<'_>, renew: Renew) -> Result<()> {
    let Renew { host, certificate, reason, wait, timeout, interval } = renew;
    let host = hosts::find(context, &host).await?;
    let certificate = certificates::find_on_host(context, host, &certificate).await?;
    let body = json!({ "host": host, "certificate": certificate, "reason": reason });
    let reply = context.client.post("/renewals", &body).await?;
    if wait {
        return waiting::wait(context, reply, timeout, interval).await;
    }
    context.print(&reply, |detail: Detail| {
        context.out.line(&detail.id)?;
        let words = context.word("進み具合は次のコマンドで見られます", "See how it goes with");
        context.out.note(&format!("{words}: inkan renewal show {}", detail.id));
        Ok(())
    })
}

pub(super) async fn run(context: &Context<'_>, command: Renewal) -> Result<()> {
    match command {
        Renewal::List { host, clinic, state, open, limit } => {
            let host = hosts::find_named(context, host.as_ref()).await?;
            let query = vec![
                ("host", host.as_deref()),
                ("clinic", clinic.as_deref()),
                ("state", state.as_deref()),
                ("over", open.then_some("false")),
            ];
            let show = |items: &[Item]| table(context, items);
            context.print_list("/renewals", &query, &limit, show).await
        }
        Renewal::Show { id } => {
            let reply = context.client.get(&format!("/renewals/{id}"), &Vec::new()).await?;
            context.print(&reply, |detail: Detail| print_detail(context, detail))
        }
        Renewal::Abandon { id, why } => {
            let reply = context.client.post(&format!("/renewals/{id}/abandon"), &json!({ "why": why })).await?;
            context.print(&reply, |detail: Detail| print_detail(context, detail))
        }
    }
}

fn table(context: &Context<'_>, items: &[Item]) -> Table {
    let mut table = Table::new([
        (context.word("状態", "STATE"), Align::Left),
        (context.word("証明書", "CERTIFICATE"), Align::Left),
        (context.word("端末", "PC"), Align::Left),
        (context.word("医療機関", "CLINIC"), Align::Left),
        (context.word("更新日時", "CHANGED"), Align::Left),
        ("ID", Align::Left),
        (context.word("理由", "WHY"), Align::Left),
    ]);
    for item in items {
        let digits: String = item.certificate.chars().take(SHOWN_DIGITS).collect();
        table.row([
            in_words(context.locale, &item.state).to_owned(),
            item.certificate_name.clone().unwrap_or(digits),
            item.host.name.clone(),
            item.clinic_name.clone(),
            minute(&item.updated_at),
            item.id.clone(),
            or_dash(item.why.as_deref()),
        ]);
    }
    table
}

/// Prints a renewal, one fact a line.
pub(super) fn print_detail(context: &Context<'_>, detail: Detail) -> Result<()> {
    let Detail {
        id,
        host,
        certificate,
        new_certificate,
        reason,
        created_at,
        failures,
        state,
        since,
        why,
        retry_at,
        over: _,
        probe,
    } = detail;
    let probe = probe.map(|Probe { target, accepted }| {
        let said =
            if accepted { context.word("受け入れた", "accepted") } else { context.word("断った", "refused") };
        format!("{target}  {said}")
    });
    let failures = (failures > 0).then(|| failures.to_string());
    let state = format!("{}  ({})", in_words(context.locale, &state), minute(&since));
    let mut table = Table::facts();
    for (ja, en, value) in [
        ("ID", "ID", Some(id)),
        ("端末", "PC", Some(host.name)),
        ("状態", "State", Some(state)),
        ("理由", "Why", why),
        ("再試行", "To be retried", retry_at.as_deref().map(minute)),
        ("失敗", "Failures", failures),
        ("古い証明書", "Old certificate", Some(certificate)),
        ("新しい証明書", "New certificate", new_certificate),
        ("サイトの答え", "Site", probe),
        ("申込み", "Asked for", Some(minute(&created_at))),
        ("申込みの理由", "Because", reason),
    ] {
        if let Some(value) = value {
            table.row([context.word(ja, en).to_owned(), value]);
        }
    }
    table.print(context.out)
}
