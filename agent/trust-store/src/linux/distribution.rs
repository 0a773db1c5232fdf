//! Where each family of distributions keeps what administrators add, and which program makes the bundle from it.

/// A folder for anchors.
#[derive(Debug)]
pub(super) struct Anchors {
    pub(super) folder: &'static str,
    /// The only extension that the program behind it takes, where it takes one only.
    pub(super) only: Option<&'static str>,
    /// The programs that make the bundle; the first that is there counts.
    pub(super) programs: &'static [BundleProgram],
}

/// A program that makes the bundle anew.
#[derive(Debug)]
pub(super) struct BundleProgram {
    pub(super) name: &'static str,
    pub(super) after_adding: &'static [&'static str],
    pub(super) after_removing: &'static [&'static str],
}

/// Folders for anchors: Debian's family, Fedora's, SUSE's, Arch's.
pub(super) const ANCHORS: [Anchors; 4] = [
    Anchors {
        folder: "/usr/local/share/ca-certificates",
        only: Some("crt"),
        // Without `--fresh` it leaves links to what is gone.
        programs: &[BundleProgram { name: "update-ca-certificates", after_adding: &[], after_removing: &["--fresh"] }],
    },
    Anchors {
        folder: "/etc/pki/ca-trust/source/anchors",
        only: None,
        programs: &[BundleProgram {
            name: "update-ca-trust",
            after_adding: &["extract"],
            after_removing: &["extract"],
        }],
    },
    Anchors {
        folder: "/etc/pki/trust/anchors",
        only: None,
        programs: &[BundleProgram { name: "update-ca-certificates", after_adding: &[], after_removing: &[] }],
    },
    Anchors {
        folder: "/etc/ca-certificates/trust-source/anchors",
        only: None,
        programs: &[
            BundleProgram { name: "update-ca-trust", after_adding: &[], after_removing: &[] },
            BundleProgram { name: "trust", after_adding: &["extract-compat"], after_removing: &["extract-compat"] },
        ],
    },
];

/// Folders for what is never to be trusted, as p11-kit reads them, under their present and their old names.
pub(super) const DISTRUSTED: [&str; 5] = [
    "/etc/pki/ca-trust/source/blocklist",
    "/etc/pki/ca-trust/source/blacklist",
    "/etc/pki/trust/blocklist",
    "/etc/pki/trust/blacklist",
    "/etc/ca-certificates/trust-source/blocklist",
];

/// Where programs are looked for.
pub(super) const PROGRAMS_IN: [&str; 4] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];
