use std::fs;

use super::*;

struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn user(&self) -> User {
        User { name: "mika".to_owned(), home: self.folder.path().to_path_buf() }
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn found(&self, layout: Layout) -> Vec<Profile> {
        of_user(layout, &self.user())
    }

    fn below(&self, layout: Layout) -> Vec<String> {
        let below = |profile: Profile| match profile.place {
            Within::Home(below) => below.to_string_lossy().into_owned(),
            Within::Elsewhere(path) => format!("elsewhere: {}", path.display()),
        };
        self.found(layout).into_iter().map(|profile| below(profile).replace('\\', "/")).collect()
    }
}

#[test]
fn every_way_to_install_a_browser_has_its_place() {
    let home = Home::new();
    for base in [".mozilla/firefox", ".config/mozilla/firefox", "snap/firefox/common/.mozilla/firefox"] {
        home.write(&format!("{base}/profiles.ini"), "[Profile0]\nIsRelative=1\nPath=Profiles/ab.default\n");
        home.write(&format!("{base}/Profiles/ab.default/cert9.db"), "");
    }
    home.write(".var/app/org.mozilla.firefox/.mozilla/firefox/profiles.ini", "[Profile0]\nPath=f\n");
    home.write(".var/app/org.mozilla.firefox/.mozilla/firefox/f/cert8.db", "");
    home.write(".pki/nssdb/cert9.db", "");
    home.write(".var/app/com.google.Chrome/.pki/nssdb/cert9.db", "");
    assert_eq!(
        home.below(Layout::Linux),
        [
            ".pki/nssdb",
            ".var/app/com.google.Chrome/.pki/nssdb",
            ".mozilla/firefox/Profiles/ab.default",
            ".config/mozilla/firefox/Profiles/ab.default",
            "snap/firefox/common/.mozilla/firefox/Profiles/ab.default",
            ".var/app/org.mozilla.firefox/.mozilla/firefox/f",
        ]
    );
    let packages: Vec<_> = home.found(Layout::Linux).into_iter().map(|profile| profile.package).collect();
    assert_eq!(packages[4..], [Package::Snap, Package::Flatpak]);
}

#[test]
fn windows_has_places_of_its_own() {
    let home = Home::new();
    home.write("AppData/Roaming/Mozilla/Firefox/profiles.ini", "[Profile0]\nPath=Profiles/x.default-release\n");
    home.write("AppData/Roaming/Mozilla/Firefox/Profiles/x.default-release/cert9.db", "");
    assert_eq!(home.below(Layout::Windows), ["AppData/Roaming/Mozilla/Firefox/Profiles/x.default-release"]);
    assert!(home.below(Layout::Linux).is_empty());
}

#[test]
fn an_absolute_path_counts_when_it_lies_in_the_home_directory() {
    let home = Home::new();
    let inside = home.folder.path().join("work/profile");
    let text = format!("[Profile0]\nIsRelative=0\nPath={}\n[Profile1]\nIsRelative=0\nPath=/etc\n", inside.display());
    home.write(".mozilla/firefox/profiles.ini", &text);
    home.write("work/profile/cert9.db", "");
    assert_eq!(home.below(Layout::Linux), ["work/profile", "elsewhere: /etc"]);
}

#[test]
fn a_path_that_leads_out_of_the_home_directory_is_told_and_never_opened() {
    let home = Home::new();
    let text = "[Profile0]\nPath=../../../../etc\n[Profile1]\nPath=/etc\n[Profile2]\nPath=.\n[Profile3]\nPath=\n";
    home.write(".mozilla/firefox/profiles.ini", text);
    let found = home.found(Layout::Linux);
    assert_eq!(found.len(), 3);
    for profile in found {
        assert!(matches!(profile.place, Within::Elsewhere(_)));
        assert_eq!(profile.open().err().unwrap().kind(), io::ErrorKind::PermissionDenied);
    }
}

#[cfg(unix)]
#[test]
fn a_link_on_the_way_to_a_profile_is_not_followed() {
    use std::os::unix::fs::symlink;
    let (home, other) = (Home::new(), Home::new());
    other.write("secret/cert9.db", "of somebody else");
    home.write(".mozilla/firefox/profiles.ini", "[Profile0]\nPath=link\n");
    symlink(other.folder.path().join("secret"), home.folder.path().join(".mozilla/firefox/link")).unwrap();
    let found = home.found(Layout::Linux);
    assert!(found.iter().all(|profile| profile.open().is_err()) && found.len() == 1);
}

#[cfg(unix)]
#[test]
fn the_link_of_snap_counts_only_when_it_leads_to_a_number_beside_it() {
    use std::os::unix::fs::symlink;
    let home = Home::new();
    home.write("snap/chromium/3000/.pki/nssdb/cert9.db", "");
    let link = home.folder.path().join("snap/chromium/current");
    symlink("3000", &link).unwrap();
    assert_eq!(home.below(Layout::Linux), ["snap/chromium/3000/.pki/nssdb"]);
    fs::remove_file(&link).unwrap();
    symlink("../../../etc", &link).unwrap();
    assert!(home.below(Layout::Linux).is_empty());
}

#[test]
fn a_profile_that_was_never_used_is_no_location() {
    let home = Home::new();
    home.write(".mozilla/firefox/profiles.ini", "[Profile0]\nPath=new\n[Profile1]\nPath=gone\n");
    home.write(".mozilla/firefox/new/times.json", "{}");
    assert!(home.found(Layout::Linux).is_empty());
}

#[test]
fn a_list_without_end_is_cut() {
    let home = Home::new();
    let line = |n| format!("[Profile{n}]\nIsRelative=0\nPath=/elsewhere/{n}\n");
    home.write(".mozilla/firefox/profiles.ini", &(0..PROFILES * 3).map(line).collect::<String>());
    assert_eq!(home.found(Layout::Linux).len(), PROFILES);
}
