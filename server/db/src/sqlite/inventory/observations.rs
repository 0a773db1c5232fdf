//! Everything that the rules look at for one host, in one snapshot.

use std::collections::BTreeSet;

use inkan_core::ports::{Observation, ObservedInstallation};
use inkan_model::limits;
use inkan_model::{CertificateFacts, HostId};
use sqlx::SqliteConnection;

use crate::sqlite::fault::Fault;
use crate::sqlite::rows::{Origin, moment};

pub(in crate::sqlite) const FIND_INSTALLATIONS: &str = "SELECT i.key_presence, l.location, c.sha256, c.der
     FROM installation i LEFT JOIN host_location l ON l.id = i.location
                         LEFT JOIN certificate c ON c.id = i.certificate
     WHERE i.vendor = $1 AND i.host = $2
     ORDER BY i.not_after, i.id";

/// Certificates with this subject that stand anywhere on the host. Few certificates share a subject, so they come
/// first.
pub(in crate::sqlite) const FIND_ISSUERS: &str = "SELECT c.id, c.der FROM certificate c
     WHERE c.subject_digest = $2
       AND EXISTS (SELECT 1 FROM host_location l, set_entry e
                   WHERE l.host = $1 AND e.certificate = c.id AND e.set_id = l.set_id)
     ORDER BY c.id LIMIT 64";

#[derive(sqlx::FromRow)]
struct HostRow {
    vendor: Vec<u8>,
    state: String,
    enrolled_at: i64,
    last_seen: Option<i64>,
    clock_offset_ms: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct InstallationRow {
    key_presence: i64,
    location: String,
    sha256: Vec<u8>,
    der: Vec<u8>,
}

pub(super) async fn find(db: &mut SqliteConnection, host: HostId) -> Result<Option<Observation>, Fault> {
    let sql = "SELECT h.vendor, h.state, h.enrolled_at, p.last_seen, p.clock_offset_ms
               FROM host h LEFT JOIN presence p ON p.host = h.id WHERE h.id = $1";
    let row: Option<HostRow> = sqlx::query_as(sql).bind(host.as_bytes().as_slice()).fetch_optional(&mut *db).await?;
    let Some(row) = row else { return Ok(None) };
    let rows: Vec<InstallationRow> = sqlx::query_as(FIND_INSTALLATIONS)
        .bind(row.vendor.as_slice())
        .bind(host.as_bytes().as_slice())
        .fetch_all(&mut *db)
        .await?;
    let mut installations = Vec::with_capacity(rows.len());
    for row in rows {
        let origin = Origin::new("certificate", &row.sha256);
        installations.push(ObservedInstallation {
            location: origin.json("location", &row.location)?,
            certificate: origin.fingerprint("sha256", &row.sha256)?,
            facts: origin.facts(&row.der)?,
            key: origin.key(row.key_presence)?,
        });
    }
    let issuers = find_issuers(db, host, &installations).await?;
    let (origin, presence) = (Origin::new("host", &host), Origin::new("presence", &host));
    Ok(Some(Observation {
        vendor: origin.id("vendor", &row.vendor)?,
        state: origin.code("state", &row.state)?,
        enrolled_at: moment(row.enrolled_at),
        last_seen: row.last_seen.map(moment).ok_or_else(|| presence.inconsistent("last_seen"))?,
        clock_offset_ms: row.clock_offset_ms.ok_or_else(|| presence.inconsistent("clock_offset_ms"))?,
        installations,
        issuers,
    }))
}

/// Follows issuers' names upwards, level by level, as far as a chain may be long.
async fn find_issuers(
    db: &mut SqliteConnection,
    host: HostId,
    installations: &[ObservedInstallation],
) -> Result<Vec<CertificateFacts>, Fault> {
    let mut issuers = Vec::new();
    let (mut asked, mut taken) = (BTreeSet::new(), BTreeSet::new());
    let mut level: BTreeSet<_> = installations.iter().filter_map(|one| wanted_issuer(&one.facts)).collect();
    for _ in 0..limits::CHAIN_CERTIFICATES {
        let mut above = BTreeSet::new();
        for name in level {
            if !asked.insert(name) {
                continue;
            }
            let found: Vec<(i64, Vec<u8>)> = sqlx::query_as(FIND_ISSUERS)
                .bind(host.as_bytes().as_slice())
                .bind(name.as_slice())
                .fetch_all(&mut *db)
                .await?;
            for (id, der) in found {
                if taken.insert(id) {
                    let facts = Origin::new("certificate", id).facts(&der)?;
                    above.extend(wanted_issuer(&facts));
                    issuers.push(facts);
                }
            }
        }
        if above.is_empty() {
            break;
        }
        level = above;
    }
    Ok(issuers)
}

fn wanted_issuer(facts: &CertificateFacts) -> Option<[u8; 32]> {
    (!facts.is_self_issued()).then_some(facts.issuer_digest.0)
}
