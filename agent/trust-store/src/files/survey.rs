//! One walk through a directory: every file of concern, what it holds, and what stands beside it.
//!
//! Reading and changing share this walk, so that what is renewed is exactly what was reported. It is bounded in depth,
//! in files, in bytes and in entries; what lies beyond a bound is told as an error.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Component, Path, PathBuf};

use inkan_model::limits::{self, tame_text};
use inkan_model::store::{ReadError, ReadErrorKind, SetEntry};
use inkan_model::{Certificate, Fingerprint};

use super::passwords::{PasswordFiles, Passwords};
use crate::Reading;
use crate::content::{Extension, FileContent, KeyFound, key_presence};
use crate::folder::{Access, Content, Folder, Kind};

/// Where replaced certificates and keys are kept, inside of the folder that they were in. Never walked.
pub(crate) const ARCHIVE: &str = ".inkan-archive";
/// Bytes of one file.
pub(crate) const FILE_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of all files of one walk.
const WALK_BYTES: usize = 64 * 1024 * 1024;
/// Folders of one walk.
const FOLDERS: usize = 2_000;
/// Levels of folders, the directory itself being the first.
const DEPTH: usize = 4;

/// What a walk is to look for.
#[derive(Clone, Copy)]
pub(crate) struct Interest<'i> {
    pub(crate) passwords: &'i PasswordFiles,
    /// The only extension of concern, in lower case; `None` for all that hold certificates.
    pub(crate) only: Option<&'i str>,
}

/// What a walk saw.
#[derive(Default)]
pub(crate) struct Survey {
    pub(crate) folders: Vec<FolderReading>,
    pub(crate) errors: Vec<ReadError>,
}

/// One folder of a walk.
pub(crate) struct FolderReading {
    /// Its path below the directory; empty for the directory itself.
    pub(crate) relative: PathBuf,
    pub(crate) files: Vec<FileReading>,
}

/// One file of a walk.
pub(crate) struct FileReading {
    pub(crate) name: OsString,
    /// Path below the directory, fit to be shown.
    pub(crate) shown: String,
    /// Whether the name is a link (to elsewhere in the directory).
    pub(crate) linked: bool,
    pub(crate) outcome: Result<Opened, ReadError>,
}

/// A file that could be opened.
pub(crate) struct Opened {
    pub(crate) content: FileContent,
    pub(crate) access: Access,
}

impl FileReading {
    pub(crate) fn content(&self) -> Option<&FileContent> {
        self.outcome.as_ref().ok().map(|opened| &opened.content)
    }

    pub(crate) fn holds(&self, certificate: Fingerprint) -> bool {
        self.content().is_some_and(|content| content.certificates.iter().any(|c| c.fingerprint == certificate))
    }
}

impl FolderReading {
    /// The file of this name.
    pub(crate) fn file(&self, name: impl AsRef<OsStr>) -> Option<&FileReading> {
        self.files.iter().find(|file| file.name == name.as_ref())
    }

    /// The other files in which a key for `file` is looked for: the same stem, `.key` before `.pem`.
    pub(crate) fn key_siblings<'s>(&'s self, file: &'s FileReading) -> impl Iterator<Item = &'s FileReading> {
        let sibling = move |extension: &'static str| {
            self.files.iter().filter(move |other| {
                let path = Path::new(&other.name);
                let fits = path.extension().is_some_and(|e| e.eq_ignore_ascii_case(extension));
                fits && path.file_stem() == Path::new(&file.name).file_stem() && other.name != file.name
            })
        };
        sibling("key").chain(sibling("pem"))
    }

    /// Whether there is a key for the certificates of `file`.
    pub(crate) fn key_for(&self, file: &FileReading) -> KeyFound {
        let found = |other: &FileReading| match &other.outcome {
            Ok(opened) if opened.content.keys.any() => KeyFound::Yes,
            Err(_) if Extension::of(&other.name) == Some(Extension::Key) => KeyFound::Unknown,
            Ok(_) | Err(_) => KeyFound::No,
        };
        self.key_siblings(file).map(found).chain([found(file)]).max().unwrap_or(KeyFound::No)
    }
}

impl Survey {
    /// Walks through a directory.
    pub(crate) fn of(root: &Folder, interest: Interest<'_>) -> Self {
        let mut walk = Walk {
            root,
            interest,
            passwords: OnceCell::new(),
            survey: Self::default(),
            bytes_left: WALK_BYTES,
            entries_left: limits::SET_ENTRIES,
        };
        walk.folder(Path::new(""), 1);
        let Walk { mut survey, passwords, .. } = walk;
        survey.errors.extend(passwords.into_inner().unwrap_or_default().errors);
        survey
    }

    /// The walk as a reading of the whole directory.
    pub(crate) fn into_reading(self) -> Reading {
        let mut entries = Vec::new();
        let mut errors = self.errors;
        let mut certificates = BTreeMap::new();
        for folder in &self.folders {
            for file in &folder.files {
                match &file.outcome {
                    Ok(opened) => entries.extend(entries_of(file, &opened.content, folder.key_for(file))),
                    Err(error) => {
                        entries.push(unreadable(None, file, &error.detail));
                        errors.push(error.clone());
                    }
                }
            }
        }
        for opened in self.folders.into_iter().flat_map(|folder| folder.files).filter_map(|file| file.outcome.ok()) {
            certificates.extend(opened.content.certificates.into_iter().map(|c| (c.fingerprint, c)));
        }
        Reading { entries, certificates: certificates.into_values().collect(), errors: bounded(errors) }
    }
}

fn entries_of(file: &FileReading, content: &FileContent, key: KeyFound) -> Vec<SetEntry> {
    let entry = |certificate: &Certificate| {
        certificate.facts.as_ref().ok().map(|facts| {
            SetEntry::certificate(certificate.fingerprint, key_presence(facts, key), Some(file.entry_name()))
        })
    };
    let damaged = content.damaged.iter().map(|damaged| unreadable(Some(damaged.sha256), file, &damaged.why));
    content.certificates.iter().filter_map(entry).chain(damaged).collect()
}

fn unreadable(sha256: Option<Fingerprint>, file: &FileReading, why: &str) -> SetEntry {
    SetEntry::Unreadable { sha256, name: Some(file.entry_name()), why: tame_text(why, limits::SHORT_TEXT) }
}

impl FileReading {
    fn entry_name(&self) -> String {
        tame_text(&self.shown, limits::SHORT_TEXT)
    }
}

/// Sorts errors and keeps as many as are kept one by one; the last one says how many there are besides.
pub(crate) fn bounded(mut errors: Vec<ReadError>) -> Vec<ReadError> {
    errors.sort_unstable();
    errors.dedup();
    if errors.len() > limits::READ_ERRORS {
        let more = errors.len() - (limits::READ_ERRORS - 1);
        errors.truncate(limits::READ_ERRORS - 1);
        errors.push(whole(ReadErrorKind::Other, format!("and {more} errors more")));
    }
    errors
}

/// An error about a directory or store as a whole.
pub(crate) fn whole(kind: ReadErrorKind, detail: impl Into<String>) -> ReadError {
    ReadError { kind, item: String::new(), detail: detail.into() }
}

/// What the operating system said about one item.
pub(crate) fn read_error(item: &str, error: &io::Error) -> ReadError {
    let kind = match error.kind() {
        io::ErrorKind::PermissionDenied => ReadErrorKind::AccessDenied,
        io::ErrorKind::NotFound => ReadErrorKind::NotFound,
        io::ErrorKind::FileTooLarge => ReadErrorKind::TooLarge,
        _ => ReadErrorKind::Other,
    };
    let detail = tame_text(&error.to_string(), limits::SHORT_TEXT);
    ReadError { kind, item: tame_text(item, limits::LONG_TEXT), detail }
}

struct Walk<'w> {
    root: &'w Folder,
    interest: Interest<'w>,
    passwords: OnceCell<Passwords>,
    survey: Survey,
    bytes_left: usize,
    entries_left: usize,
}

impl Walk<'_> {
    fn folder(&mut self, relative: &Path, depth: usize) {
        let shown = relative.to_string_lossy();
        let opened = self.root.open_beneath(relative).and_then(|folder| Ok((folder.names()?, folder)));
        let (listed, folder) = match opened {
            Ok(opened) => opened,
            Err(error) => return self.survey.errors.push(read_error(&shown, &error)),
        };
        if listed.more {
            self.too_large(&shown, "more names than are looked at".to_owned());
        }
        let mut files = Vec::new();
        let mut folders = Vec::new();
        for named in listed.names {
            if named.kind == Kind::Folder {
                folders.extend((named.name != ARCHIVE).then_some(named.name));
            } else if let Some(extension) = self.extension(&named.name) {
                if self.entries_left == 0 || self.bytes_left == 0 {
                    self.too_large("", format!("{shown}/{}: this and what follows is not read", named.name.display()));
                    break;
                }
                files.extend(self.file(&folder, relative, named.name, named.kind, extension));
            }
        }
        self.survey.folders.push(FolderReading { relative: relative.to_path_buf(), files });
        for name in folders {
            let below = relative.join(&name);
            if depth == DEPTH || self.survey.folders.len() >= FOLDERS {
                self.too_large(&below.to_string_lossy(), "lies deeper than is looked".to_owned());
            } else {
                self.folder(&below, depth + 1);
            }
        }
    }

    fn extension(&self, name: &OsStr) -> Option<Extension> {
        let extension = Extension::of(name)?;
        let fits =
            |only: &str| Path::new(name).extension().is_some_and(|extension| extension.eq_ignore_ascii_case(only));
        self.interest.only.is_none_or(fits).then_some(extension)
    }

    fn file(
        &mut self,
        folder: &Folder,
        relative: &Path,
        name: OsString,
        kind: Kind,
        extension: Extension,
    ) -> Option<FileReading> {
        let shown = relative.join(&name).to_string_lossy().into_owned();
        let outcome = match self.bytes(folder, &name, kind) {
            Ok(read) => Ok(self.understand(&shown, &read?, extension)),
            // It went away since the folder was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound && kind == Kind::File => return None,
            Err(error) => Err(read_error(&shown, &error)),
        };
        self.entries_left = self.entries_left.saturating_sub(usize::from(outcome.is_err()));
        Some(FileReading { name, shown, linked: kind == Kind::Link, outcome })
    }

    /// A file's bytes; `None` for a link that leads to a place which is walked for itself or never.
    fn bytes(&mut self, folder: &Folder, name: &OsStr, kind: Kind) -> io::Result<Option<Content>> {
        let limit = FILE_BYTES.min(self.bytes_left);
        let content = match kind {
            Kind::File => folder.read(name, limit)?,
            Kind::Special => return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")),
            Kind::Folder => return Ok(None),
            Kind::Link => match self.through_link(folder, name, limit)? {
                Some(content) => content,
                None => return Ok(None),
            },
        };
        self.bytes_left -= content.bytes.len().min(self.bytes_left);
        Ok(Some(content))
    }

    fn through_link(&self, folder: &Folder, name: &OsStr, limit: usize) -> io::Result<Option<Content>> {
        let Some(target) = folder.link_target(name, self.root)? else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a link out of the directory is not followed"));
        };
        let archived = target.components().any(|component| component == Component::Normal(ARCHIVE.as_ref()));
        let (Some(parent), Some(file)) = (target.parent(), target.file_name()) else { return Ok(None) };
        let beneath = self.root.open_beneath(parent)?;
        if archived || beneath.kind(file)? == Some(Kind::Folder) {
            return Ok(None);
        }
        beneath.read(file, limit).map(Some)
    }

    fn understand(&mut self, shown: &str, read: &Content, extension: Extension) -> Opened {
        let passwords = self.interest.passwords;
        let load = || self.passwords.get_or_init(|| passwords.load()).known.as_slice();
        let mut content = FileContent::read(&read.bytes, extension, load);
        let found = content.certificates.len() + content.damaged.len();
        if content.more || found > self.entries_left {
            self.too_large(shown, format!("more than {} entries", limits::SET_ENTRIES));
            content.certificates.truncate(self.entries_left);
            content.damaged.truncate(self.entries_left - content.certificates.len());
        }
        self.entries_left -= content.certificates.len() + content.damaged.len();
        if content.password_needed {
            let detail = "no known password opens it".to_owned();
            self.survey.errors.push(ReadError {
                kind: ReadErrorKind::PasswordNeeded,
                item: tame_text(shown, limits::LONG_TEXT),
                detail,
            });
        }
        Opened { content, access: read.access }
    }

    fn too_large(&mut self, item: &str, detail: String) {
        let detail = tame_text(&detail, limits::SHORT_TEXT);
        self.survey.errors.push(ReadError { kind: ReadErrorKind::TooLarge, item: item.to_owned(), detail });
    }
}
