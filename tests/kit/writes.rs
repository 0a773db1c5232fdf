//! Which tables a server writes to: counted by triggers in its own database, so that "writes nothing" is observed and not
//! inferred.

use anyhow::{Context as _, Result};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, Row as _};

use crate::deployment::TestDeployment;

/// Signs of life are written for many PCs at once, and belong to no inventory.
const NOT_INVENTORY: &[&str] = &["presence", "test_writes"];

/// Counts what is written to a deployment's database, from when it was made on.
#[derive(Debug)]
pub struct Writes {
    db: SqlitePool,
}

impl Writes {
    /// Begins to count.
    ///
    /// # Errors
    /// When the database cannot be opened or changed.
    pub async fn watch(deployment: &TestDeployment) -> Result<Self> {
        let file = deployment.data_dir().join("inkan.sqlite");
        let options = SqliteConnectOptions::new().filename(file).busy_timeout(std::time::Duration::from_secs(30));
        let db = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.context("no database")?;
        let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' \
                      AND name NOT LIKE '\\_%' ESCAPE '\\'";
        let tables = sqlx::query(tables).fetch_all(&db).await.context("could not list the tables")?;
        sqlx::query("CREATE TABLE test_writes (name TEXT NOT NULL)").execute(&db).await.context("no table")?;
        for row in tables {
            let table: String = row.try_get(0).context("a table without a name")?;
            if NOT_INVENTORY.contains(&table.as_str()) {
                continue;
            }
            for change in ["INSERT", "UPDATE", "DELETE"] {
                let trigger = format!(
                    "CREATE TRIGGER test_{table}_{change} AFTER {change} ON \"{table}\" \
                     BEGIN INSERT INTO test_writes VALUES ('{table}'); END"
                );
                sqlx::query(AssertSqlSafe(trigger)).execute(&db).await.with_context(|| table.clone())?;
            }
        }
        Ok(Self { db })
    }

    /// The tables that were written to, each with how often.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn tables(&self) -> Result<Vec<(String, i64)>> {
        let counted = "SELECT name, count(*) FROM test_writes GROUP BY name ORDER BY name";
        sqlx::query_as(counted).fetch_all(&self.db).await.context("could not count")
    }
}
