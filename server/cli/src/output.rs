//! The one way to standard output and standard error, and tables whose columns stand straight with Japanese in them.
//!
//! Texts come from PCs and clinics. None of them may move the cursor or turn the reading direction of a terminal, so
//! whatever is not a plain character is replaced on the way out.

use std::io::{self, IsTerminal as _, Write as _};

use unicode_width::UnicodeWidthStr as _;

use crate::error::{Error, Result};

/// Standard output, standard error, and who sits before them.
#[derive(Debug)]
pub(crate) struct Output {
    stdout: io::Stdout,
    stderr: io::Stderr,
    stdin: io::Stdin,
}

impl Output {
    pub(crate) fn new() -> Self {
        Self { stdout: io::stdout(), stderr: io::stderr(), stdin: io::stdin() }
    }

    /// Prints one line of words.
    pub(crate) fn line(&self, text: &str) -> Result<()> {
        written(writeln!(self.stdout.lock(), "{}", plain(text)))
    }

    /// Prints what the API said, as it said it, on a line of its own.
    pub(crate) fn raw_line(&self, text: &str) -> Result<()> {
        written(writeln!(self.stdout.lock(), "{}", text.trim_end()))
    }

    /// Prints bytes as they are.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> Result<()> {
        let mut stdout = self.stdout.lock();
        written(stdout.write_all(bytes).and_then(|()| stdout.flush()))
    }

    /// Says something beside the result, so that a pipe gets the result alone.
    pub(crate) fn note(&self, text: &str) {
        // When even standard error is gone, there is nobody left to tell.
        let _ = writeln!(self.stderr.lock(), "{}", plain(text));
    }

    /// Says why it did not work.
    pub(crate) fn complain(&self, text: &str) {
        let _ = text.lines().try_for_each(|line| writeln!(self.stderr.lock(), "{}", plain(line)));
    }

    /// Asks for a line on standard error, and reads it.
    pub(crate) fn ask(&self, question: &str) -> io::Result<String> {
        {
            let mut stderr = self.stderr.lock();
            write!(stderr, "{}: ", plain(question))?;
            stderr.flush()?;
        }
        let mut line = String::new();
        self.stdin.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    /// Whether somebody sits there who can be asked.
    pub(crate) fn can_ask(&self) -> bool {
        self.stdin.is_terminal()
    }
}

/// A reader that went away (`| head`) is no failure.
fn written(result: io::Result<()>) -> Result<()> {
    match result {
        Err(cause) if cause.kind() != io::ErrorKind::BrokenPipe => Err(Error::local("print", cause)),
        _ => Ok(()),
    }
}

/// The text without anything that a terminal would obey.
fn plain(text: &str) -> String {
    let is_hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    text.chars().map(|c| if is_hidden(c) { '\u{fffd}' } else { c }).collect()
}

/// On which side a column is aligned.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A table: heads, then rows.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<Align>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<const N: usize>(heads: [(&str, Align); N]) -> Self {
        let columns = heads.iter().map(|(_, align)| *align).collect();
        Self { columns, rows: vec![heads.iter().map(|(head, _)| (*head).to_owned()).collect()] }
    }

    /// A table of names and values, without heads.
    pub(crate) fn facts() -> Self {
        Self { columns: vec![Align::Left, Align::Left], rows: Vec::new() }
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.iter().map(|cell| plain(cell)).collect());
    }

    /// The lines, each without blanks at its end.
    pub(crate) fn lines(&self) -> Vec<String> {
        let width_of = |column: usize| self.rows.iter().map(|row| row.get(column).map_or(0, |cell| cell.width())).max();
        let widths: Vec<_> = (0..self.columns.len()).map(|column| width_of(column).unwrap_or(0)).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&self.columns).zip(&widths).map(|((cell, align), width)| {
                let blanks = " ".repeat(width.saturating_sub(cell.width()));
                match align {
                    Align::Left => format!("{cell}{blanks}"),
                    Align::Right => format!("{blanks}{cell}"),
                }
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        self.rows.iter().map(line).collect()
    }

    pub(crate) fn print(&self, out: &Output) -> Result<()> {
        self.lines().iter().try_for_each(|line| out.line(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_straight_with_wide_and_narrow_characters() {
        let mut table = Table::new([("名前", Align::Left), ("N", Align::Right), ("状態", Align::Left)]);
        table.row(["さくら".to_owned(), "5".to_owned(), "稼働中".to_owned()]);
        table.row(["ab".to_owned(), "120".to_owned(), String::new()]);
        assert_eq!(table.lines(), ["名前      N  状態", "さくら    5  稼働中", "ab      120"]);
    }

    #[test]
    fn a_name_cannot_write_to_the_terminal_by_itself() {
        let mut table = Table::facts();
        table.row(["\u{1b}[2Jx".to_owned(), "a\u{202e}b\nc".to_owned()]);
        assert_eq!(table.lines(), ["\u{fffd}[2Jx  a\u{fffd}b\u{fffd}c"]);
    }
}
