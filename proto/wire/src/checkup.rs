//! Checkups: what a host's doctor is to look at, and what it found.

use inkan_model::checkup::{Check, CheckResult, CheckStatus, CheckupOutcome};
use inkan_model::digest::Fingerprint;
use inkan_model::directive::CheckupDirective;
use inkan_model::id::CheckupId;
use inkan_model::limits;
use inkan_model::locale::Bilingual;
use inkan_model::programme::{
    AnchorPlace, Browser, Pattern, Programme, ProgrammeChecks, ProgrammeId, Recognise, Site, TlsVersion, WantedAnchor,
};
use inkan_model::time::Timestamp;

use crate::field::{self, InvalidMessage};
use crate::pb;

impl TryFrom<pb::CheckupDirective> for CheckupDirective {
    type Error = InvalidMessage;

    fn try_from(message: pb::CheckupDirective) -> Result<Self, InvalidMessage> {
        let pb::CheckupDirective { checkup, programme } = message;
        Ok(Self { checkup: checkup_id(&checkup)?, programme: field::optional("programme", programme)? })
    }
}

impl From<CheckupDirective> for pb::CheckupDirective {
    fn from(directive: CheckupDirective) -> Self {
        let CheckupDirective { checkup, programme } = directive;
        Self { checkup: checkup.as_bytes().to_vec(), programme: programme.map(Into::into) }
    }
}

fn checkup_id(bytes: &[u8]) -> Result<CheckupId, InvalidMessage> {
    CheckupId::from_slice(bytes).map_err(|why| InvalidMessage::new("checkup", why))
}

/// A text that is parsed into something; both what is wrong and the field are named.
fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(field: &str, text: &str) -> Result<T, InvalidMessage> {
    text.parse().map_err(|why| InvalidMessage::new(field, why))
}

fn each_parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
    field: &str,
    texts: Vec<String>,
) -> Result<Vec<T>, InvalidMessage> {
    field::each(field, texts, limits::PROGRAMME_LIST, |text| text.parse().map_err(InvalidMessage::unnamed))
}

fn texts<T: std::fmt::Display>(values: Vec<T>) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

fn bilingual(found: Option<pb::Bilingual>, field: &str, limit: usize) -> Result<Bilingual, InvalidMessage> {
    let pb::Bilingual { ja, en } = found.ok_or_else(|| InvalidMessage::new(field, "is missing"))?;
    let text = |name: &str, text| field::name(&format!("{field}.{name}"), text, limit);
    Ok(Bilingual { ja: text("ja", ja)?, en: text("en", en)? })
}

impl From<Bilingual> for pb::Bilingual {
    fn from(text: Bilingual) -> Self {
        let Bilingual { ja, en } = text;
        Self { ja, en }
    }
}

impl TryFrom<pb::Programme> for Programme {
    type Error = InvalidMessage;

    fn try_from(message: pb::Programme) -> Result<Self, InvalidMessage> {
        let pb::Programme { id, names, recognise, anchors, checks } = message;
        Ok(Self {
            id: parsed::<ProgrammeId>("id", &id)?,
            names: bilingual(names, "names", limits::SHORT_TEXT)?,
            recognise: field::optional("recognise", recognise)?,
            anchors: read_anchors(anchors)?,
            checks: field::optional("checks", checks)?.unwrap_or_default(),
        })
    }
}

/// An anchor whose place is not known here is left out: refusing it would refuse every other directive with it.
fn read_anchors(anchors: Vec<pb::WantedAnchor>) -> Result<Vec<WantedAnchor>, InvalidMessage> {
    field::each("anchors", anchors, limits::PROGRAMME_LIST, |anchor| match place_of(anchor.place) {
        Some(store) => read_anchor(anchor, store).map(Some),
        None => Ok(None),
    })
    .map(|read| read.into_iter().flatten().collect())
}

impl From<Programme> for pb::Programme {
    fn from(programme: Programme) -> Self {
        let Programme { id, names, recognise, anchors, checks } = programme;
        Self {
            id: id.to_string(),
            names: Some(names.into()),
            recognise: recognise.map(Into::into),
            anchors: anchors.into_iter().map(Into::into).collect(),
            checks: Some(checks.into()),
        }
    }
}

/// Rules that fit every certificate are refused: a programme's certificates would be everybody's.
impl TryFrom<pb::Recognise> for Recognise {
    type Error = InvalidMessage;

    fn try_from(message: pb::Recognise) -> Result<Self, InvalidMessage> {
        let pb::Recognise {
            issuer_common_names,
            issuer_contains,
            subject_common_name_prefixes,
            subject_contains,
            client_auth,
        } = message;
        let rules = Self {
            issuer_common_names: each_parsed::<Pattern>("issuer_common_names", issuer_common_names)?,
            issuer_contains: each_parsed("issuer_contains", issuer_contains)?,
            subject_common_name_prefixes: each_parsed("subject_common_name_prefixes", subject_common_name_prefixes)?,
            subject_contains: each_parsed("subject_contains", subject_contains)?,
            client_auth,
        };
        if rules.is_empty() {
            Err(InvalidMessage::unnamed("names nothing to recognise a certificate by"))
        } else {
            Ok(rules)
        }
    }
}

impl From<Recognise> for pb::Recognise {
    fn from(rules: Recognise) -> Self {
        let Recognise {
            issuer_common_names,
            issuer_contains,
            subject_common_name_prefixes,
            subject_contains,
            client_auth,
        } = rules;
        Self {
            issuer_common_names: texts(issuer_common_names),
            issuer_contains: texts(issuer_contains),
            subject_common_name_prefixes: texts(subject_common_name_prefixes),
            subject_contains: texts(subject_contains),
            client_auth,
        }
    }
}

fn place_of(number: i32) -> Option<AnchorPlace> {
    match pb::AnchorPlace::try_from(number) {
        Ok(pb::AnchorPlace::Root) => Some(AnchorPlace::Root),
        Ok(pb::AnchorPlace::Intermediate) => Some(AnchorPlace::Intermediate),
        Ok(pb::AnchorPlace::Unspecified) | Err(_) => None,
    }
}

fn read_anchor(anchor: pb::WantedAnchor, store: AnchorPlace) -> Result<WantedAnchor, InvalidMessage> {
    let pb::WantedAnchor { common_name, sha256, place: _ } = anchor;
    let sha256 = sha256.map(|bytes| field::digest("sha256", &bytes, Fingerprint::from_slice)).transpose()?;
    Ok(WantedAnchor { common_name: parsed("common_name", &common_name)?, sha256, store })
}

impl From<WantedAnchor> for pb::WantedAnchor {
    fn from(anchor: WantedAnchor) -> Self {
        let WantedAnchor { common_name, sha256, store } = anchor;
        let place = match store {
            AnchorPlace::Root => pb::AnchorPlace::Root,
            AnchorPlace::Intermediate => pb::AnchorPlace::Intermediate,
        };
        Self {
            common_name: common_name.to_string(),
            sha256: sha256.map(|digest| digest.as_bytes().to_vec()),
            place: place.into(),
        }
    }
}

impl TryFrom<pb::ProgrammeChecks> for ProgrammeChecks {
    type Error = InvalidMessage;

    fn try_from(message: pb::ProgrammeChecks) -> Result<Self, InvalidMessage> {
        let pb::ProgrammeChecks {
            sites,
            minimum_tls,
            trusted_zone,
            pop_ups,
            cookies,
            proxy_exceptions,
            closed_browsers,
            java,
        } = message;
        let version = |number: String| {
            TlsVersion::from_number(&number).ok_or_else(|| InvalidMessage::new("minimum_tls", "is no version of TLS"))
        };
        // A browser that only a newer server knows is one that this host cannot look for.
        let known = |name: &String| Browser::from_name(name);
        field::count("closed_browsers", closed_browsers.len(), limits::PROGRAMME_LIST)?;
        Ok(Self {
            sites: each_parsed::<Site>("sites", sites)?,
            minimum_tls: minimum_tls.map(version).transpose()?,
            trusted_zone,
            pop_ups,
            cookies,
            proxy_exceptions: each_parsed("proxy_exceptions", proxy_exceptions)?,
            closed_browsers: closed_browsers.iter().filter_map(known).collect(),
            java,
        })
    }
}

impl From<ProgrammeChecks> for pb::ProgrammeChecks {
    fn from(checks: ProgrammeChecks) -> Self {
        let ProgrammeChecks {
            sites,
            minimum_tls,
            trusted_zone,
            pop_ups,
            cookies,
            proxy_exceptions,
            closed_browsers,
            java,
        } = checks;
        Self {
            sites: texts(sites),
            minimum_tls: minimum_tls.map(|version| version.number().to_owned()),
            trusted_zone,
            pop_ups,
            cookies,
            proxy_exceptions: texts(proxy_exceptions),
            closed_browsers: closed_browsers.into_iter().map(|browser| browser.name().to_owned()).collect(),
            java,
        }
    }
}

impl TryFrom<pb::CheckupOutcome> for CheckupOutcome {
    type Error = InvalidMessage;

    fn try_from(message: pb::CheckupOutcome) -> Result<Self, InvalidMessage> {
        let pb::CheckupOutcome { checkup, examined_at_ms, results } = message;
        Ok(Self {
            checkup: checkup_id(&checkup)?,
            examined_at: Timestamp::from_unix_millis(examined_at_ms),
            results: field::each("results", results, limits::CHECK_RESULTS, CheckResult::try_from)?,
        })
    }
}

impl From<CheckupOutcome> for pb::CheckupOutcome {
    fn from(outcome: CheckupOutcome) -> Self {
        let CheckupOutcome { checkup, examined_at, results } = outcome;
        Self {
            checkup: checkup.as_bytes().to_vec(),
            examined_at_ms: examined_at.as_unix_millis(),
            results: results.into_iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<pb::CheckResult> for CheckResult {
    type Error = InvalidMessage;

    fn try_from(message: pb::CheckResult) -> Result<Self, InvalidMessage> {
        let pb::CheckResult { check, status, statement, remedy } = message;
        let remedy = remedy.map(|remedy| bilingual(Some(remedy), "remedy", limits::CHECK_TEXT)).transpose()?;
        Ok(Self {
            name: Check::from_number(check),
            status: CheckStatus::from_number(status),
            statement: bilingual(statement, "statement", limits::CHECK_TEXT)?,
            remedy,
        })
    }
}

impl From<CheckResult> for pb::CheckResult {
    fn from(result: CheckResult) -> Self {
        let CheckResult { name, status, statement, remedy } = result;
        Self {
            check: name.number(),
            status: status.number(),
            statement: Some(statement.into()),
            remedy: remedy.map(Into::into),
        }
    }
}
