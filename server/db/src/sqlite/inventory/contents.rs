//! Certificates and sets: stored once for the whole fleet, whoever brought them first.

use std::collections::{BTreeMap, BTreeSet};

use inkan_core::search::fold;
use inkan_model::store::{SetEntry, StoreSet};
use inkan_model::sync::Lacks;
use inkan_model::{Certificate, Fingerprint, SetDigest};
use sqlx::SqliteConnection;

use crate::sqlite::fault::Fault;
use crate::sqlite::rollups;
use crate::sqlite::rows::{Origin, json, key_code};
use crate::sqlite::statement::{CHUNK, Statement};
use crate::sqlite::writer::WriteConnection;

pub(super) async fn find_lacking(
    db: &mut SqliteConnection,
    sets: &[SetDigest],
    certificates: &[Fingerprint],
) -> Result<Lacks, Fault> {
    let set_bytes: Vec<_> = sets.iter().map(|digest| *digest.as_bytes()).collect();
    let certificate_bytes: Vec<_> = certificates.iter().map(|fingerprint| *fingerprint.as_bytes()).collect();
    let have_sets = find_known(db, "SELECT digest, id FROM cert_set WHERE digest IN ", &set_bytes).await?;
    let have_certificates = find_certificates(db, &certificate_bytes).await?;
    Ok(Lacks {
        report: false,
        sets: missing(&set_bytes, &have_sets).into_iter().map(SetDigest::from_bytes).collect(),
        certificates: missing(&certificate_bytes, &have_certificates)
            .into_iter()
            .map(Fingerprint::from_bytes)
            .collect(),
    })
}

type Known = BTreeMap<Vec<u8>, i64>;

async fn find_certificates(db: &mut SqliteConnection, wanted: &[[u8; 32]]) -> Result<Known, Fault> {
    find_known(db, "SELECT sha256, id FROM certificate WHERE sha256 IN ", wanted).await
}

async fn find_known(db: &mut SqliteConnection, sql: &'static str, wanted: &[[u8; 32]]) -> Result<Known, Fault> {
    let mut known = BTreeMap::new();
    for some in wanted.chunks(CHUNK) {
        let mut statement = Statement::new(sql);
        statement.bind_list(some.iter().map(<[u8; 32]>::as_slice));
        known.extend(statement.fetch_once::<(Vec<u8>, i64)>(db).await?);
    }
    Ok(known)
}

/// Those of `wanted` that are not known, each once, in their order.
fn missing(wanted: &[[u8; 32]], known: &Known) -> Vec<[u8; 32]> {
    let mut named = BTreeSet::new();
    wanted.iter().filter(|digest| !known.contains_key(digest.as_slice()) && named.insert(**digest)).copied().collect()
}

#[derive(sqlx::FromRow)]
struct EntryRow {
    place: i64,
    key_presence: i64,
    name: Option<String>,
    properties: Option<String>,
    sha256: Option<Vec<u8>>,
    why: Option<String>,
    certificate: Option<Vec<u8>>,
}

pub(super) async fn find_set(db: &mut SqliteConnection, digest: SetDigest) -> Result<Option<StoreSet>, Fault> {
    let found: Option<i64> = sqlx::query_scalar("SELECT id FROM cert_set WHERE digest = $1")
        .bind(digest.as_bytes().as_slice())
        .fetch_optional(&mut *db)
        .await?;
    let Some(set) = found else { return Ok(None) };
    let sql = "SELECT e.place, e.key_presence, e.name, e.properties, e.sha256, e.why, c.sha256 AS certificate
               FROM set_entry e LEFT JOIN certificate c ON c.id = e.certificate
               WHERE e.set_id = $1 ORDER BY e.place";
    let rows: Vec<EntryRow> = sqlx::query_as(sql).bind(set).fetch_all(db).await?;
    let mut entries = Vec::with_capacity(rows.len());
    for row in rows {
        let origin = Origin::new("set_entry", set);
        entries.push(match (row.certificate, row.why) {
            (Some(certificate), None) => SetEntry::Certificate {
                certificate: origin.fingerprint("certificate", &certificate)?,
                key: origin.key(row.key_presence)?,
                name: row.name,
                properties: row
                    .properties
                    .map(|text| origin.json("properties", &text))
                    .transpose()?
                    .unwrap_or_default(),
            },
            (None, Some(why)) => {
                let sha256 = row.sha256.map(|sha256| origin.fingerprint("sha256", &sha256)).transpose()?;
                SetEntry::Unreadable { sha256, name: row.name, why }
            }
            _ => return Err(Origin::new("set_entry", row.place).inconsistent("certificate").into()),
        });
    }
    Ok(Some(StoreSet::new(entries)))
}

pub(super) async fn record(
    db: &mut WriteConnection,
    certificates: &[Certificate],
    sets: &[(SetDigest, StoreSet)],
) -> Result<Vec<Fingerprint>, Fault> {
    let mut came = 0;
    for certificate in certificates {
        came += insert_certificate(db, certificate).await?;
    }
    rollups::count_total(db, "certificate", came).await?;
    let mut lacking = BTreeSet::new();
    for (digest, set) in sets {
        lacking.extend(record_set(db, *digest, set).await?);
    }
    Ok(lacking.into_iter().collect())
}

async fn insert_certificate(db: &mut WriteConnection, certificate: &Certificate) -> Result<i64, Fault> {
    let facts = certificate.facts.as_ref().ok();
    let done = sqlx::query(
        "INSERT INTO certificate (sha256, subject_digest, issuer_digest, not_after, common_name, is_end_entity,
                                  search_text, der)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (sha256) DO NOTHING",
    )
    .bind(certificate.fingerprint.as_bytes().as_slice())
    .bind(facts.map(|facts| facts.subject_digest.0.to_vec()))
    .bind(facts.map(|facts| facts.issuer_digest.0.to_vec()))
    .bind(facts.map(|facts| facts.not_after.as_unix_millis()))
    .bind(facts.map(|facts| facts.common_name.as_str()))
    .bind(i64::from(facts.is_some_and(inkan_model::CertificateFacts::is_end_entity)))
    .bind(facts.map(|facts| fold(&facts.subject)).unwrap_or_default())
    .bind(certificate.der.as_slice())
    .execute(&mut **db)
    .await?;
    Ok(i64::from(done.rows_affected() > 0))
}

/// Stores a set unless it is there already, or members are lacking: then says which.
async fn record_set(db: &mut WriteConnection, digest: SetDigest, set: &StoreSet) -> Result<Vec<Fingerprint>, Fault> {
    let members: Vec<_> = set.certificates().iter().map(|fingerprint| *fingerprint.as_bytes()).collect();
    let known = find_certificates(db, &members).await?;
    let lacking = missing(&members, &known);
    if !lacking.is_empty() {
        return Ok(lacking.into_iter().map(Fingerprint::from_bytes).collect());
    }
    let unreadable = set.entries().iter().filter(|entry| matches!(entry, SetEntry::Unreadable { .. })).count();
    let sql = "INSERT INTO cert_set (digest, certificates, unreadable) VALUES ($1, $2, $3)
               ON CONFLICT (digest) DO NOTHING RETURNING id";
    let inserted: Option<i64> = sqlx::query_scalar(sql)
        .bind(digest.as_bytes().as_slice())
        .bind(count(members.len()))
        .bind(count(unreadable))
        .fetch_optional(&mut **db)
        .await?;
    if let Some(id) = inserted {
        insert_entries(db, id, set, &known).await?;
        rollups::count_total(db, "cert_set", 1).await?;
    }
    Ok(Vec::new())
}

async fn insert_entries(db: &mut WriteConnection, set: i64, content: &StoreSet, known: &Known) -> Result<(), Fault> {
    for (chunk, some) in content.entries().chunks(CHUNK).enumerate() {
        let mut statement = Statement::new(
            "INSERT INTO set_entry (set_id, place, certificate, key_presence, name, properties, sha256, why) VALUES ",
        );
        for (index, entry) in some.iter().enumerate() {
            statement.push(if index > 0 { ", (" } else { "(" });
            statement.bind(set).push(", ").bind(count(chunk * CHUNK + index)).push(", ");
            match entry {
                SetEntry::Certificate { certificate, key, name, properties } => {
                    statement.bind(known.get(certificate.as_bytes().as_slice()).copied()).push(", ");
                    statement.bind(key_code(*key)).push(", ").bind(name.as_deref()).push(", ");
                    let properties = (!properties.is_empty()).then(|| json(properties)).transpose()?;
                    statement.bind(properties).push(", NULL, NULL)");
                }
                SetEntry::Unreadable { sha256, name, why } => {
                    statement.push("NULL, 0, ").bind(name.as_deref()).push(", NULL, ");
                    statement.bind(sha256.map(|sha256| sha256.as_bytes().to_vec())).push(", ");
                    statement.bind(why.as_str()).push(")");
                }
            }
        }
        statement.execute_once(db).await?;
    }
    Ok(())
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
