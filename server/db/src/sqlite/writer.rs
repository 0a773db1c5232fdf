//! The one writer: a task that owns the only writing connection and commits in groups.
//!
//! SQLite has one writer at a time anyway, and a disk has few hundred syncs a second. So operations queue here, and
//! those that wait when one is done share its transaction: each in a savepoint of its own, so that one that fails takes
//! nothing of the others with it, and nobody is answered before all are committed. A caller that went away tears
//! nothing: the queue owns the operation.
//!
//! An operation must never wait for anything but its connection, because everybody else waits for it.

use std::any::Any;
use std::ops::{Deref, DerefMut};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use inkan_core::ports::{DbError, DbResult, Entropy};
use inkan_model::id::Kind;
use inkan_model::{Id, Timestamp};
use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{Instrument as _, Span, debug, error};

use super::fault::Fault;

/// Operations that may wait; whoever comes then waits for a place.
const QUEUE: usize = 4_096;
/// Operations of one transaction at most.
const BATCH_OPERATIONS: usize = 256;
/// After this long a transaction takes no more operations.
const BATCH_TIME: Duration = Duration::from_millis(20);

/// The writing connection, as an operation gets it: inside of a transaction, in a savepoint of its own.
pub(crate) struct WriteConnection {
    connection: SqliteConnection,
    entropy: Arc<dyn Entropy>,
    /// The moment of the last identifier, and how many were made for it.
    made: (Timestamp, u16),
}

impl WriteConnection {
    pub(crate) fn new(connection: SqliteConnection, entropy: Arc<dyn Entropy>) -> Self {
        Self { connection, entropy, made: (Timestamp::default(), 0) }
    }

    /// A new identifier. Those of one moment sort in the order in which they were made, as timelines need it.
    pub(crate) fn new_id<K: Kind>(&mut self, now: Timestamp) -> Id<K> {
        let (last, made) = self.made;
        let count = if last == now { made.saturating_add(1).min(0x0fff) } else { 0 };
        self.made = (now, count);
        let mut chance: [u8; 10] = self.entropy.bytes();
        // The first twelve bits after the moment are a count (RFC 9562 §6.2, method 1).
        [chance[0], chance[1]] = count.to_be_bytes();
        Id::new(now, chance)
    }
}

impl Deref for WriteConnection {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.connection
    }
}

impl DerefMut for WriteConnection {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}

/// Where operations are handed in.
pub(crate) struct Writer {
    queue: mpsc::Sender<Box<dyn Job>>,
    closing: Arc<Notify>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the task.
    pub(crate) fn start(db: WriteConnection) -> Self {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let closing = Arc::new(Notify::new());
        let task = tokio::spawn(serve(db, jobs, Arc::clone(&closing)));
        Self { queue, closing, task: Mutex::new(Some(task)) }
    }

    /// Runs an operation in a transaction; answers once it is committed.
    pub(crate) async fn run<T, F>(&self, step: &'static str, operation: F) -> DbResult<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut WriteConnection) -> BoxFuture<'c, Result<T, Fault>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let pending = Pending { step, span: Span::current(), operation, reply };
        self.queue.send(Box::new(pending)).await.map_err(|_| DbError::Closed)?;
        answer.await.unwrap_or(Err(DbError::Closed))
    }

    /// Takes no more operations, carries out those that wait, and closes the connection.
    pub(crate) async fn close(&self) {
        self.closing.notify_one();
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task
            && let Err(cause) = task.await
        {
            error!(error = &cause as &dyn std::error::Error, "the database's writer failed");
        }
    }
}

/// An operation in the queue, whatever it answers.
trait Job: Send {
    /// Whether somebody still waits for it.
    fn is_wanted(&self) -> bool;

    /// Does it, in an open savepoint.
    fn run(self: Box<Self>, db: &mut WriteConnection) -> BoxFuture<'_, Box<dyn Answer>>;

    /// Answers that it was not done.
    fn refuse(self: Box<Self>, cause: &Arc<sqlx::Error>);
}

/// What an operation came to, while its transaction is still open.
trait Answer: Send {
    /// Whether what it wrote is to stay.
    fn is_success(&self) -> bool;

    /// Tells the caller; the transaction's end is known now.
    fn deliver(self: Box<Self>, committed: Result<(), &Arc<sqlx::Error>>);
}

struct Pending<T, F> {
    step: &'static str,
    span: Span,
    operation: F,
    reply: oneshot::Sender<DbResult<T>>,
}

struct Done<T> {
    step: &'static str,
    result: DbResult<T>,
    reply: oneshot::Sender<DbResult<T>>,
}

impl<T, F> Job for Pending<T, F>
where
    T: Send + 'static,
    F: for<'c> FnOnce(&'c mut WriteConnection) -> BoxFuture<'c, Result<T, Fault>> + Send + 'static,
{
    fn is_wanted(&self) -> bool {
        !self.reply.is_closed()
    }

    fn run(self: Box<Self>, db: &mut WriteConnection) -> BoxFuture<'_, Box<dyn Answer>> {
        let Self { step, span, operation, reply } = *self;
        let work = async move {
            // A panic in one operation must not take the writer, and with it the whole server, down.
            let caught = AssertUnwindSafe(async { operation(db).await }).catch_unwind().await;
            let result = match caught {
                Ok(result) => result.map_err(|fault| fault.at(step)),
                Err(panic) => Err(DbError::Query { step, cause: Box::new(Panicked::from(panic)) }),
            };
            Box::new(Done { step, result, reply }) as Box<dyn Answer>
        };
        work.instrument(span).boxed()
    }

    fn refuse(self: Box<Self>, cause: &Arc<sqlx::Error>) {
        let Self { step, reply, .. } = *self;
        Box::new(Done::<T> { step, result: Err(DbError::Closed), reply }).deliver(Err(cause));
    }
}

impl<T: Send> Answer for Done<T> {
    fn is_success(&self) -> bool {
        self.result.is_ok()
    }

    fn deliver(self: Box<Self>, committed: Result<(), &Arc<sqlx::Error>>) {
        let Self { step, result, reply } = *self;
        let uncommitted =
            |cause: &Arc<sqlx::Error>| DbError::Query { step, cause: Box::new(Uncommitted(Arc::clone(cause))) };
        let answer = committed.map_err(uncommitted).and(result);
        // Whoever asked may have gone; what was done stays done.
        let _ = reply.send(answer);
    }
}

/// The transaction that an operation shared with others failed.
#[derive(Debug, thiserror::Error)]
#[error("the transaction failed")]
struct Uncommitted(#[source] Arc<sqlx::Error>);

/// An operation panicked.
#[derive(Debug, thiserror::Error)]
#[error("panicked: {0}")]
struct Panicked(String);

impl From<Box<dyn Any + Send>> for Panicked {
    fn from(panic: Box<dyn Any + Send>) -> Self {
        let said = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        Self(said.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default())
    }
}

async fn serve(mut db: WriteConnection, mut jobs: mpsc::Receiver<Box<dyn Job>>, closing: Arc<Notify>) {
    loop {
        let job = tokio::select! {
            job = jobs.recv() => job,
            () = closing.notified() => {
                jobs.close();
                continue;
            }
        };
        let Some(job) = job else { break };
        if job.is_wanted() {
            run_batch(&mut db, job, &mut jobs).await;
        }
    }
    if let Err(cause) = db.connection.close().await {
        error!(error = &cause as &dyn std::error::Error, "could not close the database");
    }
}

/// One transaction: the operation that came first, and those that wait by the time it is done.
async fn run_batch(db: &mut WriteConnection, first: Box<dyn Job>, jobs: &mut mpsc::Receiver<Box<dyn Job>>) {
    if let Err(cause) = sqlx::query("BEGIN IMMEDIATE").execute(&mut **db).await {
        return first.refuse(&Arc::new(cause));
    }
    let begun = Instant::now();
    let mut answers = Vec::new();
    let mut next = Some(first);
    while let Some(job) = next {
        match run_in_savepoint(db, job).await {
            Ok(answer) => answers.push(answer),
            Err((answer, cause)) => {
                answers.extend(answer);
                return give_up(db, answers, cause).await;
            }
        }
        let goes_on = answers.len() < BATCH_OPERATIONS && begun.elapsed() < BATCH_TIME;
        next = goes_on.then(|| next_wanted(jobs)).flatten();
    }
    match sqlx::query("COMMIT").execute(&mut **db).await {
        Ok(_) => {
            debug!(operations = answers.len(), "committed");
            for answer in answers {
                answer.deliver(Ok(()));
            }
        }
        Err(cause) => give_up(db, answers, cause).await,
    }
}

fn next_wanted(jobs: &mut mpsc::Receiver<Box<dyn Job>>) -> Option<Box<dyn Job>> {
    std::iter::from_fn(|| jobs.try_recv().ok()).find(|job| job.is_wanted())
}

/// A failure here is one of the transaction as a whole: SQLite itself may have rolled it back, as when a disk is full.
type Torn = (Option<Box<dyn Answer>>, sqlx::Error);

async fn run_in_savepoint(db: &mut WriteConnection, job: Box<dyn Job>) -> Result<Box<dyn Answer>, Torn> {
    if let Err(cause) = sqlx::query("SAVEPOINT operation").execute(&mut **db).await {
        let cause = Arc::new(cause);
        job.refuse(&cause);
        return Err((None, sqlx::Error::AnyDriverError(Box::new(Uncommitted(cause)))));
    }
    let answer = job.run(db).await;
    if !answer.is_success()
        && let Err(cause) = sqlx::query("ROLLBACK TO operation").execute(&mut **db).await
    {
        return Err((Some(answer), cause));
    }
    match sqlx::query("RELEASE operation").execute(&mut **db).await {
        Ok(_) => Ok(answer),
        Err(cause) => Err((Some(answer), cause)),
    }
}

/// Nothing of the batch stays, and everybody in it is told so.
async fn give_up(db: &mut WriteConnection, answers: Vec<Box<dyn Answer>>, cause: sqlx::Error) {
    error!(error = &cause as &dyn std::error::Error, operations = answers.len(), "a transaction failed");
    // Fails when SQLite has rolled back by itself, which is as good.
    if let Err(cause) = sqlx::query("ROLLBACK").execute(&mut **db).await {
        debug!(error = &cause as &dyn std::error::Error, "nothing was left to roll back");
    }
    let cause = Arc::new(cause);
    for answer in answers {
        answer.deliver(Err(&cause));
    }
}

#[cfg(test)]
mod tests;
