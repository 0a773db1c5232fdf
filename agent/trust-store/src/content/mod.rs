//! What the bytes of one file hold: certificates, damaged certificates, and whether there are private keys.
//!
//! Pure functions over bytes from anywhere: nothing is dropped in silence, nothing panics, and each pass over the bytes
//! is linear. Private keys are counted by their labels and never decoded here.

mod pem;
mod pkcs12;

use inkan_model::certificate::CertificateFacts;
use inkan_model::limits;
use inkan_model::store::KeyPresence;
use inkan_model::{Certificate, Fingerprint};
use zeroize::Zeroizing;

pub(crate) use self::pem::{Label, blocks};
pub(crate) use self::pkcs12::private_keys;

/// The form that a file's name promises.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Extension {
    /// `.pem`.
    Pem,
    /// `.crt`, `.cer` or `.der`: DER or PEM.
    Certificate,
    /// `.p12` or `.pfx`.
    Pkcs12,
    /// `.key`.
    Key,
}

impl Extension {
    /// Reads a file name's extension; `None` for files that are of no concern.
    pub(crate) fn of(name: &std::ffi::OsStr) -> Option<Self> {
        let extension = std::path::Path::new(name).extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "pem" => Some(Self::Pem),
            "cer" | "crt" | "der" => Some(Self::Certificate),
            "p12" | "pfx" => Some(Self::Pkcs12),
            "key" => Some(Self::Key),
            _ => None,
        }
    }
}

/// The form that a file's bytes really have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    Der,
    Pem,
    Pkcs12,
    /// None of these.
    Unknown,
}

/// What one file holds.
#[derive(Debug)]
pub(crate) struct FileContent {
    pub(crate) form: Form,
    /// Readable certificates, in the order of the file.
    pub(crate) certificates: Vec<Certificate>,
    /// What should have been a certificate.
    pub(crate) damaged: Vec<Damaged>,
    pub(crate) keys: Keys,
    /// Whether only a password keeps it from being read.
    pub(crate) password_needed: bool,
    /// Whether it holds more than is taken in.
    pub(crate) more: bool,
}

/// Bytes that should have been a certificate.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Damaged {
    pub(crate) sha256: Fingerprint,
    pub(crate) why: String,
}

impl Damaged {
    fn new(bytes: &[u8], why: impl Into<String>) -> Self {
        let why: String = why.into();
        Self { sha256: Fingerprint::of(bytes), why: limits::tame_text(&why, limits::SHORT_TEXT) }
    }
}

/// The private keys of one file, by their labels alone.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Keys {
    /// PEM blocks that hold a key in the open.
    pub(crate) plain: usize,
    /// PEM blocks that hold a key under a passphrase.
    pub(crate) encrypted: usize,
    /// Keys that are not PEM: a `.key` file in DER, or inside PKCS#12.
    pub(crate) other: usize,
    /// Whether a key stands before the first certificate.
    pub(crate) first: bool,
}

impl Keys {
    pub(crate) const fn any(self) -> bool {
        self.plain + self.encrypted + self.other > 0
    }
}

impl FileContent {
    const fn new(form: Form) -> Self {
        let keys = Keys { plain: 0, encrypted: 0, other: 0, first: false };
        Self { form, certificates: Vec::new(), damaged: Vec::new(), keys, password_needed: false, more: false }
    }

    fn unknown(bytes: &[u8], why: &str) -> Self {
        Self { damaged: vec![Damaged::new(bytes, why)], ..Self::new(Form::Unknown) }
    }

    /// Reads one file's bytes. `passwords` is asked only when there is a PKCS#12 file to open.
    pub(crate) fn read<'p>(
        bytes: &[u8],
        extension: Extension,
        passwords: impl FnOnce() -> &'p [Zeroizing<String>],
    ) -> Self {
        if extension == Extension::Pkcs12 {
            return pkcs12::read(bytes, passwords());
        }
        if pem::is_framed(bytes) {
            return pem::read(bytes);
        }
        match extension {
            Extension::Key => Self::bare_key(bytes),
            _ if bytes.is_empty() => Self::unknown(bytes, "is empty"),
            _ if starts_der_sequence(bytes) => Self::der(bytes),
            _ => Self::unknown(bytes, "neither PEM nor DER"),
        }
    }

    fn der(bytes: &[u8]) -> Self {
        let mut content = Self::new(Form::Der);
        content.take(bytes.to_vec());
        content
    }

    /// A `.key` file without PEM framing: only its first octet is looked at.
    fn bare_key(bytes: &[u8]) -> Self {
        let mut content = Self::new(Form::Unknown);
        content.keys.other = usize::from(starts_der_sequence(bytes));
        content
    }

    fn take(&mut self, der: Vec<u8>) {
        if self.certificates.len() + self.damaged.len() >= limits::SET_ENTRIES {
            self.more = true;
            return;
        }
        let certificate = Certificate::read(der);
        match &certificate.facts {
            Ok(_) => self.certificates.push(certificate),
            Err(error) => {
                let why = limits::tame_text(&error.why, limits::SHORT_TEXT);
                self.damaged.push(Damaged { sha256: certificate.fingerprint, why });
            }
        }
    }
}

/// What is known about the private key that belongs to a file's end-entity certificates.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum KeyFound {
    No,
    /// There is a file for it that may not be opened.
    Unknown,
    Yes,
}

/// Says whether a certificate's private key is there, from what was found beside it.
pub(crate) fn key_presence(facts: &CertificateFacts, found: KeyFound) -> KeyPresence {
    let used_by_a_client = facts.client_auth != Some(false);
    match found {
        _ if facts.is_ca => KeyPresence::NotExpected,
        KeyFound::Yes => KeyPresence::Present,
        KeyFound::Unknown => KeyPresence::Unknown,
        KeyFound::No if used_by_a_client => KeyPresence::Absent,
        KeyFound::No => KeyPresence::NotExpected,
    }
}

/// Whether the first octet is DER's SEQUENCE, with which each certificate, key and PKCS#12 file begins.
fn starts_der_sequence(bytes: &[u8]) -> bool {
    bytes.first() == Some(&0x30)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(super) fn self_signed(name: &str) -> (Vec<u8>, String) {
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = rcgen::KeyPair::generate().unwrap();
        (params.self_signed(&key).unwrap().der().to_vec(), key.serialize_pem())
    }

    fn read(bytes: &[u8], extension: Extension) -> FileContent {
        FileContent::read(bytes, extension, || &[])
    }

    #[test]
    fn the_extension_is_read_whatever_its_case() {
        assert_eq!(Extension::of("A.CRT".as_ref()), Some(Extension::Certificate));
        assert_eq!(Extension::of("a.pfx".as_ref()), Some(Extension::Pkcs12));
        assert_eq!(Extension::of("a.txt".as_ref()), None);
        assert_eq!(Extension::of(".key".as_ref()), None);
    }

    #[test]
    fn der_is_read_under_any_name() {
        let (der, _) = self_signed("der");
        for extension in [Extension::Certificate, Extension::Pem] {
            let content = read(&der, extension);
            assert_eq!((content.form, content.certificates.len()), (Form::Der, 1));
        }
    }

    #[test]
    fn a_bare_key_is_counted_and_not_reported_as_damaged() {
        let content = read(b"\x30\x82\x01\x00rest", Extension::Key);
        assert!(content.keys.any() && content.damaged.is_empty() && content.certificates.is_empty());
        assert!(!read(b"", Extension::Key).keys.any());
    }

    #[test]
    fn broken_files_are_recorded_by_their_digest() {
        let (der, _) = self_signed("broken");
        let mut flipped = der.clone();
        flipped[6] ^= 0xff;
        let huge = {
            let mut huge = vec![0x30, 0x83, 0x02, 0x00, 0x00];
            huge.resize(5 + 0x2_0000, 0);
            huge
        };
        let corpus: [&[u8]; 6] = [&der[..der.len() / 2], &flipped, b"", &huge, b"\x7fELF\x02\x01", &[0; 64]];
        for bytes in corpus {
            let content = read(bytes, Extension::Certificate);
            assert!(content.certificates.is_empty());
            assert_eq!(content.damaged[0].sha256, Fingerprint::of(bytes), "{:?}", content.damaged);
            assert!(!content.damaged[0].why.is_empty());
        }
    }

    fn any_extension() -> impl Strategy<Value = Extension> {
        prop_oneof![Just(Extension::Pem), Just(Extension::Certificate), Just(Extension::Pkcs12), Just(Extension::Key)]
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic_and_never_in_silence(
            bytes in proptest::collection::vec(any::<u8>(), 0..1024),
            extension in any_extension(),
        ) {
            let content = read(&bytes, extension);
            let silent = content.certificates.is_empty() && content.damaged.is_empty();
            prop_assert!(!silent || extension == Extension::Key);
        }

        #[test]
        fn any_arrangement_of_pem_pieces_is_read_without_a_panic(
            pieces in proptest::collection::vec(0_usize..9, 0..40),
        ) {
            const PIECES: [&str; 9] = [
                "-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n", "-----BEGIN PRIVATE KEY-----\n",
                "-----END PRIVATE KEY-----\n", "MIIB", "\n", "-----", "-----BEGIN ", "\0\u{e9}",
            ];
            let text: String = pieces.iter().map(|piece| PIECES[*piece]).collect();
            let _ = read(text.as_bytes(), Extension::Pem);
        }

        #[test]
        fn a_certificate_with_a_flipped_bit_is_never_dropped(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
            let (mut der, _) = self_signed("flip");
            let at = at.index(der.len());
            der[at] ^= 1 << bit;
            let content = read(&der, Extension::Certificate);
            prop_assert_eq!(content.certificates.len() + content.damaged.len(), 1);
        }
    }
}
