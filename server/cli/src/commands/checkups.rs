//! Checkups: a PC's doctor asked, and what it found.

use std::time::Duration;

use inkan_model::HostId;
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use super::{Context, hosts};
use crate::args::Checkup;
use crate::client::Reply;
use crate::error::{Error, Result};
use crate::words::{in_words, minute};

#[derive(Deserialize)]
struct Asked {
    id: String,
}

#[derive(Deserialize)]
struct Found {
    waiting: Vec<Answer>,
    last: Option<Answer>,
}

#[derive(Deserialize)]
struct Answer {
    id: String,
    programme: Option<String>,
    requested_at: String,
    received_at: Option<String>,
    results: Vec<Checked>,
}

#[derive(Deserialize)]
struct Checked {
    title: String,
    status: String,
    statement: String,
    remedy: Option<String>,
}

/// Asks a PC's doctor, and waits for the answer where that was asked for; or shows the last one.
pub(super) async fn run(context: &Context<'_>, checkup: Checkup) -> Result<()> {
    let Checkup { host, programme, last, wait, timeout, interval } = checkup;
    let host = hosts::find(context, &host).await?;
    if last {
        return show(context, &find(context, host).await?);
    }
    let body = match &programme {
        Some(programme) => json!({ "programme": programme }),
        None => json!({}),
    };
    let reply = context.client.post(&format!("/hosts/{host}/checkup"), &body).await?;
    if wait {
        let asked: Asked = reply.read()?;
        return wait_for(context, host, &asked.id, timeout, interval).await;
    }
    context.print(&reply, |asked: Asked| {
        context.out.line(&asked.id)?;
        let words = context.word("結果は次のコマンドで見られます", "See what it found with");
        context.out.note(&format!("{words}: inkan checkup {host} --last"));
        Ok(())
    })
}

async fn find(context: &Context<'_>, host: HostId) -> Result<Reply> {
    context.client.get(&format!("/hosts/{host}/checkup"), &Vec::new()).await
}

/// Asks again and again until the PC has answered or the time is over. A server that restarts meanwhile is waited for.
async fn wait_for(
    context: &Context<'_>,
    host: HostId,
    asked: &str,
    timeout: Duration,
    interval: Duration,
) -> Result<()> {
    let deadline = Instant::now() + timeout;
    loop {
        let in_time = Instant::now() + interval < deadline;
        match find(context, host).await {
            Ok(reply) => {
                let found: Found = reply.read()?;
                if found.waiting.iter().all(|waiting| waiting.id != asked) {
                    return show(context, &reply);
                }
            }
            Err(Error::Unreachable { .. }) if in_time => {}
            Err(error) => return Err(error),
        }
        if !in_time {
            let words = context.word("端末からの返事を待っています", "the PC has not answered yet");
            return Err(Error::NotDone(format!("{words}: inkan checkup {host} --last")));
        }
        tokio::time::sleep(interval).await;
    }
}

fn show(context: &Context<'_>, reply: &Reply) -> Result<()> {
    if context.json {
        return context.out.raw_line(reply.text()?);
    }
    let Found { waiting, last } = reply.read()?;
    for waiting in &waiting {
        let words = context.word("端末からの返事を待っています", "waits for the PC");
        context.out.note(&format!("{}{words} ({})", named(waiting), minute(&waiting.requested_at)));
    }
    let Some(last) = last else {
        context.out.note(context.word("まだ診断していません。", "It was not examined yet."));
        return Ok(());
    };
    let received = last.received_at.as_deref().map(minute).unwrap_or_default();
    context.out.line(&format!("{}{received}", named(&last)))?;
    if last.results.is_empty() {
        context.out.line(context.word("この端末は診断できませんでした。", "This PC could not be examined."))?;
    }
    for Checked { title, status, statement, remedy } in &last.results {
        let status = in_words(context.locale, status);
        context.out.line(&format!("{status}  {title}: {statement}"))?;
        if let Some(remedy) = remedy {
            context.out.line(&format!("    → {remedy}"))?;
        }
    }
    Ok(())
}

fn named(answer: &Answer) -> String {
    answer.programme.as_ref().map(|programme| format!("{programme}  ")).unwrap_or_default()
}
