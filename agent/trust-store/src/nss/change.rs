//! Adding and removing anchors through the browser's own NSS.
//!
//! Each change is read back twice: NSS opens the profile anew and says how the certificate stands, and the rows are read
//! as the inventory reads them, which also sees trust that this NSS would pass over. What does not read back as it was
//! meant is taken back.

use std::path::PathBuf;

use inkan_model::limits::{self, tame_text};
use inkan_model::properties::TrustFlags;
use inkan_model::store::{KeyPresence, Location};
use inkan_model::{Certificate, Fingerprint};

use super::child::{Child, Rights, standing};
use super::exchange::{Answer, Request, Task};
use super::flags::{NssFlags, same_effect};
use super::profiles::{Application, Package, Profile, home};
use super::reading::{Content, Found, has};
use super::row_identity::Identity;
use super::trust::{FOR_SERVERS, UNSET};
use super::{NssDatabases, reading};
use crate::folder::{Access, Folder};
use crate::turn::Turn;
use crate::{Anchor, AnchorStore, ChangeError, Changed};

/// The purpose that a profile can be limited to: TLS servers (RFC 5280 §4.2.1.12).
const SERVER_AUTH: &str = "1.3.6.1.5.5.7.3.1";
/// Permission bits of people who are not the owner, to write.
const OTHERS_WRITE: u32 = 0o022;

/// A profile that can be changed, and how.
struct Desk<'d> {
    location: &'d Location,
    profile: Profile,
    folder: Folder,
    library: PathBuf,
    child: &'d Child,
    rights: Rights,
}

impl AnchorStore for NssDatabases {
    fn can_change(&self, location: &Location) -> Result<(), ChangeError> {
        let desk = self.desk(location)?;
        desk.ask(Task::Look).map(|_| ())
    }

    fn find_anchor(&self, location: &Location, certificate: Fingerprint) -> Result<Option<Anchor>, ChangeError> {
        let profile = self.profile(location).ok_or_else(|| no_profile(location))?;
        let content = read(location, &open(location, &profile)?)?;
        Ok(content.find(certificate).map(Found::as_anchor))
    }

    fn add_anchor(&self, location: &Location, anchor: &Anchor) -> Result<Changed, ChangeError> {
        let wanted = wanted_trust(location, anchor)?;
        let desk = self.desk(location)?;
        desk.wait_for_others()?;
        let before = desk.read()?;
        let standing = before.find(anchor.fingerprint());
        if let Some(found) = standing
            && same_effect(found.trust_or_unset(), wanted.0)
            && desk.stands(&anchor.der)?.is_some_and(|flags| same_effect(flags.effect(), wanted.0))
        {
            return Ok(Changed::AlreadySo);
        }
        let name = standing.and_then(|found| found.label.clone()).unwrap_or_else(|| new_name(anchor, &before));
        let put = Task::Put { der: anchor.der.clone(), name, flags: wanted.1 };
        desk.change(put, &before, anchor.fingerprint(), Some((&anchor.der, wanted.0)))
    }

    fn remove_anchor(&self, location: &Location, certificate: Fingerprint) -> Result<Changed, ChangeError> {
        let desk = self.desk(location)?;
        desk.wait_for_others()?;
        let before = desk.read()?;
        let der = match before.find(certificate) {
            Some(Found { key: KeyPresence::Present, .. }) => {
                let why = "its private key is there: it is a person's own certificate and no anchor".to_owned();
                return Err(ChangeError::ReadOnly { location: location.clone(), why });
            }
            Some(found) => found.certificate.der.clone(),
            None if is_gone(&before, certificate, None) => return Ok(Changed::AlreadySo),
            None => Vec::new(),
        };
        let delete = Task::Delete { der, sha256: certificate.as_bytes().to_vec() };
        desk.change(delete, &before, certificate, None)
    }
}

impl NssDatabases {
    fn desk<'d>(&'d self, location: &'d Location) -> Result<Desk<'d>, ChangeError> {
        let refused = |why: String| ChangeError::ReadOnly { location: location.clone(), why };
        let Some((child, installed)) = &self.changes else {
            return Err(refused("this program cannot change browsers' databases".to_owned()));
        };
        let profile = self.profile(location).ok_or_else(|| no_profile(location))?;
        let folder = open(location, &profile)?;
        if !has(&folder, reading::CERTIFICATES) {
            return Err(refused(
                "it has the old format; it changes when the browser is started the next time".to_owned(),
            ));
        }
        let library = installed.library(&profile, &folder).map_err(refused)?;
        let rights = rights(location, &profile, &folder)?;
        Ok(Desk { location, profile, folder, library, child, rights })
    }
}

impl Desk<'_> {
    /// Waits for a child that an agent left behind when it was killed: what it does counts as done before this change. One
    /// that comes later finds that it is left alone.
    fn wait_for_others(&self) -> Result<(), ChangeError> {
        let waited = Turn::take(self.folder.path());
        let step = || format!("have {} to itself", self.location);
        waited.map(drop).map_err(|cause| ChangeError::Io { step: step(), cause })
    }

    fn read(&self) -> Result<Content, ChangeError> {
        read(self.location, &self.folder)
    }

    fn ask(&self, task: Task) -> Result<Answer, ChangeError> {
        let location = self.location.clone();
        let request = Request { library: self.library.clone(), profile: self.profile.path(), task };
        match self.child.ask(&request, self.rights) {
            Ok(Answer::PasswordNeeded) => {
                let why = "it has a primary password, which only its user knows".to_owned();
                Err(ChangeError::NeedsUser { location, why })
            }
            Ok(Answer::Failed { step, code }) => {
                let what = tame_text(&format!("NSS could not {step} (error {code})"), limits::LONG_TEXT);
                Err(ChangeError::Crypto { what })
            }
            Ok(answer) => Ok(answer),
            Err(cause) => Err(ChangeError::Io { step: format!("let NSS work on {location}"), cause }),
        }
    }

    /// How the certificate stands, as NSS sees it when it opens the profile anew.
    fn stands(&self, der: &[u8]) -> Result<Option<NssFlags>, ChangeError> {
        let answer = self.ask(Task::Find { der: der.to_vec() })?;
        standing(answer).map_err(|_| ChangeError::Crypto { what: "NSS answered something else".to_owned() })
    }

    /// Makes one change, reads it back and takes it back when it is not as `wanted`: nothing, or so trusted.
    fn change(
        &self,
        task: Task,
        before: &Content,
        certificate: Fingerprint,
        wanted: Option<(&[u8], TrustFlags)>,
    ) -> Result<Changed, ChangeError> {
        let made = self.ask(task).and_then(|_| self.confirm(before, certificate, wanted));
        match made {
            Ok(()) => Ok(self.running().map_or(Changed::Done, |application| Changed::AfterRestart { application })),
            // Nothing can have been written then.
            Err(error @ ChangeError::NeedsUser { .. }) => Err(error),
            Err(error) => {
                self.take_back(before, certificate, wanted.map(|(der, _)| der));
                Err(error)
            }
        }
    }

    fn confirm(
        &self,
        before: &Content,
        certificate: Fingerprint,
        wanted: Option<(&[u8], TrustFlags)>,
    ) -> Result<(), ChangeError> {
        let after = self.read()?;
        let before = before.find(certificate).map(|found| found.certificate.der.as_slice());
        let why = match wanted {
            None if !is_gone(&after, certificate, before) => "the certificate, or a row that trusts it, is still there",
            None => match before {
                Some(der) if self.stands(der)?.is_some() => "NSS still finds the certificate",
                _ => return Ok(()),
            },
            Some((der, trust)) => match (after.find(certificate), self.stands(der)?) {
                (Some(found), Some(flags)) if !same_effect(found.trust_or_unset(), trust) => {
                    tracing::debug!(found = ?found.trust, ?flags, "trust that was not asked for");
                    "the rows say something else about its trust"
                }
                (Some(_), Some(flags)) if !same_effect(flags.effect(), trust) => "NSS trusts it for something else",
                (Some(_), Some(_)) => return Ok(()),
                (None, _) | (_, None) => "the certificate is not there",
            },
        };
        Err(ChangeError::NotConfirmed { location: self.location.clone(), why: why.to_owned() })
    }

    /// Puts back what stood there before, as far as it can be; the change has failed whatever comes of it.
    fn take_back(&self, before: &Content, certificate: Fingerprint, added: Option<&[u8]>) {
        let task = match (before.find(certificate), added) {
            (Some(found), _) => NssFlags::of(found.trust_or_unset()).map(|flags| Task::Put {
                der: found.certificate.der.clone(),
                name: found.label.clone().unwrap_or_default(),
                flags,
            }),
            (None, Some(der)) => Some(Task::Delete { der: der.to_vec(), sha256: certificate.as_bytes().to_vec() }),
            (None, None) => None,
        };
        if let Some(Err(error)) = task.map(|task| self.ask(task)) {
            tracing::warn!(%error, "a change of a browser's database could not be taken back");
        }
    }

    /// The browser that works with this profile now and would not see the change.
    fn running(&self) -> Option<String> {
        let locked = |link: PathBuf| is_held(&link, self.profile.package);
        match self.profile.application {
            Application::Firefox => locked(self.profile.path().join("lock")).then(|| "Firefox".to_owned()),
            Application::Thunderbird => locked(self.profile.path().join("lock")).then(|| "Thunderbird".to_owned()),
            Application::Chromium => {
                let settings = [("chromium", "Chromium"), ("google-chrome", "Google Chrome")];
                let home = &self.profile.user.home;
                let runs = |(folder, _): &(&str, &str)| locked(home.join(".config").join(folder).join("SingletonLock"));
                settings.into_iter().find(runs).map(|(_, name)| name.to_owned())
            }
        }
    }
}

/// Whether neither the certificate nor a row that is about it is there.
fn is_gone(content: &Content, certificate: Fingerprint, der: Option<&[u8]>) -> bool {
    let identity = der.map_or_else(|| Identity::of_fingerprint(certificate), Identity::of);
    content.find(certificate).is_none() && !content.orphans.iter().any(|row| row.is_about(&identity))
}

/// What the anchor is to be trusted for, as the model says it and as NSS takes it.
fn wanted_trust(location: &Location, anchor: &Anchor) -> Result<(TrustFlags, NssFlags), ChangeError> {
    let properties = &anchor.properties;
    let cannot = |limit: &str| ChangeError::CannotLimit { location: location.clone(), limit: limit.to_owned() };
    if properties.name_constraints.is_some() {
        return Err(cannot("the names that the anchor may vouch for"));
    }
    let wanted = properties.trust.unwrap_or(FOR_SERVERS);
    match properties.purposes.as_deref() {
        None => {}
        Some([only]) if only == SERVER_AUTH && wanted == FOR_SERVERS => {}
        Some([]) if same_effect(wanted, UNSET) => {}
        Some(_) => return Err(cannot("the purposes of the anchor other than servers alone")),
    }
    let flags = NssFlags::of(wanted).ok_or_else(|| cannot("this trust of servers apart from that of clients"))?;
    match Certificate::read(anchor.der.clone()).facts {
        Ok(_) => Ok((wanted, flags)),
        Err(error) => Err(ChangeError::Crypto { what: format!("the anchor is no certificate: {}", error.why) }),
    }
}

/// A name that no certificate of another subject has: NSS takes a name for one subject only.
fn new_name(anchor: &Anchor, content: &Content) -> String {
    let certificate = Certificate::read(anchor.der.clone());
    let common_name = certificate.facts.ok().map(|facts| facts.common_name).filter(|name| !name.is_empty());
    let name = anchor.name.clone().or(common_name).unwrap_or_else(|| "CA".to_owned());
    let name = tame_text(&name, limits::SHORT_TEXT / 2);
    let is_taken = content.found.iter().any(|found| found.label.as_deref() == Some(name.as_str()));
    if is_taken { format!("{name} ({})", certificate.fingerprint) } else { name }
}

/// With whose rights this profile is changed: those of whom it belongs to.
fn rights(location: &Location, profile: &Profile, folder: &Folder) -> Result<Rights, ChangeError> {
    let io = |cause| ChangeError::Io { step: format!("see whose {location} is"), cause };
    let home = home(&profile.user).and_then(|home| home.own_access()).map_err(io)?;
    let own = folder.own_access().map_err(io)?;
    let agent = rustix::process::geteuid().as_raw();
    rights_between(agent, home, own).map_err(|why| ChangeError::ReadOnly { location: location.clone(), why })
}

fn rights_between(agent: u32, home: Access, profile: Access) -> Result<Rights, String> {
    if profile.owner != home.owner {
        return Err("the profile does not belong to the owner of the home directory".to_owned());
    }
    match (agent, home.owner) {
        // Whoever can exchange a folder on the way could have root's own child work elsewhere.
        (0, 0) if (home.mode | profile.mode) & OTHERS_WRITE != 0 => {
            Err("it is root's, and others may write to it".to_owned())
        }
        (agent, owner) if agent == owner => Ok(Rights::Own),
        (0, user) => Ok(Rights::Of { user, group: home.group }),
        _ => Err("it belongs to another user, and the agent does not run as root".to_owned()),
    }
}

fn open(location: &Location, profile: &Profile) -> Result<Folder, ChangeError> {
    profile.open().map_err(|cause| ChangeError::Io { step: format!("open {location}"), cause })
}

/// What the profile holds, when all of it could be read: a change on half a picture is none that can be confirmed.
fn read(location: &Location, folder: &Folder) -> Result<Content, ChangeError> {
    let content = Content::of(folder);
    match content.first_error() {
        None => Ok(content),
        Some(error) => {
            let why = format!("it could not be read: {} {}", error.item, error.detail);
            Err(ChangeError::NotConfirmed { location: location.clone(), why })
        }
    }
}

fn no_profile(location: &Location) -> ChangeError {
    ChangeError::ReadOnly { location: location.clone(), why: "no program of this user has such a profile".to_owned() }
}

/// Whether a lock link (`address:+process` of Firefox, `host-process` of Chromium) names a process that is there.
fn is_held(link: &std::path::Path, package: Package) -> bool {
    let Ok(target) = std::fs::read_link(link) else { return false };
    let target = target.to_string_lossy();
    let digits = target.rsplit(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    // A number from inside of a container says nothing outside.
    package == Package::Flatpak
        || digits.parse::<u32>().is_ok_and(|id| std::path::Path::new(&format!("/proc/{id}")).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(owner: u32, mode: u32) -> Access {
        Access { mode, owner, group: owner + 1 }
    }

    #[test]
    fn a_child_works_with_the_rights_of_whom_the_profile_belongs_to() {
        let of = |user| Ok(Rights::Of { user, group: user + 1 });
        assert_eq!(rights_between(0, access(1000, 0o755), access(1000, 0o700)), of(1000));
        assert_eq!(rights_between(1000, access(1000, 0o755), access(1000, 0o700)), Ok(Rights::Own));
        assert_eq!(rights_between(0, access(0, 0o700), access(0, 0o700)), Ok(Rights::Own));
    }

    #[test]
    fn nobody_elses_profile_is_changed() {
        assert!(rights_between(0, access(1000, 0o755), access(0, 0o700)).is_err());
        assert!(rights_between(0, access(1000, 0o755), access(1001, 0o700)).is_err());
        assert!(rights_between(1000, access(1001, 0o755), access(1001, 0o700)).is_err());
        assert!(rights_between(0, access(0, 0o777), access(0, 0o700)).is_err());
    }
}
