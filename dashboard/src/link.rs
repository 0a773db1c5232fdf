//! Addresses with their query, and reading queries and forms: plain pairs of texts, parsed by whoever knows the field.

use std::fmt;

/// Pairs of names and values from a query or a form.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Fields(pub(crate) Vec<(String, String)>);

impl Fields {
    /// The first value of this name, trimmed; `None` when it is absent or empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.raw(name).map(str::trim).filter(|value| !value.is_empty())
    }

    /// The first value of this name as it came; a password may begin with a space.
    pub(crate) fn raw(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The first value of this name, read as `T`; what cannot be read counts as absent, which shows the whole list.
    pub(crate) fn parsed<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.text(name)?.parse().ok()
    }
}

/// An address that is being built: a path, then pairs in their order. Empty values are left out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Link(String);

impl Link {
    pub(crate) fn to(path: impl Into<String>) -> Self {
        Self(path.into())
    }

    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        let value = value.to_string();
        if !value.is_empty() {
            self.0.push(if self.0.contains('?') { '&' } else { '?' });
            self.0.push_str(name);
            self.0.push('=');
            encode_into(&mut self.0, &value);
        }
        self
    }

    #[must_use]
    pub(crate) fn with_some(self, name: &str, value: Option<impl fmt::Display>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    #[must_use]
    pub(crate) fn at(mut self, anchor: &str) -> Self {
        self.0.push('#');
        self.0.push_str(anchor);
        self
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn encode_into(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push_str(&data_encoding::HEXUPPER.encode(&[byte]));
        }
    }
}

/// The path to go back to, when it is one of ours: anything else could lead a person astray.
pub(crate) fn own_path(text: &str) -> Option<&str> {
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    (text.starts_with('/') && !text.starts_with("//") && plain && text.len() <= 2_048).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_encoded_and_empty_ones_left_out() {
        let link = Link::to("/hosts").with("search", "内科 &x").with("after", "").with_some("rule", Some("a"));
        assert_eq!(link.to_string(), "/hosts?search=%E5%86%85%E7%A7%91%20%26x&rule=a");
    }

    #[test]
    fn only_paths_of_this_site_are_gone_back_to() {
        assert_eq!(own_path("/hosts?a=b"), Some("/hosts?a=b"));
        for foreign in ["//evil.example", "https://evil.example", "/\\evil.example", "hosts", "/a b", "/a\nb"] {
            assert_eq!(own_path(foreign), None, "{foreign:?}");
        }
    }
}
