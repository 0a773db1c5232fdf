//! Whose stores this PC has: everybody with a profile, logged on or not, and the accounts of services.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use inkan_model::limits::{self, check_name};

use super::entries::Content;
use super::hive::with_hive;
use super::names::account_name;
use super::place::{Owner, Place};
use super::registry::Root;
use super::sid::Sid;

/// Where Windows lists the profiles, below the machine's root.
const PROFILES: &str = "Software\\Microsoft\\Windows NT\\CurrentVersion\\ProfileList";
/// Where a user's registry says where the folder of application data is.
const SHELL_FOLDERS: &str = "Software\\Microsoft\\Windows\\CurrentVersion\\Explorer\\User Shell Folders";
/// The files of which a user's registry consists.
const HIVE: [&str; 3] = ["NTUSER.DAT", "ntuser.dat.LOG1", "ntuser.dat.LOG2"];

/// An account whose stores are looked at.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Account {
    /// The name that Locations give it.
    pub(crate) name: String,
    pub(crate) sid: Sid,
    /// The profile's folder, where there is one.
    pub(crate) profile: Option<PathBuf>,
    /// Whether its registry is loaded now.
    pub(crate) loaded: bool,
}

/// The accounts of a PC, with what was learnt of them.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    /// Names that were asked for, with those that could not be told: a domain controller that does not answer costs
    /// seconds.
    names: Mutex<BTreeMap<Sid, Option<String>>>,
    /// What users who are logged off have, for as long as their files stay the same.
    logged_off: Mutex<BTreeMap<Sid, (Stamp, LoggedOff)>>,
}

/// What tells that the files of a user's registry changed.
type Stamp = Vec<Option<(u64, SystemTime)>>;

/// What the registry of a user who is logged off has.
#[derive(Clone, Debug, Default)]
pub(crate) struct LoggedOff {
    pub(crate) places: BTreeMap<Place, Content>,
    /// Where the application data is, where it is not in the profile.
    pub(crate) redirected: Option<String>,
}

impl Accounts {
    /// The accounts of this PC now, sorted by name. Windows is asked anew for a name that it could not tell before.
    pub(crate) fn list_anew(&self, machine: &Root, users: &Root) -> Vec<Account> {
        self.lock_names().retain(|_, name| name.is_some());
        self.list(machine, users)
    }

    /// The accounts of this PC now, sorted by name.
    pub(crate) fn list(&self, machine: &Root, users: &Root) -> Vec<Account> {
        let loaded: BTreeSet<Sid> = users.names().unwrap_or_default().iter().filter_map(|n| Sid::parse(n)).collect();
        let profiles = profiles(machine);
        let logged_off = profiles.keys().filter(|sid| sid.is_person() && profiles[*sid].is_dir());
        let of_interest = loaded.iter().filter(|sid| sid.is_person() || sid.is_service()).chain(logged_off);
        let sids: BTreeSet<Sid> = of_interest.cloned().collect();
        let account = |sid: Sid| Account {
            name: self.name(&sid),
            profile: profiles.get(&sid).cloned(),
            loaded: loaded.contains(&sid),
            sid,
        };
        let mut accounts: Vec<Account> = sids.into_iter().take(limits::USERS).map(account).collect();
        accounts.sort_unstable();
        accounts
    }

    /// The account's name, or its identifier where it has none that can be told.
    fn name(&self, sid: &Sid) -> String {
        let known = self.lock_names().get(sid).cloned();
        let name = known.unwrap_or_else(|| {
            let asked = account_name(sid).ok().filter(|name| check_name(name, limits::SHORT_TEXT).is_ok());
            let mut names = self.lock_names();
            // Two accounts of one name would be one Location.
            let taken = |name: &String| names.iter().any(|(s, n)| s != sid && n.as_ref() == Some(name));
            let name = asked.filter(|name| !taken(name));
            names.insert(sid.clone(), name.clone());
            name
        });
        name.unwrap_or_else(|| sid.to_string())
    }

    fn lock_names(&self) -> MutexGuard<'_, BTreeMap<Sid, Option<String>>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a user who is logged off has. The registry is loaded only when its files changed.
    pub(crate) fn logged_off(&self, account: &Account) -> io::Result<LoggedOff> {
        let Some(profile) = &account.profile else { return Ok(LoggedOff::default()) };
        let mut known = self.logged_off.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((before, found)) = known.get(&account.sid)
            && *before == stamp(profile)
        {
            return Ok(found.clone());
        }
        let found = with_hive(&account.sid, &profile.join(HIVE[0]), |root| read(root, profile))?;
        // Loading may itself write what was still in the logs.
        known.insert(account.sid.clone(), (stamp(profile), found.clone()));
        Ok(found)
    }
}

/// The profiles' folders, as the machine's registry lists them.
fn profiles(machine: &Root) -> BTreeMap<Sid, PathBuf> {
    let list = machine.below(PROFILES);
    let folder = |name: String| {
        let sid = Sid::parse(&name)?;
        let path: String = list.open(&name).ok()??.get_value("ProfileImagePath").ok()?;
        Some((sid, PathBuf::from(expanded(&path))))
    };
    list.names().unwrap_or_default().into_iter().filter_map(folder).collect()
}

fn read(root: &Root, profile: &Path) -> LoggedOff {
    let content = |place: Place| {
        let found = root.certificates(&place.registry_key(Owner::User)?);
        let content = found.unwrap_or_else(|error| Some(Content::failed(&error)))?;
        Some((place, content))
    };
    let places = Place::all(Owner::User).into_iter().filter_map(content).collect();
    LoggedOff { places, redirected: redirected(root, profile) }
}

/// Where a user's application data is, where it is not in the profile.
pub(crate) fn redirected(root: &Root, profile: &Path) -> Option<String> {
    let path: String = root.open(SHELL_FOLDERS).ok()??.get_value("AppData").ok()?;
    let here = profile.join("AppData").join("Roaming");
    let usual = path.eq_ignore_ascii_case("%USERPROFILE%\\AppData\\Roaming");
    let same = here.to_str().is_some_and(|here| here.eq_ignore_ascii_case(&path));
    (!usual && !same && !path.is_empty()).then_some(path)
}

fn stamp(profile: &Path) -> Stamp {
    let of_file = |name| {
        let metadata = profile.join(name).symlink_metadata().ok()?;
        Some((metadata.len(), metadata.modified().ok()?))
    };
    HIVE.into_iter().map(of_file).collect()
}

/// A path with the variables of this process in it, such as `%SystemRoot%`.
fn expanded(path: &str) -> String {
    let mut result = String::new();
    let mut rest = path;
    while let Some((before, (name, after))) =
        rest.split_once('%').and_then(|(before, behind)| Some((before, behind.split_once('%')?)))
    {
        result.push_str(before);
        match std::env::var(name) {
            Ok(value) => result.push_str(&value),
            Err(_) => result.extend(["%", name, "%"]),
        }
        rest = after;
    }
    result + rest
}
