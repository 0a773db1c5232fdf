//! PEM framing (RFC 7468), read leniently: text around and between blocks is passed over, each block stands for itself.
//!
//! The file is cut at its markers in one pass before anything is decoded, so a broken block never takes its neighbours
//! with it, and the body of a private key is never looked at.

use inkan_model::limits;

use super::{Damaged, FileContent, Form};

const DASHES: &[u8] = b"-----";
const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";

/// A label longer than this is none.
const LABEL_BYTES: usize = 64;

/// What a block says that it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Label {
    Certificate,
    EncryptedKey,
    Key,
    /// A known label for something that has no place in the inventory.
    Other,
    /// OpenSSL's form: a certificate, and OpenSSL's own notes after it.
    TrustedCertificate,
    Unknown,
}

impl Label {
    fn of(text: &[u8]) -> Self {
        match text {
            b"CERTIFICATE" | b"X509 CERTIFICATE" => Self::Certificate,
            b"TRUSTED CERTIFICATE" => Self::TrustedCertificate,
            b"ENCRYPTED PRIVATE KEY" => Self::EncryptedKey,
            b"CERTIFICATE REQUEST"
            | b"DH PARAMETERS"
            | b"EC PARAMETERS"
            | b"NEW CERTIFICATE REQUEST"
            | b"PUBLIC KEY"
            | b"RSA PUBLIC KEY"
            | b"X509 CRL" => Self::Other,
            _ if text.ends_with(b"PRIVATE KEY") => Self::Key,
            _ => Self::Unknown,
        }
    }
}

/// One block of a PEM file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block<'b> {
    pub(crate) label: Label,
    /// The label as it stands.
    text: &'b [u8],
    /// From the first dash to the last, or to where the next block begins.
    whole: &'b [u8],
    /// What stands between the two markers.
    pub(crate) body: &'b [u8],
    /// Whether its end marker is there.
    ended: bool,
}

/// Whether there is any PEM marker.
pub(super) fn is_framed(bytes: &[u8]) -> bool {
    bytes.windows(BEGIN.len()).any(|window| window == BEGIN)
}

/// Cuts a file at its markers.
pub(crate) fn blocks(bytes: &[u8]) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, Marker<'_>)> = None;
    let mut at = 0;
    while let Some(found) = next_marker(bytes, at) {
        match (open.take(), found.begins) {
            (Some((start, begin)), true) => blocks.push(begin.block(bytes, start, found.start, found.start, false)),
            (Some((start, begin)), false) => blocks.push(begin.block(bytes, start, found.start, found.after, true)),
            (None, _) => {}
        }
        at = found.after;
        if found.begins {
            open = Some((found.start, found));
        }
    }
    if let Some((start, begin)) = open {
        blocks.push(begin.block(bytes, start, bytes.len(), bytes.len(), false));
    }
    blocks
}

#[derive(Clone, Copy)]
struct Marker<'b> {
    begins: bool,
    label: &'b [u8],
    start: usize,
    after: usize,
}

impl<'b> Marker<'b> {
    fn block(&self, bytes: &'b [u8], start: usize, body_end: usize, end: usize, ended: bool) -> Block<'b> {
        let slice = |from: usize, to: usize| bytes.get(from..to).unwrap_or_default();
        Block {
            label: Label::of(self.label),
            text: self.label,
            whole: slice(start, end),
            body: slice(self.after, body_end),
            ended,
        }
    }
}

/// The next marker at or after `from`. Each byte is passed a bounded number of times over the whole file.
fn next_marker(bytes: &[u8], from: usize) -> Option<Marker<'_>> {
    let mut start = from;
    loop {
        let rest = bytes.get(start..)?;
        start += rest.windows(DASHES.len()).position(|window| window == DASHES)?;
        let rest = bytes.get(start..)?;
        let prefix = if rest.starts_with(BEGIN) { BEGIN } else { END };
        if !rest.starts_with(prefix) {
            start += 1;
            continue;
        }
        let label_start = start + prefix.len();
        let line = bytes.get(label_start..)?;
        let line = line.get(..LABEL_BYTES + DASHES.len()).unwrap_or(line);
        let length = line.windows(DASHES.len()).position(|window| window == DASHES);
        let label = length.and_then(|length| line.get(..length)).unwrap_or_default();
        let after = length.map_or(label_start, |length| label_start + length + DASHES.len());
        return Some(Marker { begins: prefix == BEGIN, label, start, after });
    }
}

/// Reads a PEM file.
pub(super) fn read(bytes: &[u8]) -> FileContent {
    let mut content = FileContent::new(Form::Pem);
    for block in blocks(bytes) {
        match block.label {
            Label::Certificate | Label::TrustedCertificate => match decode(&block) {
                Ok(der) => content.take(der),
                Err(why) => content.record(&block, why),
            },
            Label::Key | Label::EncryptedKey => content.count_key(&block),
            Label::Other => {}
            Label::Unknown => {
                let text = limits::tame_text(&String::from_utf8_lossy(block.text), LABEL_BYTES);
                content.record(&block, format!("PEM label “{text}” is not a certificate’s"));
            }
        }
    }
    content
}

impl FileContent {
    fn record(&mut self, block: &Block<'_>, why: String) {
        if self.certificates.len() + self.damaged.len() >= limits::SET_ENTRIES {
            self.more = true;
        } else {
            self.damaged.push(Damaged::new(block.whole, why));
        }
    }

    fn count_key(&mut self, block: &Block<'_>) {
        self.keys.first |= self.certificates.is_empty();
        // The old OpenSSL form says in its first header line that the body is encrypted (RFC 1421 §4.6.1.1).
        let headed = block.body.trim_ascii_start().starts_with(b"Proc-Type:");
        if block.label == Label::EncryptedKey || headed {
            self.keys.encrypted += 1;
        } else {
            self.keys.plain += 1;
        }
    }
}

fn decode(block: &Block<'_>) -> Result<Vec<u8>, String> {
    if !block.ended {
        return Err("the PEM block has no end".to_owned());
    }
    let mut der = pem::parse(block.whole).map_err(|error| error.to_string())?.into_contents();
    if block.label == Label::TrustedCertificate
        && let Ok((rest, _)) = x509_parser::der_parser::parse_der(&der)
    {
        der.truncate(der.len() - rest.len());
    }
    Ok(der)
}

#[cfg(test)]
mod tests {
    use inkan_model::Fingerprint;

    use super::super::tests::self_signed;
    use super::*;

    fn armoured(label: &str, der: &[u8]) -> String {
        pem::encode(&pem::Pem::new(label, der))
    }

    #[test]
    fn several_blocks_are_read_each_for_itself() {
        let (one, key) = self_signed("one");
        let (two, _) = self_signed("two");
        let broken = "-----BEGIN CERTIFICATE-----\nMII*\n-----END CERTIFICATE-----\n";
        let text = format!(
            "Bag Attributes\n  friendlyName: x\n{}{broken}{key}{}",
            armoured("CERTIFICATE", &one),
            armoured("X509 CERTIFICATE", &two)
        );
        let content = read(text.as_bytes());
        assert_eq!(content.certificates.iter().map(|c| &c.der).collect::<Vec<_>>(), [&one, &two]);
        assert_eq!(content.damaged.len(), 1);
        assert_eq!(content.damaged[0].sha256, Fingerprint::of(broken.trim_end().as_bytes()));
        assert_eq!((content.keys.plain, content.keys.first), (1, false));
    }

    #[test]
    fn a_block_without_an_end_stops_where_the_next_one_begins() {
        let (one, key) = self_signed("one");
        let whole = armoured("CERTIFICATE", &one);
        let text = format!("{}{key}", &whole[..whole.len() / 2]);
        let content = read(text.as_bytes());
        assert_eq!(content.damaged[0].sha256, Fingerprint::of(&whole.as_bytes()[..whole.len() / 2]));
        assert!(content.keys.any() && content.keys.first);
    }

    #[test]
    fn a_wrong_label_is_reported_and_a_known_other_one_is_not() {
        let (der, _) = self_signed("one");
        let wrong = read(armoured("CERTIFICAT", &der).as_bytes());
        assert!(wrong.damaged[0].why.contains("CERTIFICAT”"));
        let request = read(armoured("CERTIFICATE REQUEST", &der).as_bytes());
        assert!(request.damaged.is_empty() && request.certificates.is_empty());
    }

    #[test]
    fn markers_that_do_not_match_are_reported() {
        let content = read(b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERT-----\n");
        assert_eq!((content.certificates.len(), content.damaged.len()), (0, 1));
    }

    #[test]
    fn the_notes_of_a_trusted_certificate_are_cut_off() {
        let (der, _) = self_signed("trusted");
        let mut noted = der.clone();
        noted.extend([0x30, 0x02, 0x0c, 0x00]);
        assert_eq!(read(armoured("TRUSTED CERTIFICATE", &noted).as_bytes()).certificates[0].der, der);
    }

    #[test]
    fn keys_under_a_passphrase_are_told_apart() {
        let text = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n\
                    -----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let content = read(text.as_bytes());
        assert_eq!((content.keys.plain, content.keys.encrypted), (0, 2));
    }

    #[test]
    fn a_file_of_nothing_but_begin_markers_is_read_in_linear_time() {
        let text = "-----BEGIN CERTIFICATE-----".repeat(100_000);
        let content = read(text.as_bytes());
        assert!(content.more && content.damaged.len() == limits::SET_ENTRIES);
    }
}
