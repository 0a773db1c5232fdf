//! Waiting for a renewal: each state that it reaches is told once, beside the result.

use std::time::Duration;

use tokio::time::Instant;

use super::Context;
use super::renewals::{Detail, print_detail};
use crate::client::Reply;
use crate::error::{Error, Result};
use crate::words::{in_words, time_of_day};

/// Asks again and again until the renewal is done, a person has to act, or the time is over.
pub(super) async fn wait(context: &Context<'_>, first: Reply, timeout: Duration, interval: Duration) -> Result<()> {
    let deadline = Instant::now() + timeout;
    let mut reply = first;
    let mut told = None;
    loop {
        let detail: Detail = reply.read()?;
        let reached = (detail.state.clone(), detail.since.clone());
        if told.as_ref() != Some(&reached) {
            context.out.note(&progress_line(context, &detail));
            told = Some(reached);
        }
        if detail.over || detail.state == "needs_person" {
            return finish(context, &reply, detail);
        }
        if Instant::now() + interval > deadline {
            let words = context.word("時間内に終わりませんでした", "it is still under way");
            return Err(Error::NotDone(format!("{words}: inkan renewal show {}", detail.id)));
        }
        tokio::time::sleep(interval).await;
        reply = ask_again(context, &detail.id, deadline, interval).await?;
    }
}

/// A server that restarts meanwhile is waited for.
async fn ask_again(context: &Context<'_>, id: &str, deadline: Instant, interval: Duration) -> Result<Reply> {
    loop {
        match context.client.get(&format!("/renewals/{id}"), &Vec::new()).await {
            Err(Error::Unreachable { .. }) if Instant::now() + interval < deadline => {
                tokio::time::sleep(interval).await;
            }
            answered => return answered,
        }
    }
}

fn progress_line(context: &Context<'_>, detail: &Detail) -> String {
    let mut line = format!("{}  {}", time_of_day(&detail.since), in_words(context.locale, &detail.state));
    if let Some(why) = &detail.why {
        line = format!("{line}: {why}");
    }
    if let Some(retry_at) = &detail.retry_at {
        line = format!("{line} ({} {})", context.word("再試行", "again at"), time_of_day(retry_at));
    }
    line
}

fn finish(context: &Context<'_>, reply: &Reply, detail: Detail) -> Result<()> {
    let closed = detail.state == "closed";
    if context.json {
        context.out.raw_line(reply.text()?)?;
    } else {
        print_detail(context, detail)?;
    }
    if closed {
        return Ok(());
    }
    let words = context.word("更新は完了していません", "the certificate was not renewed");
    Err(Error::NotDone(words.to_owned()))
}
