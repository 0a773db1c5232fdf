//! Findings: what is wrong, and what to do.

use serde::Deserialize;

use super::{Context, hosts, or_dash};
use crate::args::Finding;
use crate::error::Result;
use crate::output::{Align, Table};
use crate::words::{day, in_words};

#[derive(Deserialize)]
struct Item {
    urgency: String,
    statement: String,
    opened_at: String,
    host: Named,
    clinic: Clinic,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct Clinic {
    name: String,
    phone: Option<String>,
}

pub(super) async fn run(context: &Context<'_>, command: Finding) -> Result<()> {
    let Finding::List { rule, urgency, clinic, host, limit } = command;
    let host = hosts::find_named(context, host.as_ref()).await?;
    let query = vec![
        ("rule", rule.as_deref()),
        ("urgency", urgency.as_deref()),
        ("clinic", clinic.as_deref()),
        ("host", host.as_deref()),
        ("lang", Some(context.locale.tag())),
    ];
    let show = |items: &[Item]| {
        let mut table = Table::new([
            (context.word("緊急度", "URGENCY"), Align::Left),
            (context.word("医療機関", "CLINIC"), Align::Left),
            (context.word("電話", "PHONE"), Align::Left),
            (context.word("端末", "PC"), Align::Left),
            (context.word("いつから", "SINCE"), Align::Left),
            (context.word("内容", "WHAT"), Align::Left),
        ]);
        for item in items {
            table.row([
                in_words(context.locale, &item.urgency).to_owned(),
                item.clinic.name.clone(),
                or_dash(item.clinic.phone.as_deref()),
                item.host.name.clone(),
                day(&item.opened_at),
                item.statement.clone(),
            ]);
        }
        table
    };
    context.print_list("/findings", &query, &limit, show).await
}
