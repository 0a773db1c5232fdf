//! Statements that are put together at run time: a list with filters, an `IN` with many values.
//!
//! This is the only file that vouches for built SQL. It can, because a piece of text must be `'static`: what came from
//! outside can only be bound.

use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments as _, AssertSqlSafe, Encode, FromRow, Sqlite, SqliteConnection, Type};

use super::fault::Fault;

/// Values of one `IN (…)` or rows of one `VALUES` at most.
pub(crate) const CHUNK: usize = 200;

/// A statement in the making: fixed texts and numbered placeholders.
#[derive(Default)]
pub(crate) struct Statement {
    sql: String,
    arguments: SqliteArguments,
    refused: Option<sqlx::error::BoxDynError>,
}

impl Statement {
    /// Begins with a text.
    pub(crate) fn new(sql: &'static str) -> Self {
        Self { sql: sql.to_owned(), ..Self::default() }
    }

    /// Goes on with a text.
    pub(crate) fn push(&mut self, sql: &'static str) -> &mut Self {
        self.sql.push_str(sql);
        self
    }

    /// Goes on with a placeholder for a value.
    pub(crate) fn bind<'v, T: Encode<'v, Sqlite> + Type<Sqlite>>(&mut self, value: T) -> &mut Self {
        if let Err(cause) = self.arguments.add(value) {
            self.refused = Some(cause);
        }
        self.sql.push('$');
        self.sql.push_str(&self.arguments.len().to_string());
        self
    }

    /// Goes on with `($1, $2, …)`.
    pub(crate) fn bind_list<'v, T: Encode<'v, Sqlite> + Type<Sqlite>>(
        &mut self,
        values: impl IntoIterator<Item = T>,
    ) -> &mut Self {
        self.push("(");
        for (index, value) in values.into_iter().enumerate() {
            if index > 0 {
                self.push(", ");
            }
            self.bind(value);
        }
        self.push(")")
    }

    /// Reads rows.
    pub(crate) async fn fetch<R>(self, db: &mut SqliteConnection) -> Result<Vec<R>, Fault>
    where
        R: for<'r> FromRow<'r, SqliteRow> + Send + Unpin,
    {
        let (sql, arguments) = self.finish()?;
        Ok(sqlx::query_as_with(AssertSqlSafe(sql), arguments).fetch_all(db).await?)
    }

    /// Reads rows by a statement of which there are too many variants to keep it prepared.
    pub(crate) async fn fetch_once<R>(self, db: &mut SqliteConnection) -> Result<Vec<R>, Fault>
    where
        R: for<'r> FromRow<'r, SqliteRow> + Send + Unpin,
    {
        let (sql, arguments) = self.finish()?;
        Ok(sqlx::query_as_with(AssertSqlSafe(sql), arguments).persistent(false).fetch_all(db).await?)
    }

    /// Writes by a statement of which there are too many variants to keep it prepared.
    pub(crate) async fn execute_once(self, db: &mut SqliteConnection) -> Result<u64, Fault> {
        let (sql, arguments) = self.finish()?;
        let done = sqlx::query_with(AssertSqlSafe(sql), arguments).persistent(false).execute(db).await?;
        Ok(done.rows_affected())
    }

    fn finish(self) -> Result<(String, SqliteArguments), Fault> {
        match self.refused {
            None => Ok((self.sql, self.arguments)),
            Some(cause) => Err(Fault::Other(cause)),
        }
    }

    /// The text of the plan that SQLite has for this statement, a line for each step.
    #[cfg(test)]
    pub(crate) async fn explain(self, db: &mut SqliteConnection) -> Vec<String> {
        let (sql, arguments) = self.finish().unwrap();
        let sql = format!("EXPLAIN QUERY PLAN {sql}");
        let lines: Vec<(i64, i64, i64, String)> =
            sqlx::query_as_with(AssertSqlSafe(sql), arguments).fetch_all(db).await.unwrap();
        lines.into_iter().map(|(_, _, _, line)| line).collect()
    }
}

/// A pattern for `LIKE … ESCAPE '\'` that finds a word anywhere. Nothing that is stored is longer than the cut.
pub(crate) fn like_pattern(word: &str) -> String {
    let mut pattern = String::from("%");
    for c in word.chars().take(255) {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_with_wildcards_finds_only_itself() {
        assert_eq!(like_pattern(r"50%_\"), r"%50\%\_\\%");
    }

    #[test]
    fn values_become_numbered_placeholders() {
        let mut statement = Statement::new("SELECT 1 WHERE 1 = ");
        statement.bind(1_i64).push(" AND 2 IN ").bind_list([2_i64, 3]);
        assert_eq!(statement.sql, "SELECT 1 WHERE 1 = $1 AND 2 IN ($2, $3)");
    }
}
