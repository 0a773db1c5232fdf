//! Join tokens.

use serde::Deserialize;
use serde_json::json;

use super::Context;
use crate::args::Token;
use crate::error::{Error, Result};
use crate::output::{Align, Table};
use crate::words::{in_words, minute};

#[derive(Deserialize)]
struct Item {
    id: String,
    clinic: ClinicRef,
    expires_at: String,
    uses: u32,
    used_by: Vec<String>,
    approve: bool,
    state: String,
}

#[derive(Deserialize)]
struct ClinicRef {
    name: String,
}

#[derive(Deserialize)]
struct Created {
    #[serde(flatten)]
    item: Item,
    token: Option<String>,
}

pub(super) async fn run(context: &Context<'_>, command: Token) -> Result<()> {
    match command {
        Token::Create { clinic, uses, hours, approve } => {
            let lifetime_minutes = u64::from(hours) * 60;
            let body = json!({
                "clinic_code": clinic, "uses": uses, "lifetime_minutes": lifetime_minutes, "approve": approve,
            });
            create(context, &body).await
        }
        Token::List { limit } => {
            let show = |items: &[Item]| table(context, items);
            context.print_list("/join-tokens", &Vec::new(), &limit, show).await
        }
        Token::Revoke { id } => {
            context.client.delete(&format!("/join-tokens/{id}")).await?;
            context.out.note(context.word("取り消しました。", "Withdrawn."));
            Ok(())
        }
    }
}

/// Prints the secret alone to standard output, and all about it beside.
async fn create(context: &Context<'_>, body: &serde_json::Value) -> Result<()> {
    let reply = context.client.post("/join-tokens", body).await?;
    context.print(&reply, |Created { item, token }| {
        let token = token.ok_or_else(|| {
            let words = "the answer was lost, and the token with it: withdraw it and make another";
            Error::NotDone(format!("{words} ({})", item.id))
        })?;
        let (clinic, uses, until) = (&item.clinic.name, item.uses, minute(&item.expires_at));
        context.out.line(&token)?;
        context.out.note(&match context.locale {
            inkan_model::locale::Locale::Ja => {
                format!("{clinic} の端末 {uses} 台まで、{until} まで使えます。二度と表示されません。")
            }
            inkan_model::locale::Locale::En => {
                let pcs = if uses == 1 { "PC" } else { "PCs" };
                format!("For {uses} {pcs} of {clinic}, until {until}. It will not be shown again.")
            }
        });
        Ok(())
    })
}

fn table(context: &Context<'_>, items: &[Item]) -> Table {
    let mut table = Table::new([
        (context.word("状態", "STATE"), Align::Left),
        (context.word("医療機関", "CLINIC"), Align::Left),
        (context.word("使用", "USED"), Align::Right),
        (context.word("期限", "UNTIL"), Align::Left),
        (context.word("承認", "APPROVAL"), Align::Left),
        ("ID", Align::Left),
    ]);
    for item in items {
        let approval =
            if item.approve { context.word("不要", "at once") } else { context.word("要る", "by a person") };
        table.row([
            in_words(context.locale, &item.state).to_owned(),
            item.clinic.name.clone(),
            format!("{}/{}", item.used_by.len(), item.uses),
            minute(&item.expires_at),
            approval.to_owned(),
            item.id.clone(),
        ]);
    }
    table
}
