//! Programmes: the rules of one real-world system as data, one file each.
//!
//! A programme says how to recognise its certificates, which anchors it needs and where, and what of a PC it depends on.
//! Adding one must need no code, so nothing here knows any programme by name. What is in a file is checked when it is
//! read ([`Programme::from_toml`]); a value of these types is therefore within [`crate::limits`] and makes sense.

mod file;
#[cfg(test)]
mod tests;
mod values;

use serde::{Deserialize, Serialize};

pub use self::file::InvalidProgramme;
pub use self::values::{Browser, InvalidValue, Pattern, ProgrammeId, Site, TlsVersion};
use crate::certificate::CertificateFacts;
use crate::digest::Fingerprint;
use crate::locale::Bilingual;

/// The rules of one system.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Programme {
    /// What it is called in commands and files.
    pub id: ProgrammeId,
    /// What people call it.
    pub names: Bilingual,
    /// How its certificates are told from others; `None` where the system has none, or nothing is known of them.
    pub recognise: Option<Recognise>,
    /// The anchors and intermediates that it needs.
    pub anchors: Vec<WantedAnchor>,
    /// What else of a PC it depends on.
    pub checks: ProgrammeChecks,
}

/// How a programme's certificates are recognised. Each list that is not empty has to have one that fits.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recognise {
    /// The issuer's common name, whole.
    #[serde(deserialize_with = "values::bounded")]
    pub issuer_common_names: Vec<Pattern>,
    /// A part of the issuer's name as text, such as an organization.
    #[serde(deserialize_with = "values::bounded")]
    pub issuer_contains: Vec<Pattern>,
    /// What the subject's common name begins with.
    #[serde(deserialize_with = "values::bounded")]
    pub subject_common_name_prefixes: Vec<Pattern>,
    /// A part of the subject's name as text.
    #[serde(deserialize_with = "values::bounded")]
    pub subject_contains: Vec<Pattern>,
    /// Whether extendedKeyUsage has to allow TLS client authentication by name.
    pub client_auth: bool,
}

/// A certificate that has to be in one of a PC's stores for a programme to work.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct WantedAnchor {
    /// Its common name, by which it is recognised where the fingerprint is not known.
    pub common_name: Pattern,
    /// Its fingerprint, where it is known: then nothing else will do.
    #[serde(default)]
    pub sha256: Option<Fingerprint>,
    /// Where it belongs.
    pub store: AnchorPlace,
}

/// Where an issuer's certificate belongs.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AnchorPlace {
    /// Among the trusted roots.
    Root,
    /// Among the intermediates.
    Intermediate,
}

/// What of a PC a programme depends on, beyond certificates.
#[expect(clippy::struct_excessive_bools, reason = "each is a line of its own in a file that people write")]
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProgrammeChecks {
    /// Sites that have to open without a warning.
    #[serde(deserialize_with = "values::bounded")]
    pub sites: Vec<Site>,
    /// The oldest TLS that its sites speak: one version from here on has to be switched on, and SSL switched off.
    pub minimum_tls: Option<TlsVersion>,
    /// Whether its sites have to be in the trusted zone of Internet Options.
    pub trusted_zone: bool,
    /// Whether its sites open windows of their own.
    pub pop_ups: bool,
    /// Whether its sites need cookies.
    pub cookies: bool,
    /// Hosts that must not go through a proxy, as Internet Options write them (`*.example.jp`).
    #[serde(deserialize_with = "values::bounded")]
    pub proxy_exceptions: Vec<Pattern>,
    /// Browsers of which no window may be open while it is worked with certificates.
    #[serde(deserialize_with = "values::bounded")]
    pub closed_browsers: Vec<Browser>,
    /// Whether it needs a Java runtime.
    pub java: bool,
}

impl Recognise {
    /// Whether a certificate is one of the programme's. An authority's certificate never is.
    pub fn matches(&self, facts: &CertificateFacts) -> bool {
        let Self { issuer_common_names, issuer_contains, subject_common_name_prefixes, subject_contains, client_auth } =
            self;
        let any = |patterns: &[Pattern], fits: &dyn Fn(&str) -> bool| {
            patterns.is_empty() || patterns.iter().any(|pattern| fits(pattern.as_str()))
        };
        facts.is_end_entity()
            && (!client_auth || facts.client_auth == Some(true))
            && any(issuer_common_names, &|name| facts.issuer_common_name == name)
            && any(issuer_contains, &|part| facts.issuer.contains(part))
            && any(subject_common_name_prefixes, &|prefix| facts.common_name.starts_with(prefix))
            && any(subject_contains, &|part| facts.subject.contains(part))
    }

    /// Whether there is nothing by which to recognise a certificate.
    pub fn is_empty(&self) -> bool {
        let Self { issuer_common_names, issuer_contains, subject_common_name_prefixes, subject_contains, .. } = self;
        [issuer_common_names, issuer_contains, subject_common_name_prefixes, subject_contains]
            .into_iter()
            .all(Vec::is_empty)
    }
}

impl WantedAnchor {
    /// Whether a certificate is the one that is wanted.
    pub fn is(&self, certificate: Fingerprint, facts: &CertificateFacts) -> bool {
        match self.sha256 {
            Some(wanted) => wanted == certificate,
            None => facts.is_ca && facts.common_name == self.common_name.as_str(),
        }
    }
}
