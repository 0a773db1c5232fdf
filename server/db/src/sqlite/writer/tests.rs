use futures::future::join_all;
use inkan_model::id::Event;
use sqlx::sqlite::SqliteConnectOptions;

use super::*;

struct Zero;

impl Entropy for Zero {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

struct Stage {
    writer: Arc<Writer>,
    reader: SqliteConnection,
    _folder: tempfile::TempDir,
}

impl Stage {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("writer.db");
        let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
        let options = options.journal_mode(sqlx::sqlite::SqliteJournalMode::Wal);
        let mut db = SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::query("CREATE TABLE parent (n INTEGER PRIMARY KEY)").execute(&mut db).await.unwrap();
        let child = "CREATE TABLE child (n INTEGER REFERENCES parent (n) DEFERRABLE INITIALLY DEFERRED)";
        sqlx::query(child).execute(&mut db).await.unwrap();
        let reader = SqliteConnection::connect_with(&options).await.unwrap();
        let writer = Arc::new(Writer::start(WriteConnection::new(db, Arc::new(Zero))));
        Self { writer, reader, _folder: folder }
    }

    async fn stored(&mut self) -> Vec<i64> {
        sqlx::query_scalar("SELECT n FROM parent ORDER BY n").fetch_all(&mut self.reader).await.unwrap()
    }

    /// Keeps the writer busy until told to go on, so that what is handed in meanwhile shares one batch with it.
    fn hold(&self) -> (oneshot::Sender<()>, JoinHandle<DbResult<()>>) {
        let (go_on, wait) = oneshot::channel();
        let writer = Arc::clone(&self.writer);
        let held = tokio::spawn(async move {
            let operation = writer.run("hold the writer", move |_| {
                Box::pin(async move {
                    let _ = wait.await;
                    Ok(())
                })
            });
            operation.await
        });
        (go_on, held)
    }
}

async fn insert(writer: &Writer, n: i64) -> DbResult<()> {
    let operation = writer.run("insert", move |db| {
        Box::pin(async move {
            sqlx::query("INSERT INTO parent (n) VALUES ($1)").bind(n).execute(&mut **db).await?;
            Ok(())
        })
    });
    operation.await
}

/// Writes, and then fails.
async fn insert_and(
    writer: &Writer,
    n: i64,
    then: impl FnOnce() -> Result<(), Fault> + Send + 'static,
) -> DbResult<()> {
    let operation = writer.run("insert and fail", move |db| {
        Box::pin(async move {
            sqlx::query("INSERT INTO parent (n) VALUES ($1)").bind(n).execute(&mut **db).await?;
            then()
        })
    });
    operation.await
}

#[tokio::test]
async fn one_that_fails_or_panics_takes_nothing_of_the_others_with_it() {
    let mut stage = Stage::new().await;
    let (go_on, held) = stage.hold();
    let writer = Arc::clone(&stage.writer);
    let waiting = tokio::spawn(async move {
        tokio::join!(
            insert(&writer, 1),
            insert_and(&writer, 2, || Err(Fault::conflict("this"))),
            insert(&writer, 3),
            insert_and(&writer, 4, || panic!("on purpose")),
            insert(&writer, 1),
            insert(&writer, 5),
        )
    });
    tokio::task::yield_now().await;
    go_on.send(()).unwrap();
    held.await.unwrap().unwrap();
    let (one, two, three, four, one_again, five) = waiting.await.unwrap();
    assert!(one.is_ok() && three.is_ok() && five.is_ok());
    assert!(matches!(two, Err(DbError::Conflict { .. })));
    let Err(DbError::Query { cause, .. }) = four else { panic!("{four:?}") };
    assert_eq!(cause.to_string(), "panicked: on purpose");
    assert!(matches!(one_again, Err(DbError::Query { .. })), "the key is taken");
    assert_eq!(stage.stored().await, [1, 3, 5]);
    insert(&stage.writer, 6).await.unwrap();
}

#[tokio::test]
async fn when_the_commit_fails_everybody_is_told_and_nothing_stays() {
    let mut stage = Stage::new().await;
    let (go_on, held) = stage.hold();
    let writer = Arc::clone(&stage.writer);
    let waiting = tokio::spawn(async move {
        let orphan = writer.run("insert an orphan", |db| {
            Box::pin(async move {
                // Looked at when the transaction ends, and not before.
                sqlx::query("INSERT INTO child (n) VALUES (99)").execute(&mut **db).await?;
                Ok(())
            })
        });
        tokio::join!(insert(&writer, 1), orphan)
    });
    tokio::task::yield_now().await;
    go_on.send(()).unwrap();
    let (innocent, orphan) = waiting.await.unwrap();
    for (result, step) in [(held.await.unwrap(), "hold the writer"), (innocent, "insert"), (orphan, "insert an orphan")]
    {
        let Err(DbError::Query { step: said, cause }) = result else { panic!("{step}: {result:?}") };
        assert_eq!((said, cause.to_string().as_str()), (step, "the transaction failed"));
    }
    assert_eq!(stage.stored().await, [0; 0]);
    insert(&stage.writer, 2).await.unwrap();
    assert_eq!(stage.stored().await, [2]);
}

#[tokio::test]
async fn a_caller_that_goes_away_tears_nothing() {
    let mut stage = Stage::new().await;
    let (go_on, held) = stage.hold();
    let writer = Arc::clone(&stage.writer);
    let leaving = tokio::spawn(async move { insert(&writer, 1).await });
    tokio::task::yield_now().await;
    leaving.abort();
    assert!(leaving.await.unwrap_err().is_cancelled());
    go_on.send(()).unwrap();
    held.await.unwrap().unwrap();
    insert(&stage.writer, 2).await.unwrap();
    // It had not begun; nobody waits for it.
    assert_eq!(stage.stored().await, [2]);
}

#[tokio::test]
async fn closing_carries_out_what_waits_and_takes_no_more() {
    let mut stage = Stage::new().await;
    let (go_on, held) = stage.hold();
    let writer = Arc::clone(&stage.writer);
    let waiting = tokio::spawn(async move { join_all((0..600).map(|n| insert(&writer, n))).await });
    tokio::task::yield_now().await;
    let writer = Arc::clone(&stage.writer);
    let closing = tokio::spawn(async move { writer.close().await });
    tokio::task::yield_now().await;
    go_on.send(()).unwrap();
    held.await.unwrap().unwrap();
    assert!(waiting.await.unwrap().iter().all(Result::is_ok));
    closing.await.unwrap();
    assert!(matches!(insert(&stage.writer, 1_000).await, Err(DbError::Closed)));
    stage.writer.close().await;
    assert_eq!(stage.stored().await.len(), 600);
}

#[tokio::test]
async fn identifiers_of_one_moment_sort_as_they_were_made() {
    let db = SqliteConnection::connect_with(&SqliteConnectOptions::new().in_memory(true)).await.unwrap();
    let mut db = WriteConnection::new(db, Arc::new(Zero));
    let now = Timestamp::from_unix_seconds(1_700_000_000);
    let ids: Vec<_> = (0..300).map(|_| db.new_id::<Event>(now)).collect();
    assert!(ids.is_sorted() && ids[0] != ids[1]);
    assert!(db.new_id::<Event>(now.plus(time::Duration::MILLISECOND)) > ids[299]);
}
