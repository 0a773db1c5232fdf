//! Certificates.

use std::fs;
use std::path::PathBuf;

use inkan_model::HostId;
use serde::Deserialize;

use super::{Context, hosts, or_dash};
use crate::args::Cert;
use crate::error::{Error, Result};
use crate::output::{Align, Table};
use crate::typed::{CertificateName, HostName};
use crate::words::{day, days_left, in_words, minute};

/// Digits of a SHA-256 that a table shows; enough to name the certificate by.
const SHOWN_DIGITS: usize = 16;
/// Certificates of one PC that are looked at.
const MOST_OF_A_HOST: u32 = 5_000;
/// PCs that are shown with one certificate.
const MOST_HOLDERS: u32 = 20;

#[derive(Deserialize)]
pub(super) struct Installation {
    pub(super) certificate: String,
    common_name: String,
    issuer_common_name: String,
    not_after: String,
    days_left: i64,
    key: String,
    host: Named,
    clinic: Named,
    live_renewal: Option<String>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct Shown {
    sha256: String,
    facts: Option<Facts>,
    unreadable: Option<String>,
}

#[derive(Deserialize)]
struct Facts {
    subject: String,
    issuer: String,
    serial: String,
    not_before: String,
    not_after: String,
    key_algorithm: String,
    dns_names: Vec<String>,
}

#[derive(Deserialize)]
struct Holder {
    host: Named,
    clinic_name: String,
    location: Location,
}

#[derive(Deserialize)]
struct Location {
    user: Option<String>,
    path: String,
}

pub(super) async fn run(context: &Context<'_>, command: Cert) -> Result<()> {
    match command {
        Cert::List { expiring, host, clinic, search, limit } => {
            let host = hosts::find_named(context, host.as_ref()).await?;
            let expiring = expiring.map(|days| days.to_string());
            let query = vec![
                ("expiring_within_days", expiring.as_deref()),
                ("host", host.as_deref()),
                ("clinic", clinic.as_deref()),
                ("search", search.as_deref()),
            ];
            let show = |items: &[Installation]| table(context, items);
            context.print_list("/certificates", &query, &limit, show).await
        }
        Cert::Show { certificate, host, der } => show(context, &certificate, host.as_ref(), der).await,
    }
}

/// Installations, one a line.
pub(super) fn table(context: &Context<'_>, items: &[Installation]) -> Table {
    let mut table = Table::new([
        (context.word("残り", "LEFT"), Align::Right),
        (context.word("期限", "EXPIRES"), Align::Left),
        (context.word("証明書", "CERTIFICATE"), Align::Left),
        (context.word("発行者", "ISSUER"), Align::Left),
        (context.word("鍵", "KEY"), Align::Left),
        (context.word("端末", "PC"), Align::Left),
        (context.word("医療機関", "CLINIC"), Align::Left),
        ("SHA-256", Align::Left),
        (context.word("更新", "RENEWAL"), Align::Left),
    ]);
    for item in items {
        let under_way = item.live_renewal.as_ref().map(|_| context.word("進行中", "under way"));
        table.row([
            days_left(context.locale, item.days_left),
            day(&item.not_after),
            item.common_name.clone(),
            item.issuer_common_name.clone(),
            in_words(context.locale, &item.key).to_owned(),
            item.host.name.clone(),
            item.clinic.name.clone(),
            item.certificate.chars().take(SHOWN_DIGITS).collect(),
            or_dash(under_way),
        ]);
    }
    table
}

/// The SHA-256 of the certificate of a PC that begins with these digits.
pub(super) async fn find_on_host(context: &Context<'_>, host: HostId, name: &CertificateName) -> Result<String> {
    let path = format!("/hosts/{host}/certificates");
    let held: Vec<Installation> = context.client.list(&path, &Vec::new(), MOST_OF_A_HOST).await?.items()?;
    let mut found: Vec<_> = held.iter().filter(|item| item.certificate.starts_with(name.digits())).collect();
    found.dedup_by(|one, other| one.certificate == other.certificate);
    match found.as_slice() {
        [one] => Ok(one.certificate.clone()),
        [] => {
            let words = context.word("この端末にその証明書はありません", "this PC has no certificate that begins with");
            Err(Error::NotDone(format!("{words}: {}", name.digits())))
        }
        several => {
            let line = |item: &&Installation| format!("\n  {}  {}", item.certificate, item.common_name);
            let lines: Vec<_> = several.iter().map(line).collect();
            let words =
                context.word("複数の証明書に当てはまります:", "several certificates begin so; give more digits:");
            Err(Error::NotDone(format!("{words}{}", lines.concat())))
        }
    }
}

async fn show(
    context: &Context<'_>,
    name: &CertificateName,
    host: Option<&HostName>,
    der: Option<PathBuf>,
) -> Result<()> {
    let sha256 = match host {
        Some(host) => find_on_host(context, hosts::find(context, host).await?, name).await?,
        None if name.is_whole() => name.digits().to_owned(),
        None => {
            let words = "give all 64 digits of the SHA-256, or --host and the first 8";
            return Err(Error::Usage(words.to_owned()));
        }
    };
    if let Some(file) = der {
        let reply = context.client.get(&format!("/certificates/{sha256}/der"), &Vec::new()).await?;
        fs::write(&file, reply.bytes()).map_err(|cause| Error::local(format!("write {}", file.display()), cause))?;
    }
    let reply = context.client.get(&format!("/certificates/{sha256}"), &Vec::new()).await?;
    if context.json {
        return context.out.raw_line(reply.text()?);
    }
    facts_table(context, reply.read()?).print(context.out)?;
    show_holders(context, &sha256).await
}

fn facts_table(context: &Context<'_>, shown: Shown) -> Table {
    let Shown { sha256, facts, unreadable } = shown;
    let mut table = Table::facts();
    table.row(["SHA-256".to_owned(), sha256]);
    if let Some(why) = unreadable {
        table.row([context.word("読めません", "Unreadable").to_owned(), why]);
    }
    let Some(facts) = facts else { return table };
    let Facts { subject, issuer, serial, not_before, not_after, key_algorithm, dns_names } = facts;
    for (ja, en, value) in [
        ("主体者", "Subject", subject),
        ("発行者", "Issuer", issuer),
        ("シリアル番号", "Serial", serial),
        ("有効期間", "Valid", format!("{} - {}", minute(&not_before), minute(&not_after))),
        ("鍵", "Key", key_algorithm),
        ("DNS 名", "DNS names", dns_names.join(", ")),
    ] {
        if !value.is_empty() {
            table.row([context.word(ja, en).to_owned(), value]);
        }
    }
    table
}

async fn show_holders(context: &Context<'_>, sha256: &str) -> Result<()> {
    let path = format!("/certificates/{sha256}/holders");
    let listing = context.client.list(&path, &Vec::new(), MOST_HOLDERS).await?;
    let holders: Vec<Holder> = listing.items()?;
    if holders.is_empty() {
        return Ok(());
    }
    let mut table = Table::new([
        (context.word("端末", "PC"), Align::Left),
        (context.word("医療機関", "CLINIC"), Align::Left),
        (context.word("場所", "WHERE"), Align::Left),
    ]);
    for Holder { host, clinic_name, location } in holders {
        let Location { user, path } = location;
        let place = user.map_or_else(|| path.clone(), |user| format!("{path} ({user})"));
        table.row([host.name, clinic_name, place]);
    }
    context.out.line("")?;
    table.print(context.out)?;
    if listing.more {
        context.out.note(context.word("ほかの端末にもあります。", "More PCs hold it."));
    }
    Ok(())
}
