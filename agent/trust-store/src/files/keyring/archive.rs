//! The last step of a renewal: the old pair goes to the archive, the new one takes its names.
//!
//! 1. The old files get a second name in the archive (or move there, where files cannot have two names).
//! 2. The new certificate replaces the old one, then the key: each in one moment, under the old name.
//! 3. What stands there is read back.
//! 4. Only then the new pair's first names, and the waiting key, are removed.
//!
//! Until step 4 the new pair beside is whole, and from then on the one in the old place is.

use std::io;
use std::path::Path;

use inkan_model::Fingerprint;

use super::place::{
    Archived, KeyForm, Place, Standing, archive_slots, find_archived, find_installed, find_old, read_standing, stem,
};
use super::{Change, chain_pem, combined_pem};
use crate::ChangeError;
use crate::content::{Extension, FileContent};
use crate::files::survey::{ARCHIVE, FILE_BYTES};
use crate::folder::{Folder, Kind};

impl Change<'_> {
    pub(super) fn archive_old(&self, new: Fingerprint) -> Result<(), ChangeError> {
        let Some((relative, stem)) = find_installed(&self.survey, &self.names) else {
            return self.finish_archived(new);
        };
        let folder = self.root.open_beneath(&relative).map_err(self.io("open the folder of the new certificate"))?;
        let beside = KeyForm::Beside(self.names.new_key(&stem));
        let fresh = read_standing(&folder, &self.names.new_certificate(&stem), &beside)
            .map_err(|why| self.not_confirmed(why))?;
        if fresh.leaf() != Some(new) {
            return Err(self.not_confirmed("another certificate is installed beside the old one"));
        }
        let place = match find_old(&self.survey, self.slot.old) {
            Ok(Some(place)) if place.folder == relative => place,
            Ok(_) => self.place_by_archive(&folder, &relative)?,
            Err(why) => return Err(ChangeError::ReadOnly { location: self.slot.location.clone(), why }),
        };
        let swap = Swap { change: self, folder: &folder, place: &place, fresh: &fresh, new };
        swap.run()?;
        self.remove_new(&folder, &stem)?;
        self.remove_made(&folder)
    }

    /// The place of an old certificate that has gone to the archive already.
    fn place_by_archive(&self, folder: &Folder, relative: &Path) -> Result<Place, ChangeError> {
        let archived = find_archived(folder, self.slot.old).map_err(self.io("look into the archive"))?;
        // The last folder is the one in use: earlier ones are from certificates that were put back by hand.
        let Archived { certificate, key, .. } = archived.into_iter().next_back().ok_or_else(|| self.missing())?;
        Ok(Place { folder: relative.to_path_buf(), certificate, key })
    }

    /// With nothing beside, either all is done but for left-overs, or nothing was installed.
    fn finish_archived(&self, new: Fingerprint) -> Result<(), ChangeError> {
        let Some((place, _)) = self.successor(Some(new))? else {
            return Err(match find_old(&self.survey, self.slot.old) {
                Ok(None) => self.missing(),
                Ok(Some(_)) | Err(_) => self.not_confirmed("the new certificate is not installed beside the old one"),
            });
        };
        let folder = self.folder(&place)?;
        self.remove_new(&folder, place.stem())?;
        self.remove_made(&folder)
    }

    /// What this renewal put in the place of the old certificate: `new`, or whichever it is.
    pub(super) fn successor(&self, new: Option<Fingerprint>) -> Result<Option<(Place, Standing)>, ChangeError> {
        for reading in &self.survey.folders {
            let folder = self.root.open_beneath(&reading.relative).map_err(self.io("open a folder"))?;
            let archived = find_archived(&folder, self.slot.old).map_err(self.io("look into the archive"))?;
            for Archived { folder: kept, certificate, key, .. } in archived {
                let by_this_renewal =
                    kept.kind(&self.names.archived).map_err(self.io("look into the archive"))?.is_some();
                if by_this_renewal
                    && let Ok(standing) = read_standing(&folder, &certificate, &key)
                    && new.is_none_or(|new| standing.leaf() == Some(new))
                {
                    return Ok(Some((Place { folder: reading.relative.clone(), certificate, key }, standing)));
                }
            }
        }
        Ok(None)
    }

    /// Takes the archive's second names of files that still stand in their place away.
    pub(super) fn forget_archive(&self, place: &Place) -> Result<(), ChangeError> {
        let folder = self.folder(place)?;
        let failed = self.io("take back what was put into the archive");
        for Archived { folder: kept, slot, .. } in find_archived(&folder, self.slot.old).map_err(&failed)? {
            for name in [place.certificate.as_str(), place.key.file(&place.certificate)] {
                let both = kept.kind(name).map_err(&failed)?.is_some() && folder.kind(name).map_err(&failed)?.is_some();
                if both && folder.is_same_file(name, &kept, name).map_err(&failed)? {
                    kept.remove(name).map_err(&failed)?;
                }
            }
            kept.remove(&self.names.archived).map_err(&failed)?;
            if kept.names().map_err(&failed)?.names.is_empty() {
                let archive = folder.open_beneath(Path::new(ARCHIVE)).map_err(&failed)?;
                archive.remove_folder(&slot).map_err(&failed)?;
            }
        }
        Ok(())
    }
}

/// Puts the new pair in the place of the old one.
struct Swap<'s> {
    change: &'s Change<'s>,
    folder: &'s Folder,
    place: &'s Place,
    fresh: &'s Standing,
    new: Fingerprint,
}

/// A file of the old pair, as far as it has been dealt with.
struct OldFile<'n> {
    name: &'n str,
    /// Whether the new content stands under its name already.
    replaced: bool,
}

impl Swap<'_> {
    fn run(&self) -> Result<(), ChangeError> {
        let files = self.old_files().map_err(self.change.io("look at the old certificate and key"))?;
        self.refuse_stranger(&files)?;
        let kept = self.keep(&files)?;
        for file in files.iter().filter(|file| !file.replaced) {
            let access = kept.access(file.name).map_err(self.change.io("read who may use the old file"))?;
            let access = access.ok_or_else(|| self.change.not_confirmed("the archive lost the old file"))?;
            self.folder
                .replace(file.name, &self.change.names.temporary, &self.content_of(file.name), access)
                .map_err(self.change.io("put the new file in the place of the old one"))?;
        }
        self.read_back()
    }

    /// The certificate, and the key where it has a file of its own.
    fn old_files(&self) -> io::Result<Vec<OldFile<'_>>> {
        let key = self.place.key.file(&self.place.certificate);
        let mut names = vec![self.place.certificate.as_str()];
        names.extend((key != self.place.certificate).then_some(key));
        names.into_iter().map(|name| Ok(OldFile { name, replaced: self.is_replaced(name)? })).collect()
    }

    /// Somebody may have put a third certificate under the old name since: that is theirs to keep.
    fn refuse_stranger(&self, files: &[OldFile<'_>]) -> Result<(), ChangeError> {
        let name = self.place.certificate.as_str();
        let failed = self.change.io("read the old certificate");
        let replaced = files.iter().any(|file| file.name == name && file.replaced);
        if replaced || self.folder.kind(name).map_err(&failed)?.is_none() {
            return Ok(());
        }
        let read = self.folder.read(name, FILE_BYTES).map_err(&failed)?;
        let content = FileContent::read(&read.bytes, Extension::Pem, || &[]);
        if content.certificates.iter().any(|certificate| certificate.fingerprint == self.change.slot.old) {
            Ok(())
        } else {
            Err(self.change.not_confirmed("a third certificate stands in the old one's place"))
        }
    }

    fn is_replaced(&self, name: &str) -> io::Result<bool> {
        if self.folder.kind(name)?.is_none() {
            return Ok(false);
        }
        Ok(self.folder.read(name, FILE_BYTES)?.bytes == self.content_of(name))
    }

    fn content_of(&self, name: &str) -> zeroize::Zeroizing<Vec<u8>> {
        let ders: Vec<_> = self.fresh.chain.iter().map(|certificate| certificate.der.clone()).collect();
        let chain = chain_pem(&ders);
        match &self.place.key {
            KeyForm::Combined { key_first } => combined_pem(&chain, &self.fresh.key_file, *key_first),
            KeyForm::Beside(key) if key == name => self.fresh.key_file.clone(),
            KeyForm::Beside(_) => zeroize::Zeroizing::new(chain.into_bytes()),
        }
    }

    /// Puts the old files into the archive, in the first folder of it that has nothing else under their names.
    fn keep(&self, files: &[OldFile<'_>]) -> Result<Folder, ChangeError> {
        let failed = self.change.io("put the old certificate into the archive");
        let access = self.folder.own_access().map_err(&failed)?.owner_only_folder();
        let archive = self.folder.create_folder(ARCHIVE, access).map_err(&failed)?;
        self.folder.sync().map_err(&failed)?;
        for slot in archive_slots(self.change.slot.old) {
            let kept = archive.create_folder(&slot, access).map_err(&failed)?;
            if self.fits(&kept, files).map_err(&failed)? {
                archive.sync().map_err(&failed)?;
                for file in files.iter().filter(|file| !file.replaced) {
                    self.keep_file(&kept, file.name).map_err(&failed)?;
                }
                if kept.kind(&self.change.names.archived).map_err(&failed)?.is_none() {
                    kept.create(&self.change.names.archived, &[], access.owner_only()).map_err(&failed)?;
                }
                kept.sync().map_err(&failed)?;
                return Ok(kept);
            }
        }
        Err(self.change.not_confirmed("the archive has no room for another copy of the old certificate"))
    }

    fn fits(&self, kept: &Folder, files: &[OldFile<'_>]) -> io::Result<bool> {
        for file in files {
            let here = self.folder.kind(file.name)?.is_some() && !file.replaced;
            let fits = match (kept.kind(file.name)?, here) {
                (Some(Kind::File), true) => self.is_kept(kept, file.name)?,
                (Some(Kind::File), false) | (None, true) => true,
                (Some(_), _) | (None, false) => false,
            };
            if !fits {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the archive's file of this name is the one that stands here.
    fn is_kept(&self, kept: &Folder, name: &str) -> io::Result<bool> {
        Ok(self.folder.is_same_file(name, kept, name)?
            || self.folder.read(name, FILE_BYTES)?.bytes == kept.read(name, FILE_BYTES)?.bytes)
    }

    fn keep_file(&self, kept: &Folder, name: &str) -> io::Result<()> {
        if kept.kind(name)?.is_some() {
            return Ok(());
        }
        match self.folder.link(name, kept, name) {
            Err(error) if cannot_link(&error) => {
                self.folder.rename(name, kept, name)?;
                self.folder.sync()
            }
            outcome => outcome,
        }
    }

    fn read_back(&self) -> Result<(), ChangeError> {
        let standing = read_standing(self.folder, &self.place.certificate, &self.place.key)
            .map_err(|why| self.change.not_confirmed(why))?;
        let archived = find_archived(self.folder, self.change.slot.old)
            .map_err(self.change.io("look into the archive"))?
            .iter()
            .any(|archived| stem(&archived.certificate) == self.place.stem());
        if standing.leaf() != Some(self.new) {
            return Err(self.change.not_confirmed("another certificate stands in the old one's place"));
        }
        if !archived {
            return Err(self.change.not_confirmed("the old certificate is not in the archive"));
        }
        Ok(())
    }
}

/// Some filesystems have no second names, and some systems forbid them for files of others.
fn cannot_link(error: &io::Error) -> bool {
    use io::ErrorKind::{CrossesDevices, PermissionDenied, TooManyLinks, Unsupported};
    matches!(error.kind(), CrossesDevices | PermissionDenied | TooManyLinks | Unsupported)
}
