//! Where a renewal's files are: the old certificate's, the new one's beside it, and those in the archive.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use inkan_model::{Certificate, Fingerprint, RenewalId};
use zeroize::Zeroizing;

use crate::content::{Extension, FileContent, Form, Keys};
use crate::files::survey::{ARCHIVE, FILE_BYTES, FileReading, FolderReading, Opened, Survey};
use crate::folder::{Folder, Kind};
use crate::p256::SoftwareKey;

/// Folders for one old certificate in the archive; there is more than one when it was put back by hand.
const ARCHIVE_SLOTS: usize = 10;

/// The names of everything that one renewal makes.
pub(super) struct Names {
    /// The new key, from when it is made until the old certificate is archived.
    pub(super) key: String,
    /// A file that is being written.
    pub(super) temporary: String,
    /// Says in the archive which renewal put the old certificate there.
    pub(super) archived: String,
    mark: String,
}

impl Names {
    pub(super) fn of(renewal: RenewalId) -> Self {
        let tail = data_encoding::HEXLOWER.encode(&renewal.as_bytes()[10..14]);
        Self {
            key: format!(".inkan-{renewal}.key"),
            temporary: format!(".inkan-{renewal}.tmp"),
            archived: format!("renewal-{renewal}"),
            mark: format!(".inkan-{tail}"),
        }
    }

    /// The new certificate, beside an old one of this stem.
    pub(super) fn new_certificate(&self, stem: &str) -> String {
        format!("{stem}{}.pem", self.mark)
    }

    /// The new certificate's key, beside it.
    pub(super) fn new_key(&self, stem: &str) -> String {
        format!("{stem}{}.key", self.mark)
    }

    /// The old stem in the name of a new certificate or its key.
    pub(super) fn stem_of<'n>(&self, name: &'n OsStr) -> Option<&'n str> {
        let name = name.to_str()?;
        [".pem", ".key"].into_iter().find_map(|extension| name.strip_suffix(extension)?.strip_suffix(&self.mark))
    }
}

/// Where the private key of a certificate file is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum KeyForm {
    /// In the same file; whether it comes before the certificate.
    Combined { key_first: bool },
    /// In a file of its own.
    Beside(String),
}

impl KeyForm {
    /// The file that holds the key of the certificate file `certificate`.
    pub(super) fn file<'n>(&'n self, certificate: &'n str) -> &'n str {
        match self {
            Self::Combined { .. } => certificate,
            Self::Beside(name) => name,
        }
    }
}

/// A certificate file with its key: which folder, which names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Place {
    /// The folder, below the Location.
    pub(super) folder: PathBuf,
    pub(super) certificate: String,
    pub(super) key: KeyForm,
}

impl Place {
    pub(super) fn stem(&self) -> &str {
        stem(&self.certificate)
    }
}

pub(super) fn stem(name: &str) -> &str {
    Path::new(name).file_stem().and_then(OsStr::to_str).unwrap_or(name)
}

/// The place of the old certificate, where it still stands. The error says why it cannot be changed.
pub(super) fn find_old(survey: &Survey, old: Fingerprint) -> Result<Option<Place>, String> {
    let mut found = Vec::new();
    let mut without_key = false;
    for folder in &survey.folders {
        for file in folder.files.iter().filter(|file| file.holds(old)) {
            match key_file(folder, file) {
                Some(key) => found.push((folder, file, key)),
                None => without_key = true,
            }
        }
    }
    match found.as_slice() {
        [] if without_key => Err("the private key is not beside the certificate".to_owned()),
        [] => Ok(None),
        [(folder, file, key)] => changeable(folder, file, key, old).map(Some),
        several => {
            let names: Vec<_> = several.iter().map(|(_, file, _)| file.shown.as_str()).collect();
            Err(format!("the certificate stands with a key in several files: {}", names.join(", ")))
        }
    }
}

/// The file with the key of a certificate file: itself, or the nearest beside it.
fn key_file<'f>(folder: &'f FolderReading, file: &'f FileReading) -> Option<&'f FileReading> {
    let has_key = |file: &&FileReading| file.content().is_some_and(|content| content.keys.any());
    Some(file).filter(has_key).or_else(|| folder.key_siblings(file).find(has_key))
}

fn changeable(
    folder: &FolderReading,
    file: &FileReading,
    key: &FileReading,
    old: Fingerprint,
) -> Result<Place, String> {
    let (Ok(Opened { content, .. }), Ok(Opened { content: key_content, .. })) = (&file.outcome, &key.outcome) else {
        return Err("it could not be read".to_owned());
    };
    let others = |c: &Certificate| c.fingerprint != old && c.facts.as_ref().is_ok_and(|facts| !facts.is_ca);
    let combined = file.name == key.name;
    let why = match content.form {
        Form::Pkcs12 => "PKCS#12 files are not changed: programs that read them want their own password and key",
        Form::Der | Form::Unknown => "only PEM certificates are changed",
        Form::Pem if file.linked || key.linked => "the certificate or its key is a link",
        Form::Pem if content.certificates.iter().any(others) => "the file holds another certificate as well",
        Form::Pem if key_content.keys.encrypted > 0 => "the old key is under a passphrase that the agent does not have",
        Form::Pem if !matches!(key_content.keys, Keys { plain: 1, other: 0, .. }) => {
            "the key file does not hold exactly one PEM key"
        }
        Form::Pem if !combined && !key_content.certificates.is_empty() => "the key file holds certificates as well",
        Form::Pem => "",
    };
    let names = (file.name.to_str(), key.name.to_str());
    match (why, names) {
        ("", (Some(certificate), Some(key_name))) => {
            let key_first = content.keys.first;
            let key = if combined { KeyForm::Combined { key_first } } else { KeyForm::Beside(key_name.to_owned()) };
            Ok(Place { folder: folder.relative.clone(), certificate: certificate.to_owned(), key })
        }
        ("", _) => Err("its file name is not UTF-8".to_owned()),
        (why, _) => Err(why.to_owned()),
    }
}

/// The folder and stem beside which a new certificate is installed.
pub(super) fn find_installed(survey: &Survey, names: &Names) -> Option<(PathBuf, String)> {
    survey.folders.iter().find_map(|folder| {
        let stems = folder.files.iter().filter_map(|file| names.stem_of(&file.name));
        let installed = |stem: &&str| folder.file(names.new_certificate(stem)).is_some();
        stems.filter(installed).map(|stem| (folder.relative.clone(), stem.to_owned())).next()
    })
}

/// The folder in which a renewal's key waits.
pub(super) fn find_key(survey: &Survey, names: &Names) -> Option<PathBuf> {
    survey.folders.iter().find(|folder| folder.file(&names.key).is_some()).map(|folder| folder.relative.clone())
}

/// One folder of the archive that holds an old certificate.
pub(super) struct Archived {
    pub(super) folder: Folder,
    pub(super) slot: String,
    pub(super) certificate: String,
    pub(super) key: KeyForm,
}

/// Names of the archive's folders for one old certificate.
pub(super) fn archive_slots(old: Fingerprint) -> impl Iterator<Item = String> {
    (0..ARCHIVE_SLOTS).map(move |n| if n == 0 { old.short() } else { format!("{}-{n}", old.short()) })
}

/// Looks for the old certificate in the archive of a folder.
pub(super) fn find_archived(folder: &Folder, old: Fingerprint) -> std::io::Result<Vec<Archived>> {
    let mut found = Vec::new();
    if folder.kind(ARCHIVE)?.is_none() {
        return Ok(found);
    }
    let archive = folder.open_beneath(Path::new(ARCHIVE))?;
    for slot in archive_slots(old) {
        if archive.kind(&slot)? != Some(Kind::Folder) {
            continue;
        }
        let kept = archive.open_beneath(Path::new(&slot))?;
        if let Some((certificate, keys)) = certificate_in(&kept, old)? {
            let key = if keys.any() {
                Some(KeyForm::Combined { key_first: keys.first })
            } else {
                key_beside(&kept, &certificate)?.or(key_beside(folder, &certificate)?).map(KeyForm::Beside)
            };
            found.extend(key.map(|key| Archived { folder: kept, slot, certificate, key }));
        }
    }
    Ok(found)
}

fn certificate_in(folder: &Folder, old: Fingerprint) -> std::io::Result<Option<(String, Keys)>> {
    for named in folder.names()?.names {
        let (Some(extension), Some(name)) = (Extension::of(&named.name), named.name.to_str()) else { continue };
        let read = folder.read(name, FILE_BYTES)?;
        let content = FileContent::read(&read.bytes, extension, || &[]);
        if content.certificates.iter().any(|certificate| certificate.fingerprint == old) {
            return Ok(Some((name.to_owned(), content.keys)));
        }
    }
    Ok(None)
}

fn key_beside(folder: &Folder, certificate: &str) -> std::io::Result<Option<String>> {
    for extension in ["key", "pem"] {
        for named in folder.names()?.names {
            let path = Path::new(&named.name);
            let fits = path.extension().is_some_and(|e| e.eq_ignore_ascii_case(extension))
                && path.file_stem().and_then(OsStr::to_str) == Some(stem(certificate))
                && named.name != certificate;
            if fits && named.kind == Kind::File {
                let read = folder.read(&named.name, FILE_BYTES)?;
                let content = FileContent::read(&read.bytes, Extension::Pem, || &[]);
                if content.keys.any() {
                    return Ok(named.name.into_string().ok());
                }
            }
        }
    }
    Ok(None)
}

/// A certificate file and its key as they really stand.
pub(super) struct Standing {
    pub(super) chain: Vec<Certificate>,
    pub(super) key: SoftwareKey,
    pub(super) key_file: Zeroizing<Vec<u8>>,
}

/// Reads a certificate of our own making with its key, and checks that the two belong together.
pub(super) fn read_standing(folder: &Folder, certificate: &str, key: &KeyForm) -> Result<Standing, String> {
    let read = |name: &str| folder.read(name, FILE_BYTES).map_err(|error| format!("{name}: {error}"));
    let file = read(certificate)?;
    let content = FileContent::read(&file.bytes, Extension::Pem, || &[]);
    let key_file = read(key.file(certificate))?;
    let key_pair = SoftwareKey::from_pem(&key_file.bytes).map_err(|error| format!("{certificate}: {error}"))?;
    let leaf = content.certificates.first().and_then(|certificate| certificate.facts.as_ref().ok());
    match leaf {
        Some(facts) if key_pair.belongs_to(&facts.spki_sha256) => {
            Ok(Standing { chain: content.certificates, key: key_pair, key_file: key_file.bytes })
        }
        Some(_) => Err(format!("{certificate}: its key belongs to another certificate")),
        None => Err(format!("{certificate}: holds no certificate")),
    }
}

impl Standing {
    /// The certificate itself.
    pub(super) fn leaf(&self) -> Option<Fingerprint> {
        self.chain.first().map(|certificate| certificate.fingerprint)
    }
}
