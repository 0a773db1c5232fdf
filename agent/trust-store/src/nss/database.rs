//! One SQLite file of NSS, read and never written.
//!
//! The file belongs to a person who may have put anything there, and a browser may be writing to it. So its bytes are
//! taken through the one door to files (no link, no FIFO, a bound) and SQLite works on that copy: it opens no path, makes
//! no journal, holds no lock that a browser could run into, and keeps to a time limit. The table must be a plain table,
//! because a view or a virtual table is somebody's program.

use std::collections::BTreeSet;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use inkan_model::limits::{self, tame_text};
use inkan_model::store::{ReadError, ReadErrorKind};
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, MAIN_DB};

use crate::files::survey::read_error;
use crate::folder::{Content, Folder};

/// Bytes of one file. Ten thousand certificates are some 20 MiB.
const FILE_BYTES: usize = 32 * 1024 * 1024;
/// Bytes of one field, above what any certificate has.
const FIELD_BYTES: usize = limits::CERTIFICATE_BYTES;
/// Bytes of all rows of one class. They are no more than the file's, except where columns have values that stand for what
/// rows do not have: then a small file has as much as anybody likes.
const ROWS_BYTES: usize = FILE_BYTES;
/// How long SQLite may work on one file, all in all.
const TIME: Duration = Duration::from_secs(5);
/// Steps of SQLite's machine between two looks at the time.
const STEPS: std::ffi::c_int = 10_000;
/// How often a file is looked at while somebody writes to it, and how long apart.
const TRIES: usize = 20;
const APART: Duration = Duration::from_millis(25);
/// With what a rollback journal that counts begins.
const JOURNAL: &[u8] = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7";
/// Where SQLite's header says by which kind of journal the file is written; 1 is a rollback journal, 2 a log.
const JOURNAL_KIND: std::ops::Range<usize> = 18..20;
/// What NSS writes for an attribute that is there and empty.
const EMPTY: &[u8] = b"\xa5\x00\x5a";

/// A copy of one file, open.
pub(super) struct Database {
    connection: Connection,
    table: &'static str,
    columns: BTreeSet<String>,
    /// What is not in this copy.
    pub(super) missing: Option<ReadError>,
}

/// One field of a row.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Field {
    /// Not there, or there and empty.
    Absent,
    Octets(Vec<u8>),
    /// Larger than a field is read, or not octets at all.
    Unfit,
}

impl Field {
    pub(super) fn octets(&self) -> Option<&[u8]> {
        match self {
            Self::Octets(octets) => Some(octets),
            Self::Absent | Self::Unfit => None,
        }
    }
}

/// The rows that could be read, and what kept the rest from it.
#[derive(Debug)]
pub(super) struct Rows<const N: usize> {
    pub(super) rows: Vec<[Field; N]>,
    pub(super) error: Option<ReadError>,
}

/// Whether there was room for all rows.
enum Room {
    Enough,
    Full,
}

impl Database {
    /// Takes a copy of a file and opens it. `table` is what it must have.
    pub(super) fn open(folder: &Folder, file: &'static str, table: &'static str) -> Result<Self, ReadError> {
        let mut content = copy(folder, file)?;
        let missing = detach_log(folder, file, &mut content)?;
        let malformed = |error: rusqlite::Error| malformed(file, &error);
        let connection = connect(&content).map_err(malformed)?;
        drop(content);
        let kind =
            connection.query_row("SELECT type FROM pragma_table_list(?1) WHERE schema = 'main'", [table], |row| {
                row.get::<_, String>(0)
            });
        match kind.as_deref() {
            Ok("table") => {}
            Ok(_) | Err(rusqlite::Error::QueryReturnedNoRows) => {
                let detail = format!("has no table {table}");
                return Err(ReadError { kind: ReadErrorKind::Malformed, item: file.to_owned(), detail });
            }
            Err(_) => return Err(kind.map_err(malformed).err().unwrap_or_else(|| busy(file))),
        }
        let columns = columns(&connection, table).map_err(malformed)?;
        Ok(Self { connection, table, columns, missing })
    }

    /// The rows of one object class: these columns of each, of which some may not be there.
    pub(super) fn rows<const N: usize>(&self, class: u32, columns: [&'static str; N], most: usize) -> Rows<N> {
        let mut rows = Vec::new();
        let too_large = |detail| ReadError { kind: ReadErrorKind::TooLarge, item: self.table.to_owned(), detail };
        let error = match self.collect(class, columns, most, &mut rows) {
            Ok(Room::Enough) if rows.len() > most => {
                rows.truncate(most);
                Some(too_large(format!("more than {most} entries of one kind")))
            }
            Ok(Room::Enough) => None,
            Ok(Room::Full) => Some(too_large(format!("entries of one kind of more than {ROWS_BYTES} bytes"))),
            Err(error) => Some(malformed(self.table, &error)),
        };
        Rows { rows, error }
    }

    fn collect<const N: usize>(
        &self,
        class: u32,
        columns: [&'static str; N],
        most: usize,
        rows: &mut Vec<[Field; N]>,
    ) -> rusqlite::Result<Room> {
        if !self.columns.contains("a0") {
            return Ok(Room::Enough);
        }
        let mut bytes_left = ROWS_BYTES;
        // A field that is too large is never taken in: its length stands for it, which is no octets.
        let field = |column: &&str| {
            let read = format!("CASE WHEN length({column}) <= {FIELD_BYTES} THEN {column} ELSE length({column}) END");
            if self.columns.contains(*column) { read } else { "NULL".to_owned() }
        };
        let fields = columns.iter().map(field).collect::<Vec<_>>().join(", ");
        let query = format!("SELECT {fields} FROM {} WHERE a0 = ?1 LIMIT {}", self.table, most + 1);
        let mut statement = self.connection.prepare(&query)?;
        let mut found = statement.query([class.to_be_bytes()])?;
        while let Some(row) = found.next()? {
            let mut fields = [const { Field::Absent }; N];
            for (at, field) in fields.iter_mut().enumerate() {
                *field = match row.get_ref(at)? {
                    ValueRef::Null | ValueRef::Blob(EMPTY) => Field::Absent,
                    ValueRef::Blob(octets) => Field::Octets(octets.to_vec()),
                    ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Text(_) => Field::Unfit,
                };
            }
            let bytes = fields.iter().filter_map(Field::octets).map(<[u8]>::len).sum();
            let Some(left) = bytes_left.checked_sub(bytes) else { return Ok(Room::Full) };
            bytes_left = left;
            rows.push(fields);
        }
        Ok(Room::Enough)
    }
}

/// The bytes of a file at a moment when nobody was writing to it.
fn copy(folder: &Folder, file: &str) -> Result<Content, ReadError> {
    let failed = |error: io::Error| read_error(file, &error);
    for _ in 0..TRIES {
        if !is_being_written(folder, file).map_err(failed)? {
            let content = folder.read(file, FILE_BYTES).map_err(failed)?;
            let unchanged = || -> io::Result<bool> {
                Ok(!is_being_written(folder, file)? && folder.read(file, FILE_BYTES)?.bytes == content.bytes)
            };
            if unchanged().map_err(failed)? {
                return Ok(content);
            }
        }
        thread::sleep(APART);
    }
    Err(busy(file))
}

fn is_being_written(folder: &Folder, file: &str) -> io::Result<bool> {
    match folder.read(format!("{file}-journal"), FILE_BYTES) {
        Ok(journal) => Ok(journal.bytes.starts_with(JOURNAL)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Turns a copy that is written through a log into one that stands for itself. What only the log has is told as missing.
fn detach_log(folder: &Folder, file: &str, content: &mut Content) -> Result<Option<ReadError>, ReadError> {
    let Some(kind) = content.bytes.get_mut(JOURNAL_KIND).filter(|kind| **kind == [2, 2]) else { return Ok(None) };
    kind.fill(1);
    match folder.read(format!("{file}-wal"), FILE_BYTES) {
        Ok(log) if log.bytes.is_empty() => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(read_error(file, &error)),
        Ok(_) => {
            let detail = "the latest changes are in a write-ahead log and are not read".to_owned();
            Ok(Some(ReadError { kind: ReadErrorKind::Other, item: file.to_owned(), detail }))
        }
    }
}

fn connect(content: &Content) -> rusqlite::Result<Connection> {
    let mut connection = Connection::open_in_memory()?;
    connection.deserialize_read_exact(MAIN_DB, content.bytes.as_slice(), content.bytes.len(), true)?;
    let switches = [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
    ];
    for (switch, on) in switches {
        connection.set_db_config(switch, on)?;
    }
    let most = i32::try_from(FILE_BYTES).unwrap_or(i32::MAX);
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, most)?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    let end = Instant::now() + TIME;
    connection.progress_handler(STEPS, Some(move || Instant::now() >= end))?;
    Ok(connection)
}

fn columns(connection: &Connection, table: &str) -> rusqlite::Result<BTreeSet<String>> {
    let mut statement = connection.prepare("SELECT name FROM pragma_table_info(?1)")?;
    let names = statement.query_map([table], |row| row.get::<_, String>(0))?;
    names.collect()
}

fn malformed(item: &str, error: &rusqlite::Error) -> ReadError {
    let kind = match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::OperationInterrupted) => ReadErrorKind::TimedOut,
        _ => ReadErrorKind::Malformed,
    };
    ReadError { kind, item: item.to_owned(), detail: tame_text(&error.to_string(), limits::SHORT_TEXT) }
}

fn busy(file: &str) -> ReadError {
    let detail = "somebody is writing to it, or stopped in the middle of it".to_owned();
    ReadError { kind: ReadErrorKind::Other, item: file.to_owned(), detail }
}
