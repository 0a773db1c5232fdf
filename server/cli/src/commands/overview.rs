//! The fleet in figures.

use serde::Deserialize;

use super::Context;
use crate::error::Result;
use crate::output::{Align, Table};

#[derive(Deserialize)]
struct Overview {
    clinics: u64,
    hosts: u64,
    report_only: u64,
    expired: u64,
    within_7: u64,
    within_30: u64,
    renewals_stuck: u64,
    renewals_live: u64,
    silent: u64,
    hosts_now: u64,
    hosts_well: u64,
}

pub(super) async fn show(context: &Context<'_>) -> Result<()> {
    let reply = context.client.get("/overview", &Vec::new()).await?;
    context.print(&reply, |overview: Overview| {
        let mut table = Table::new([("", Align::Left), ("", Align::Right)]);
        for (ja, en, figure) in [
            ("医療機関", "Clinics", overview.clinics),
            ("端末", "PCs", overview.hosts),
            ("  今すぐ対応が要る端末", "  to be dealt with now", overview.hosts_now),
            ("  問題のない端末", "  without any finding", overview.hosts_well),
            ("  承認待ちの端末", "  to be approved", overview.report_only),
            ("  7日以上つながらない端末", "  not heard of for 7 days", overview.silent),
            ("期限の切れた証明書", "Certificates expired", overview.expired),
            ("  7日以内に切れる", "  ending within 7 days", overview.within_7),
            ("  30日以内に切れる", "  ending within 30 days", overview.within_30),
            ("進行中の更新", "Renewals under way", overview.renewals_live),
            ("  止まっている更新", "  stuck", overview.renewals_stuck),
        ] {
            table.row([context.word(ja, en).to_owned(), figure.to_string()]);
        }
        table.lines().iter().skip(1).try_for_each(|line| context.out.line(line))
    })
}
