//! What the `security` program says, as data.
//!
//! Written for people, it differs from version to version: lines that are not known are passed over, and nothing that is
//! read here is ever more than told. Every pass is linear in the output, which the caller bounds.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::HEXUPPER_PERMISSIVE;
use inkan_model::properties::{TrustFlags, TrustLevel};

/// SHA-1 of a certificate, by which the program names identities.
pub(super) type Sha1 = [u8; 20];

/// Names by SHA-1, from `find-certificate -a -Z`: a hash, then the attributes of that certificate.
pub(super) fn labels(output: &str) -> BTreeMap<Sha1, String> {
    let mut labels = BTreeMap::new();
    let mut current = None;
    for line in output.lines().map(str::trim) {
        if let Some(hash) = line.strip_prefix("SHA-1 hash:") {
            current = sha1(hash.trim());
        } else if let Some(value) = line.strip_prefix("\"labl\"<blob>=")
            && let (Some(hash), Some(label)) = (current, blob(value))
        {
            labels.insert(hash, label);
        }
    }
    labels
}

/// A value of an attribute: `"text"`, or `0x…` and the same with escapes behind it, or `<NULL>`.
fn blob(value: &str) -> Option<String> {
    if let Some(hexadecimal) = value.strip_prefix("0x") {
        let digits = hexadecimal.split_whitespace().next()?;
        let bytes = HEXUPPER_PERMISSIVE.decode(digits.as_bytes()).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        return Some(text.trim_end_matches('\0').to_owned());
    }
    Some(value.strip_prefix('"')?.strip_suffix('"')?.to_owned())
}

/// Certificates that have a key, by SHA-1, from `find-identity`: `  1) <hash> "name"`, under several headings.
pub(super) fn identities(output: &str) -> BTreeSet<Sha1> {
    let identity = |line: &str| {
        let (number, rest) = line.trim().split_once(") ")?;
        number.parse::<u32>().ok()?;
        sha1(rest.split_whitespace().next()?)
    };
    output.lines().filter_map(identity).collect()
}

/// What `dump-trust-settings` says of one certificate, which it names as people do.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct TrustSettings {
    pub(super) name: String,
    pub(super) trust: TrustFlags,
}

/// The settings of one domain, in the order of the output.
pub(super) fn trust_settings(output: &str) -> Vec<TrustSettings> {
    let mut found = Vec::new();
    let mut open: Option<Open> = None;
    for line in output.lines() {
        if let Some((number, name)) = line.strip_prefix("Cert ").and_then(|rest| rest.split_once(": "))
            && number.parse::<u32>().is_ok()
        {
            found.extend(open.replace(Open::new(name)).map(Open::close));
            continue;
        }
        let (Some(certificate), Some((field, value))) = (&mut open, line.trim().split_once(':')) else { continue };
        certificate.take(field.trim(), value.trim());
    }
    found.extend(open.map(Open::close));
    found
}

/// One certificate's settings while they are read.
struct Open {
    name: String,
    settings: Vec<Setting>,
    /// Whether the program said that it has none of its own, which stands for trust in everything.
    whole: bool,
}

/// One setting. Without a policy it is for all of them, and without a result it trusts a root.
#[derive(Default)]
struct Setting {
    policy: Option<String>,
    result: Option<String>,
    /// Whether it is for some names, applications or uses of the key only.
    narrowed: bool,
}

impl Open {
    fn new(name: &str) -> Self {
        Self { name: name.trim().to_owned(), settings: Vec::new(), whole: false }
    }

    fn take(&mut self, field: &str, value: &str) {
        if field == "Number of trust settings" {
            self.whole = value == "0";
        } else if field.starts_with("Trust Setting ") {
            self.settings.push(Setting::default());
        } else if let Some(setting) = self.settings.last_mut() {
            match field {
                "Policy OID" => setting.policy = Some(value.to_owned()),
                "Result Type" => setting.result = Some(value.to_owned()),
                "Application" | "Key Usage" | "Policy String" => setting.narrowed = true,
                _ => {}
            }
        }
    }

    fn close(self) -> TrustSettings {
        let Self { name, mut settings, whole } = self;
        if whole {
            settings.push(Setting::default());
        }
        let level = |purpose: Purpose| {
            let levels = settings.iter().filter(|setting| setting.is_for(purpose)).map(Setting::level);
            // A refusal counts whatever stands beside it.
            levels.max_by_key(|level| match level {
                TrustLevel::Distrusted => 2,
                TrustLevel::Anchor => 1,
                _ => 0,
            })
        };
        let level = |purpose| level(purpose).unwrap_or_default();
        let trust = TrustFlags {
            server: level(Purpose::Tls),
            client: level(Purpose::Tls),
            email: level(Purpose::Mail),
            code: level(Purpose::Code),
        };
        TrustSettings { name, trust }
    }
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Purpose {
    Code,
    Mail,
    Tls,
}

impl Setting {
    fn is_for(&self, purpose: Purpose) -> bool {
        let Some(policy) = &self.policy else { return true };
        let policy: String = policy.chars().filter(char::is_ascii_alphanumeric).collect();
        match policy.to_ascii_lowercase().as_str() {
            "basicx509" | "x509basic" | "applex509basic" => true,
            "ssl" | "applessl" => purpose == Purpose::Tls,
            "smime" | "applesmime" => purpose == Purpose::Mail,
            "codesigning" | "codesign" | "applecodesigning" => purpose == Purpose::Code,
            _ => false,
        }
    }

    fn level(&self) -> TrustLevel {
        match self.result.as_deref() {
            Some("kSecTrustSettingsResultDeny") => TrustLevel::Distrusted,
            _ if self.narrowed => TrustLevel::Unset,
            None | Some("kSecTrustSettingsResultTrustAsRoot" | "kSecTrustSettingsResultTrustRoot") => {
                TrustLevel::Anchor
            }
            Some(_) => TrustLevel::Unset,
        }
    }
}

fn sha1(text: &str) -> Option<Sha1> {
    HEXUPPER_PERMISSIVE.decode(text.as_bytes()).ok()?.try_into().ok()
}
