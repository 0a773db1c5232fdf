//! What openssl says about what is made here, and what is said here about what openssl makes. openssl is needed to run
//! these tests, and nowhere else.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use time::Duration;

use super::identities::{agent, agent_ca, server};
use super::{leaf, now, private_ca, two_units};
use crate::key::{SoftwareKey, UnsupportedKey};
use crate::proof;
use crate::request::{Request, RequestError, build_request};

/// Runs openssl; gives both of its outputs, and fails the test when it fails.
fn openssl(directory: &Path, arguments: &[&str]) -> String {
    let output = Command::new("openssl")
        .args(arguments)
        .current_dir(directory)
        .output()
        .unwrap_or_else(|error| panic!("openssl is needed in PATH to run this test: {error}"));
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success(), "openssl {arguments:?}: {text}");
    text
}

fn directory_with(files: &[(&str, &[u8])]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(directory.path().join(name), content).unwrap();
    }
    directory
}

fn request_by_openssl(key_options: &[&str]) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let subject = "/C=JP/O=ReceiptOnline/OU=13/OU=medical/CN=1312345671-0001";
    let fixed =
        ["req", "-new", "-nodes", "-keyout", "key.pem", "-outform", "DER", "-out", "request.der", "-subj", subject];
    openssl(directory.path(), &[&fixed, key_options].concat());
    let request = directory.path().join("request.der");
    (directory, request)
}

#[test]
fn openssl_verifies_a_request_and_sees_both_units() {
    let request = build_request(&two_units(), &SoftwareKey::generate().unwrap()).unwrap();
    let directory = directory_with(&[("request.der", &request)]);
    let arguments = [
        "req",
        "-inform",
        "DER",
        "-in",
        "request.der",
        "-verify",
        "-noout",
        "-subject",
        "-nameopt",
        "RFC2253,-esc_msb,utf8",
    ];
    let said = openssl(directory.path(), &arguments);
    assert!(said.contains("verify OK"), "{said}");
    assert!(said.contains("CN=1312345671-0001,OU=medical,OU=13,O=レセプト,C=JP"), "{said}");
}

#[test]
fn openssl_verifies_leaves_strictly_for_their_purpose() {
    let (private, agents) = (private_ca(), agent_ca());
    let spki = SoftwareKey::generate().unwrap().spki();
    let directory = directory_with(&[
        ("private.pem", private.certificate_pem().unwrap().as_bytes()),
        ("agents.pem", agents.certificate_pem().unwrap().as_bytes()),
        ("client.der", &leaf(&private, &two_units())),
        ("agent.der", &agent(&agents, [4; 16], &spki)),
        ("server.der", &server(&agents)),
    ]);
    let at = now().plus(Duration::DAY).as_unix_seconds().to_string();
    for (authority, leaf, purpose) in [
        ("private.pem", "client.der", "sslclient"),
        ("agents.pem", "agent.der", "sslclient"),
        ("agents.pem", "server.der", "sslserver"),
    ] {
        let arguments = ["verify", "-x509_strict", "-attime", &at, "-purpose", purpose, "-CAfile", authority, leaf];
        assert!(openssl(directory.path(), &arguments).contains("OK"), "{leaf}");
    }
}

#[test]
fn openssl_reads_the_authoritys_key_file() {
    let ca = private_ca();
    let directory = directory_with(&[
        ("ca.key", ca.key_pem().unwrap().as_bytes()),
        ("ca.pem", ca.certificate_pem().unwrap().as_bytes()),
    ]);
    let of_key = openssl(directory.path(), &["pkey", "-in", "ca.key", "-pubout"]);
    let of_certificate = openssl(directory.path(), &["x509", "-in", "ca.pem", "-pubkey", "-noout"]);
    assert_eq!(of_key, of_certificate);
}

#[test]
fn a_key_file_made_by_openssl_is_read() {
    let directory = tempfile::tempdir().unwrap();
    openssl(
        directory.path(),
        &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "key.pem"],
    );
    SoftwareKey::from_pem(&fs::read_to_string(directory.path().join("key.pem")).unwrap()).unwrap();
}

#[test]
fn requests_by_openssl_with_each_kind_of_key_are_taken() {
    let kinds: [&[&str]; 4] = [
        &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-sha256"],
        &["-newkey", "rsa:2048", "-sha256"],
        &["-newkey", "rsa:4096", "-sha256"],
        &["-newkey", "ed25519"],
    ];
    for kind in kinds {
        let (_directory, file) = request_by_openssl(kind);
        let request = Request::parse(&fs::read(file).unwrap()).unwrap_or_else(|error| panic!("{kind:?}: {error:?}"));
        // Two units have two object identifiers 2.5.4.11.
        let units = request.subject_der().windows(3).filter(|bytes| bytes == &[0x55, 0x04, 0x0b]).count();
        assert_eq!(units, 2, "{kind:?}");
    }
}

#[test]
fn requests_by_openssl_with_weak_or_strange_keys_are_refused() {
    let refused = |kind: &[&str]| {
        let (_directory, file) = request_by_openssl(kind);
        Request::parse(&fs::read(file).unwrap()).unwrap_err()
    };
    let rsa_1024 = refused(&["-newkey", "rsa:1024", "-sha256"]);
    assert!(matches!(rsa_1024, RequestError::Key(UnsupportedKey::RsaBits { bits: 1024 })), "{rsa_1024:?}");
    let p384 = refused(&["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-sha256"]);
    assert!(matches!(p384, RequestError::Key(UnsupportedKey::Algorithm { .. })), "{p384:?}");
    let sha1 = refused(&["-newkey", "rsa:2048", "-sha1"]);
    assert!(matches!(sha1, RequestError::SignatureAlgorithm { .. }), "{sha1:?}");
}

#[test]
fn a_proof_signed_by_openssl_holds() {
    let message = proof::renewal_message(b"challenge");
    let directory = directory_with(&[("message", &message)]);
    openssl(
        directory.path(),
        &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "key.pem"],
    );
    openssl(directory.path(), &["pkey", "-in", "key.pem", "-pubout", "-outform", "DER", "-out", "spki.der"]);
    openssl(directory.path(), &["dgst", "-sha256", "-sign", "key.pem", "-out", "signature", "message"]);
    let read = |name| fs::read(directory.path().join(name)).unwrap();
    assert_eq!(proof::verify_signature(&read("spki.der"), &message, &read("signature")), Ok(()));
}
