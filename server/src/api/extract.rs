//! Parsing at the door: query, path and body become typed values, or a problem that names the field.
//!
//! Parameters and fields that are not known are refused by name: a filter with a typing error must not quietly list
//! everything.

use std::collections::HashSet;
use std::fmt::Display;
use std::str::FromStr;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, RawPathParams, Request};
use axum::http::{HeaderMap, header, request::Parts};
use inkan_core::ports::{Cursor, PageRequest};
use serde::de::value::MapDeserializer;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use utoipa::IntoParams;

use super::problem::{Answer, Kind, Problem};

/// Items of a page when nobody says otherwise.
const USUAL_LIMIT: u16 = 100;
const LARGEST_LIMIT: u16 = 500;

/// The parameters of a query.
pub(super) struct Params<T>(pub(super) T);

/// The parameters of a list: its filter, and which page.
pub(super) struct List<F> {
    pub(super) filter: F,
    pub(super) page: PageRequest,
}

/// A list without any filter.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoFilter {}

/// Which page of a list is wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Paging {
    /// Items of one page, 1 to 500; 100 when absent.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<u16>, minimum = 1, maximum = 500)]
    limit: Option<u16>,
    /// Where to go on: `next` of the page before.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<String>)]
    cursor: Option<String>,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        read_pairs(pairs_of(parts)?).map(Self)
    }
}

impl<S: Send + Sync, F: DeserializeOwned> FromRequestParts<S> for List<F> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let is_paging = |(name, _): &(String, String)| matches!(name.as_str(), "limit" | "cursor");
        let (paging, filter): (Vec<_>, Vec<_>) = pairs_of(parts)?.into_iter().partition(is_paging);
        let Paging { limit, cursor } = read_pairs(paging)?;
        let limit = limit.unwrap_or(USUAL_LIMIT);
        if !(1..=LARGEST_LIMIT).contains(&limit) {
            return Err(Problem::invalid("limit", format!("1 to {LARGEST_LIMIT} are possible")));
        }
        Ok(Self { filter: read_pairs(filter)?, page: PageRequest { after: cursor.map(Cursor), limit } })
    }
}

fn pairs_of(parts: &Parts) -> Answer<Vec<(String, String)>> {
    let pairs = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
    pairs.map(|Query(pairs)| pairs).map_err(|_| Problem::new(Kind::Unreadable, "the query is not name=value&…"))
}

fn read_pairs<T: DeserializeOwned>(pairs: Vec<(String, String)>) -> Answer<T> {
    let mut names = HashSet::new();
    if let Some((name, _)) = pairs.iter().find(|(name, _)| !names.insert(name.as_str())) {
        return Err(Problem::invalid(name, "is given more than once"));
    }
    let pairs = MapDeserializer::<_, serde::de::value::Error>::new(pairs.into_iter());
    serde_path_to_error::deserialize(pairs).map_err(|error| refused_field(&error))
}

fn refused_field<E: Display>(error: &serde_path_to_error::Error<E>) -> Problem {
    Problem::invalid(error.path().to_string(), error.inner())
}

/// Reads a text by [`FromStr`]; for `deserialize_with` on an optional parameter. An empty one counts as absent, as
/// forms send it.
pub(super) fn parsed<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(D::Error::custom) }
}

/// As [`parsed`], for one that must be there.
pub(super) fn parsed_text<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(deserializer: D) -> Result<T, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

/// The one variable segment of a path.
pub(super) struct Segment<T>(pub(super) T);

impl<S: Send + Sync, T: FromStr<Err: Display>> FromRequestParts<S> for Segment<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let unreadable = |_| Problem::new(Kind::Unreadable, "the path is not UTF-8");
        let segments = RawPathParams::from_request_parts(parts, state).await.map_err(unreadable)?;
        let Some((name, text)) = segments.iter().next() else {
            return Err(Problem::new(Kind::NotFound, "no such page"));
        };
        text.parse().map(Self).map_err(|error| Problem::invalid(name, error))
    }
}

/// A body in JSON.
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        require_media_type(request.headers(), "application/json")?;
        let bytes = Bytes::from_request(request, state).await?;
        let mut json = serde_json::Deserializer::from_slice(&bytes);
        let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let unreadable = !error.inner().is_data();
            if unreadable { unreadable_json(error.inner()) } else { refused_field(&error) }
        })?;
        json.end().map_err(|error| unreadable_json(&error))?;
        Ok(Self(value))
    }
}

fn unreadable_json(error: &serde_json::Error) -> Problem {
    Problem::new(Kind::Unreadable, format!("the body is not JSON: {error}"))
}

/// Refuses a body that does not say that it is of this kind; also what keeps a web page of another origin from posting.
pub(super) fn require_media_type(headers: &HeaderMap, wanted: &str) -> Answer<()> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let essence = given.split(';').next().unwrap_or("").trim();
    if essence.eq_ignore_ascii_case(wanted) {
        return Ok(());
    }
    Err(Problem::new(Kind::MediaType, format!("send Content-Type: {wanted}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Filter {
        #[serde(default, deserialize_with = "parsed")]
        days: Option<u16>,
    }

    fn read(pairs: &[(&str, &str)]) -> Result<Filter, String> {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        read_pairs(pairs).map_err(|problem| format!("{problem:?}"))
    }

    #[test]
    fn parameters_are_read_and_may_be_absent() {
        assert_eq!(read(&[("days", "30")]).unwrap().days, Some(30));
        assert_eq!(read(&[("days", "")]).unwrap().days, None);
        assert_eq!(read(&[]).unwrap().days, None);
    }

    #[test]
    fn an_unknown_or_wrong_or_repeated_parameter_is_refused_by_name() {
        assert!(read(&[("dayz", "")]).unwrap_err().contains("field: Some(\"dayz\")"));
        assert!(read(&[("days", "many")]).unwrap_err().contains("field: Some(\"days\")"));
        assert!(read(&[("days", "1"), ("days", "2")]).unwrap_err().contains("field: Some(\"days\")"));
    }
}
