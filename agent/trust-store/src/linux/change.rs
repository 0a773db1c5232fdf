//! Adding and removing anchors of a Linux system: a file in the administrators' folder, and the distribution's own
//! program, which makes from it the bundle that applications read.
//!
//! A change counts only when the bundle shows it. Until then it is taken back: the files as they were, the program once
//! more. Files of others that go, or lose one of several certificates, are kept in an archive folder beside them, under
//! names that no such program takes, and come back from there when the anchor does.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use inkan_model::limits::{self, tame_text};
use inkan_model::store::Location;
use inkan_model::{Certificate, EntryProperties, Fingerprint};
use zeroize::Zeroizing;

use super::distribution::{Anchors, BundleProgram, PROGRAMS_IN};
use super::local_anchors::{LocalAnchors, Named, survey};
use super::system_trust::SystemTrust;
use crate::content::{Extension, FileContent, Form};
use crate::files::survey::{ARCHIVE, FILE_BYTES, Survey};
use crate::folder::{Access, Content, Folder};
use crate::program::Program;
use crate::turn::Turn;
use crate::{Anchor, AnchorStore, ChangeError, Changed};

/// The name under which a new file is written. No program takes it, because it ends in nothing that they know.
const TEMPORARY: &str = ".inkan-new";
/// How often the program runs before it counts as not having done its work: another run of it, which somebody else
/// started, may have come between.
const RUNS: usize = 2;

impl AnchorStore for LocalAnchors {
    fn can_change(&self, location: &Location) -> Result<(), ChangeError> {
        let target = Target::open(self, location)?;
        target.folder.may_change().map_err(|cause| target.failed("write in it", cause))
    }

    fn find_anchor(&self, location: &Location, certificate: Fingerprint) -> Result<Option<Anchor>, ChangeError> {
        let read = match Self::named(location) {
            Some(Named::Anchors(Anchors { folder, only, .. })) => {
                self.folder(folder).map(|folder| survey(&folder, *only))
            }
            Some(Named::Distrusted(_)) | None => return Err(read_only(location, "it is no folder of anchors")),
        };
        let read = read.map_err(|cause| ChangeError::Io { step: format!("open {location}"), cause })?;
        let files = read.folders.iter().flat_map(|folder| &folder.files);
        let found = files.filter_map(|file| {
            let certificate = file.content()?.certificates.iter().find(|held| held.fingerprint == certificate)?;
            let name = Some(tame_text(&file.shown, limits::SHORT_TEXT));
            Some(Anchor { der: certificate.der.clone(), name, properties: EntryProperties::default() })
        });
        Ok({ found }.next())
    }

    fn add_anchor(&self, location: &Location, anchor: &Anchor) -> Result<Changed, ChangeError> {
        anchor.refuse_limits(location)?;
        if let Err(error) = Certificate::read(anchor.der.clone()).facts {
            return Err(ChangeError::Crypto { what: error.to_string() });
        }
        Target::open(self, location)?.in_turn()?.add(anchor)
    }

    fn remove_anchor(&self, location: &Location, certificate: Fingerprint) -> Result<Changed, ChangeError> {
        Target::open(self, location)?.in_turn()?.remove(certificate)
    }
}

/// A folder of anchors that is to be changed.
struct Target<'t> {
    store: &'t LocalAnchors,
    location: &'t Location,
    folder: Folder,
    only: Option<&'static str>,
    program: PathBuf,
    arguments: Vec<OsString>,
    words: &'static BundleProgram,
    /// Shared with the program: one that an agent left behind when it was ended would otherwise still write a bundle from
    /// what stood there then, after the next change was read back.
    turn: Option<Turn>,
}

/// A file as it stood before a change; `None` where there was none.
struct Before {
    relative: PathBuf,
    name: String,
    content: Option<Content>,
}

impl<'t> Target<'t> {
    fn open(store: &'t LocalAnchors, location: &'t Location) -> Result<Self, ChangeError> {
        let anchors = match LocalAnchors::named(location) {
            Some(Named::Anchors(anchors)) => anchors,
            Some(Named::Distrusted(_)) => {
                return Err(read_only(
                    location,
                    "it holds what is never to be trusted, and only its administrator decides that",
                ));
            }
            None => return Err(read_only(location, "it is not a folder of anchors of this operating system")),
        };
        let Some((program, arguments, words)) = find_program(store, anchors) else {
            let names: Vec<_> = anchors.programs.iter().map(|program| program.name).collect();
            let why = format!("there is no {} to make the system's bundle from it", names.join(" and no "));
            return Err(read_only(location, &why));
        };
        let open = |cause| ChangeError::Io { step: format!("open {location}"), cause };
        let folder = store.folder(anchors.folder).map_err(open)?;
        Ok(Self { store, location, folder, only: anchors.only, program, arguments, words, turn: None })
    }

    fn in_turn(self) -> Result<Self, ChangeError> {
        let turn = Turn::take(self.folder.path()).map_err(|cause| self.failed("have the folder to itself", cause))?;
        Ok(Self { turn: Some(turn), ..self })
    }

    fn add(&self, anchor: &Anchor) -> Result<Changed, ChangeError> {
        let certificate = anchor.fingerprint();
        let survey = self.survey();
        if holding(&survey, certificate).next().is_some() {
            if self.bundle_holds(certificate)? {
                return Ok(Changed::AlreadySo);
            }
            // Whoever put the file there did not come to the program, as an agent that was ended between the two.
            self.make_bundle(certificate, true)?;
            return Ok(Changed::Done);
        }
        let (before, from_archive) = match self.archived(&survey, certificate)? {
            Some(archived) => self.bring_back(archived)?,
            None => (self.write_own(anchor)?, None),
        };
        self.make_bundle(certificate, true).map_err(|error| self.undo(vec![before], true, error))?;
        if let Some((folder, name)) = from_archive {
            self.tidy(&folder, &name);
        }
        Ok(Changed::Done)
    }

    fn remove(&self, certificate: Fingerprint) -> Result<Changed, ChangeError> {
        let survey = self.survey();
        let files: Vec<_> = holding(&survey, certificate).collect();
        let unread = !survey.errors.is_empty()
            || survey.folders.iter().any(|folder| folder.files.iter().any(|file| file.outcome.is_err()));
        if files.is_empty() {
            if !self.bundle_holds(certificate)? {
                return Ok(Changed::AlreadySo);
            }
            return match self.make_bundle(certificate, false) {
                Ok(()) => Ok(Changed::Done),
                Err(ChangeError::NotConfirmed { .. }) if !unread => Ok(Changed::AlreadySo),
                Err(error) => Err(error),
            };
        }
        let mut before = Vec::new();
        for (relative, name, content) in files {
            match self.take_out(relative, name, content, certificate) {
                Ok(file) => before.push(file),
                Err(error) => return Err(self.undo(before, false, error)),
            }
        }
        match self.make_bundle(certificate, false) {
            Ok(()) => Ok(Changed::Done),
            Err(error) => Err(self.undo(before, false, error)),
        }
    }

    /// Writes a file of our own with the anchor in it.
    fn write_own(&self, anchor: &Anchor) -> Result<Before, ChangeError> {
        let name = own_name(anchor.fingerprint());
        let access = self.folder.own_access().map_err(|cause| self.failed("look at it", cause))?;
        let access = Access { mode: 0o644, ..access };
        let new = Content { bytes: Zeroizing::new(as_pem(&anchor.der).into_bytes()), access };
        self.write(&self.folder, &name, &new, None)?;
        Ok(Before { relative: PathBuf::new(), name, content: None })
    }

    /// Takes a certificate out of one file: the whole file, when there is nothing else in it.
    fn take_out(
        &self,
        relative: &Path,
        name: &str,
        content: &FileContent,
        certificate: Fingerprint,
    ) -> Result<Before, ChangeError> {
        let shown = relative.join(name);
        let refuse = |why| Err(read_only(self.location, &format!("{} {why}", shown.display())));
        let (folder, before) = self.read(relative, name)?;
        if content.keys.any() || !content.damaged.is_empty() || content.form == Form::Pkcs12 {
            return refuse("holds more than certificates");
        }
        let others: Vec<_> = content.certificates.iter().filter(|held| held.fingerprint != certificate).collect();
        if others.is_empty() {
            if name != own_name(certificate) {
                self.archive(&folder, name, &before, certificate)?;
            }
            folder.remove(name).and_then(|()| folder.sync()).map_err(|cause| {
                self.put_back(&folder, name, Some(&before));
                self.failed("remove a file in it", cause)
            })?;
        } else {
            const NOTED: &[u8] = b"TRUSTED CERTIFICATE";
            if before.bytes.windows(NOTED.len()).any(|window| window == NOTED) {
                return refuse("has notes of OpenSSL on other certificates, which would be lost");
            }
            self.archive(&folder, name, &before, certificate)?;
            let blocks: String = others.iter().map(|held| as_pem(&held.der)).collect();
            let new = Content { bytes: Zeroizing::new(blocks.into_bytes()), access: before.access };
            self.write(&folder, name, &new, Some(&before))?;
        }
        Ok(Before { relative: relative.to_path_buf(), name: name.to_owned(), content: Some(before) })
    }

    fn archive(
        &self,
        folder: &Folder,
        name: &str,
        content: &Content,
        certificate: Fingerprint,
    ) -> Result<(), ChangeError> {
        let failed = |cause| self.failed("keep a file in its archive", cause);
        let own = folder.own_access().map_err(failed)?;
        let archive = folder.create_folder(ARCHIVE, own.owner_only_folder()).map_err(failed)?;
        archive.replace(&archived_name(name, certificate), TEMPORARY, &content.bytes, content.access).map_err(failed)
    }

    /// A file in an archive that held this certificate, when it still fits to what stands in its place.
    fn archived(&self, survey: &Survey, certificate: Fingerprint) -> Result<Option<Archived>, ChangeError> {
        let failed = |cause| self.failed("look into its archive", cause);
        for read in &survey.folders {
            let folder = self.folder.open_beneath(&read.relative).map_err(failed)?;
            let Ok(archive) = folder.open_beneath(Path::new(ARCHIVE)) else { continue };
            for named in archive.names().map_err(failed)?.names {
                let Some(archived) = named.name.to_str() else { continue };
                let Some(name) = archived.strip_suffix(&archived_name("", certificate)) else { continue };
                let content = archive.read(archived, FILE_BYTES).map_err(failed)?;
                let mut held = certificates_of(&FileContent::read(&content.bytes, Extension::Certificate, || &[]));
                let had_it = held.remove(&certificate).is_some();
                let now = read.file(name).map(|file| file.content().map(certificates_of).unwrap_or_default());
                if had_it && now.unwrap_or_default() == held {
                    let (relative, name, kept_as) = (read.relative.clone(), name.to_owned(), archived.to_owned());
                    return Ok(Some(Archived { relative, name, kept_as, content }));
                }
            }
        }
        Ok(None)
    }

    /// Puts an archived file back in its place; the archive keeps it until the change is through.
    fn bring_back(&self, archived: Archived) -> Result<(Before, Option<(Folder, String)>), ChangeError> {
        let failed = |cause| self.failed("bring a file back from its archive", cause);
        let Archived { relative, name, kept_as, content } = archived;
        let folder = self.folder.open_beneath(&relative).map_err(failed)?;
        let before = match folder.kind(&name).map_err(failed)? {
            Some(_) => Some(folder.read(&name, FILE_BYTES).map_err(failed)?),
            None => None,
        };
        self.write(&folder, &name, &content, before.as_ref())?;
        Ok((Before { relative, name, content: before }, Some((folder, kept_as))))
    }

    fn tidy(&self, folder: &Folder, archived: &str) {
        let removed = folder.open_beneath(Path::new(ARCHIVE)).and_then(|archive| archive.remove(archived));
        if let Err(error) = removed {
            tracing::warn!(location = %self.location, %error, "a file that was brought back is still in the archive");
        }
        // A folder that still holds something stays.
        let _ = folder.remove_folder(ARCHIVE);
    }

    /// Takes a failed change back, and gives the error of the change.
    fn undo(&self, before: Vec<Before>, added: bool, error: ChangeError) -> ChangeError {
        for Before { relative, name, content } in before {
            match self.folder.open_beneath(&relative) {
                Ok(folder) => self.put_back(&folder, &name, content.as_ref()),
                Err(error) => {
                    tracing::error!(location = %self.location, %error, "a folder is gone in the middle of a change");
                }
            }
        }
        if let Err(error) = self.run(!added) {
            tracing::warn!(location = %self.location, %error, "the bundle could not be made anew after a failed change");
        }
        error
    }

    /// Lets the distribution make its bundle, and looks whether the anchor is in it, or not in it, as it should.
    fn make_bundle(&self, certificate: Fingerprint, added: bool) -> Result<(), ChangeError> {
        let mut ran = Ok(());
        for _ in 0..RUNS {
            ran = self.run(added);
            if ran.is_ok() && self.bundle_holds(certificate)? == added {
                return Ok(());
            }
        }
        ran.map_err(|cause| self.failed(&format!("make the bundle with {}", self.words.name), cause))?;
        let why = if added { "the bundle does not hold it" } else { "the bundle still holds it, from elsewhere" };
        Err(ChangeError::NotConfirmed { location: self.location.clone(), why: why.to_owned() })
    }

    fn run(&self, added: bool) -> io::Result<()> {
        let words = if added { self.words.after_adding } else { self.words.after_removing };
        let arguments: Vec<_> = self.arguments.iter().cloned().chain(words.iter().map(OsString::from)).collect();
        let (path, deadline, turn) = (&self.program, self.store.deadline, self.turn.as_ref());
        let ended = Program { path, arguments: &arguments, secrets: &[], deadline, turn }.run()?;
        if ended.is_success() { Ok(()) } else { Err(io::Error::other(ended.failure())) }
    }

    fn bundle_holds(&self, certificate: Fingerprint) -> Result<bool, ChangeError> {
        let trust = SystemTrust::below(&self.store.root.0);
        let read = trust.read_bundle().map_err(|cause| self.failed("read the bundle that is made from it", cause))?;
        Ok(read.is_some_and(|bundle| bundle.certificates.iter().any(|held| held.fingerprint == certificate)))
    }

    fn survey(&self) -> Survey {
        survey(&self.folder, self.only)
    }

    fn read(&self, relative: &Path, name: &str) -> Result<(Folder, Content), ChangeError> {
        let folder = self.folder.open_beneath(relative);
        let read = folder.and_then(|folder| Ok((folder.read(name, FILE_BYTES)?, folder)));
        read.map(|(content, folder)| (folder, content)).map_err(|cause| self.failed("read a file in it", cause))
    }

    /// Writes a file in the place of what stood there before, or nothing did.
    fn write(&self, folder: &Folder, name: &str, new: &Content, before: Option<&Content>) -> Result<(), ChangeError> {
        folder.replace(name, TEMPORARY, &new.bytes, new.access).map_err(|cause| {
            self.put_back(folder, name, before);
            self.failed("write a file in it", cause)
        })
    }

    /// Gives a name back what it stood for.
    fn put_back(&self, folder: &Folder, name: &str, before: Option<&Content>) {
        let done = match before {
            Some(content) => folder.replace(name, TEMPORARY, &content.bytes, content.access),
            None => folder.remove(name).and_then(|()| folder.remove(TEMPORARY)),
        };
        if let Err(error) = done {
            tracing::error!(location = %self.location, name, %error, "a failed change of anchors could not be taken back");
        }
    }

    fn failed(&self, step: &str, cause: io::Error) -> ChangeError {
        match cause.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                read_only(self.location, &format!("could not {step}: {cause}"))
            }
            _ => ChangeError::Io { step: format!("{step}: {}", self.location), cause },
        }
    }
}

/// A file in an archive, and where it belongs.
struct Archived {
    relative: PathBuf,
    name: String,
    /// Its name in the archive.
    kept_as: String,
    content: Content,
}

fn holding(survey: &Survey, certificate: Fingerprint) -> impl Iterator<Item = (&Path, &str, &FileContent)> {
    survey.folders.iter().flat_map(move |folder| {
        let holds = folder.files.iter().filter(move |file| file.holds(certificate));
        holds.filter_map(|file| Some((folder.relative.as_path(), file.name.to_str()?, file.content()?)))
    })
}

fn certificates_of(content: &FileContent) -> BTreeMap<Fingerprint, usize> {
    content.certificates.iter().fold(BTreeMap::new(), |mut counted, held| {
        *counted.entry(held.fingerprint).or_default() += 1;
        counted
    })
}

fn find_program(
    store: &LocalAnchors,
    anchors: &'static Anchors,
) -> Option<(PathBuf, Vec<OsString>, &'static BundleProgram)> {
    if let Some((path, arguments)) = &store.program {
        return Some((path.clone(), arguments.clone(), anchors.programs.first()?));
    }
    let at = |name: &str| {
        let folders = PROGRAMS_IN.into_iter().map(|folder| store.root.at(folder).join(name));
        { folders }.find(|program| program.is_file())
    };
    anchors.programs.iter().find_map(|program| Some((at(program.name)?, Vec::new(), program)))
}

/// With the line ends that files of this system have.
fn as_pem(der: &[u8]) -> String {
    let lines = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&pem::Pem::new("CERTIFICATE", der), lines)
}

/// The file of an anchor that the agent added.
fn own_name(certificate: Fingerprint) -> String {
    format!("inkan-{}.crt", twelve(certificate))
}

fn archived_name(name: &str, certificate: Fingerprint) -> String {
    format!("{name}.{}.old", twelve(certificate))
}

fn twelve(certificate: Fingerprint) -> String {
    certificate.to_string().chars().take(12).collect()
}

fn read_only(location: &Location, why: &str) -> ChangeError {
    ChangeError::ReadOnly { location: location.clone(), why: why.to_owned() }
}

#[cfg(test)]
mod tests;
