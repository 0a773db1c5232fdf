//! Cursors: where a list goes on, as a text that only this database reads.
//!
//! Lists page by key, not by count: the cursor holds the sort key of the last row, so a page costs the same however
//! deep it is, and rows that come or go meanwhile neither repeat nor vanish.

use data_encoding::BASE64URL_NOPAD;
use inkan_core::ports::{Cursor, DbError, DbResult, Page, PageRequest};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::fault::Fault;

/// Characters of a cursor at most; keys hold names, which are short texts.
const LONGEST: usize = 8_192;

/// One list's way of paging: its name, which keeps cursors of different lists apart, and the requested part.
pub(crate) struct Paging {
    list: &'static str,
    limit: usize,
}

impl Paging {
    /// Reads a request: how to page, and after which key.
    pub(crate) fn read<K: DeserializeOwned>(list: &'static str, request: &PageRequest) -> DbResult<(Self, Option<K>)> {
        let after = request.after.as_ref().map(|cursor| decode(list, cursor)).transpose()?;
        Ok((Self { list, limit: usize::from(request.limit.clamp(1, 500)) }, after))
    }

    /// How many rows to read: one more than wanted, which tells whether the list goes on.
    pub(crate) fn rows(&self) -> i64 {
        i64::try_from(self.limit + 1).unwrap_or(i64::MAX)
    }

    /// Makes a page of the rows read.
    pub(crate) fn page<R, T, K: Serialize>(
        &self,
        mut rows: Vec<R>,
        key: impl FnOnce(&R) -> K,
        turn: impl FnMut(R) -> DbResult<T>,
    ) -> Result<Page<T>, Fault> {
        let goes_on = rows.len() > self.limit;
        rows.truncate(self.limit);
        let next = match rows.last() {
            Some(last) if goes_on => Some(self.encode(&key(last))?),
            _ => None,
        };
        let items = rows.into_iter().map(turn).collect::<DbResult<_>>()?;
        Ok(Page { items, next })
    }

    fn encode<K: Serialize>(&self, key: &K) -> Result<Cursor, Fault> {
        let json = serde_json::to_vec(&(self.list, key)).map_err(|cause| Fault::Other(Box::new(cause)))?;
        Ok(Cursor(BASE64URL_NOPAD.encode(&json)))
    }
}

fn decode<K: DeserializeOwned>(list: &'static str, Cursor(text): &Cursor) -> DbResult<K> {
    if text.len() > LONGEST {
        return Err(DbError::InvalidCursor);
    }
    let json = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| DbError::InvalidCursor)?;
    let (named, key): (String, K) = serde_json::from_slice(&json).map_err(|_| DbError::InvalidCursor)?;
    if named == list { Ok(key) } else { Err(DbError::InvalidCursor) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn after(cursor: Cursor) -> PageRequest {
        PageRequest { after: Some(cursor), limit: 2 }
    }

    fn read(list: &'static str, cursor: Cursor) -> DbResult<(i64, String)> {
        Ok(Paging::read(list, &after(cursor))?.1.unwrap())
    }

    fn cursor() -> Cursor {
        let (paging, _) = Paging::read::<(i64, String)>("hosts", &PageRequest::first(2)).unwrap();
        let rows = vec![1_i64, 2, 3];
        paging.page(rows, |last| (*last, "名前".to_owned()), DbResult::Ok).unwrap().next.unwrap()
    }

    #[test]
    fn a_cursor_leads_back_to_its_key() {
        assert_eq!(read("hosts", cursor()).unwrap(), (2, "名前".to_owned()));
    }

    #[test]
    fn a_cursor_of_another_list_is_refused() {
        assert!(matches!(read("events", cursor()), Err(DbError::InvalidCursor)));
    }

    #[test]
    fn the_last_page_has_no_cursor() {
        let (paging, _) = Paging::read::<i64>("hosts", &PageRequest::first(2)).unwrap();
        assert_eq!(paging.page(vec![1_i64, 2], |last| *last, DbResult::Ok).unwrap().next, None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in ".{0,200}") {
            prop_assert!(matches!(read("hosts", Cursor(text)), Err(DbError::InvalidCursor)));
        }
    }
}
