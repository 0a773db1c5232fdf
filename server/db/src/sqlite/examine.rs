//! Looking at a file without changing it: for a diagnosis, which must not migrate what it looks at.

use std::path::Path;

use sqlx::{Connection as _, SqliteConnection};

use super::{OpenError, migrate, reading_options};

/// What a database's file is like.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Examination {
    /// The version of its schema; 0 when it has none.
    pub schema: i64,
    /// What SQLite's integrity check found wrong; empty when all is well.
    pub damage: Vec<String>,
}

/// Reads the schema's version and checks every page and index of the file. That takes time on a large one.
///
/// # Errors
/// When the file cannot be opened or is not a database.
pub async fn examine(path: &Path) -> Result<Examination, OpenError> {
    let mut db = SqliteConnection::connect_with(&reading_options(path)).await.map_err(OpenError::Connect)?;
    let found = look(&mut db).await.map_err(OpenError::Connect);
    db.close().await.map_err(OpenError::Connect)?;
    found
}

async fn look(db: &mut SqliteConnection) -> Result<Examination, sqlx::Error> {
    let has_schema: bool = sqlx::query_scalar("SELECT count(*) > 0 FROM sqlite_schema WHERE name = '_sqlx_migrations'")
        .fetch_one(&mut *db)
        .await?;
    let schema = if has_schema { migrate::applied_version(db).await? } else { 0 };
    let said: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(10)").fetch_all(db).await?;
    Ok(Examination { schema, damage: if said == ["ok"] { Vec::new() } else { said } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_fresh_file_is_in_order_and_a_damaged_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.db");
        migrate::migrate(&path).await.unwrap();
        let found = examine(&path).await.unwrap();
        assert_eq!(found, Examination { schema: migrate::newest_schema_version(), damage: Vec::new() });

        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle..middle + 8_192].fill(0xff);
        std::fs::write(&path, bytes).unwrap();
        let found = examine(&path).await;
        assert!(found.as_ref().map_or(true, |found| !found.damage.is_empty()), "{found:?}");
    }
}
