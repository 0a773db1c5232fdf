//! RSA keys, requests and PKCS#12 files, made by openssl, which nobody here wrote.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use inkan_tests::certificates::{certificate_pem, chance};
use inkan_tests::process::run;

/// A new RSA key, and a request for it.
pub(crate) struct RsaRequest {
    /// File with the key, PEM.
    pub(crate) key: PathBuf,
    /// File with the request, PEM.
    pub(crate) csr: PathBuf,
}

/// Makes a key of 2048 bits and a request with this subject, which openssl takes as text only.
pub(crate) fn rsa_request(folder: &Path, subject: &str) -> Result<RsaRequest> {
    let own = unique(folder)?;
    let (key, csr) = (own.join("client.key"), own.join("client.csr"));
    let mut command = Command::new("openssl");
    command.args(["req", "-new", "-newkey", "rsa:2048", "-noenc", "-sha256", "-utf8", "-subj", subject, "-keyout"]);
    command.arg(&key).arg("-out").arg(&csr);
    run(command)?;
    Ok(RsaRequest { key, csr })
}

/// What a PKCS#12 file is to hold.
pub(crate) struct Pkcs12<'p> {
    pub(crate) key: &'p Path,
    /// Leaf first.
    pub(crate) chain: &'p [Vec<u8>],
    pub(crate) password: &'p str,
}

impl Pkcs12<'_> {
    /// Writes the file, with what openssl protects it by today.
    pub(crate) fn write(&self, folder: &Path) -> Result<PathBuf> {
        let own = unique(folder)?;
        let (chain, file) = (own.join("chain.pem"), own.join("client.p12"));
        let pem: String = self.chain.iter().map(|der| certificate_pem(der)).collect();
        std::fs::write(&chain, pem).context("could not write the chain")?;
        let mut command = Command::new("openssl");
        command.args(["pkcs12", "-export", "-name", "client", "-passout", &format!("pass:{}", self.password)]);
        command.arg("-inkey").arg(self.key).arg("-in").arg(&chain).arg("-out").arg(&file);
        run(command)?;
        Ok(file)
    }
}

fn unique(folder: &Path) -> Result<PathBuf> {
    let own = folder.join(format!("openssl-{}", data_encoding::HEXLOWER.encode(&chance::<8>())));
    std::fs::create_dir(&own).context("no folder")?;
    Ok(own)
}
