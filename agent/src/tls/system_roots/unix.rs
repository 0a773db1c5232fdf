//! Linux and its kin: the bundle that applications read.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

/// Where distributions keep the bundle that applications read.
const BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
];
/// Bytes of a bundle.
const BUNDLE: u64 = 16 * 1024 * 1024;

/// The certificates of the first bundle that is there. What cannot be used is left out.
pub(crate) fn system_roots() -> io::Result<RootCertStore> {
    let path = BUNDLES.into_iter().map(Path::new).find(|path| path.exists());
    let path = path.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no bundle of trusted certificates"))?;
    let mut text = Vec::new();
    File::open(path)?.take(BUNDLE).read_to_end(&mut text)?;
    let blocks = pem::parse_many(&text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(
        blocks
            .into_iter()
            .filter(|block| block.tag() == "CERTIFICATE")
            .map(|block| CertificateDer::from(block.into_contents())),
    );
    Ok(roots)
}
