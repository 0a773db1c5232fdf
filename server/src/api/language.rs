//! In which language words are wanted: the parameter `lang`, else `Accept-Language`, else the operator's own.

use axum::extract::FromRequestParts;
use axum::http::{HeaderMap, header, request::Parts};
use inkan_model::locale::Locale;

use super::caller::Caller;
use super::problem::Problem;
use super::values::LocaleWord;

/// The language that headers and operator ask for.
pub(super) struct Language(Locale);

impl Language {
    /// The language to answer in, when a parameter may ask for another.
    pub(super) fn unless(&self, asked: Option<LocaleWord>) -> Locale {
        asked.map_or(self.0, |word| word.0)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Language {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let caller = Caller::from_request_parts(parts, state).await?;
        Ok(Self(accepted(&parts.headers).unwrap_or(caller.operator.locale)))
    }
}

/// The language of `Accept-Language` with the greatest weight (RFC 9110 §12.5.4) that is one of ours.
fn accepted(headers: &HeaderMap) -> Option<Locale> {
    let value = headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?;
    let weighed = |part: &str| {
        let mut parts = part.split(';');
        let locale = Locale::from_tag(parts.next()?.trim())?;
        let weight =
            parts.find_map(|part| part.trim().strip_prefix("q=")).map_or(Some(1.0), |q| q.parse::<f32>().ok())?;
        (weight > 0.0).then_some((locale, weight))
    };
    let mut found: Option<(Locale, f32)> = None;
    for (locale, weight) in value.split(',').take(20).filter_map(weighed) {
        if found.is_none_or(|(_, best)| weight > best) {
            found = Some((locale, weight));
        }
    }
    found.map(|(locale, _)| locale)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_language_with_the_greatest_weight_is_taken() {
        for (value, expected) in [
            ("en-GB,en;q=0.9,ja;q=0.8", Some(Locale::En)),
            ("fr, en;q=0.5, ja;q=0.9", Some(Locale::Ja)),
            ("fr", None),
            ("ja;q=0", None),
            ("ja;q=x, en", Some(Locale::En)),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT_LANGUAGE, HeaderValue::from_static(value))]);
            assert_eq!(accepted(&headers), expected, "{value}");
        }
    }
}
