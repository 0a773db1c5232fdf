//! Files made by openssl, keytool and NSS, which are needed to run these tests and nowhere else.

use std::fs;
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

/// Runs a program; fails the test when it is not there or fails.
fn run(directory: &Path, program: &str, arguments: &[&str]) {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{program} is needed in PATH to run this test: {error}"));
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {text}");
}

/// A folder with `ca.pem`, and `key.pem` with `cert.pem` that it issued.
fn stage(key: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let ca =
        ["req", "-x509", "-nodes", "-newkey", "rsa:2048", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=CA"];
    run(folder.path(), "openssl", &ca);
    issue(folder.path(), key, "cert");
    folder
}

fn issue(folder: &Path, key: &[&str], name: &str) {
    let key_file = format!("{name}.key");
    let mut arguments = vec!["genpkey", "-out", &key_file];
    arguments.extend(key);
    run(folder, "openssl", &arguments);
    let (request, certificate, subject) = (format!("{name}.csr"), format!("{name}.pem"), format!("/CN={name}"));
    run(folder, "openssl", &["req", "-new", "-key", &key_file, "-out", &request, "-subj", &subject]);
    let sign = ["x509", "-req", "-in", &request, "-CA", "ca.pem", "-CAkey", "ca.key", "-out", &certificate];
    run(folder, "openssl", &sign);
}

const RSA_KEY: [&str; 4] = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];
const EC_KEY: [&str; 4] = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];

fn export(folder: &Path, password: &str, options: &[&str]) -> Vec<u8> {
    let pass = format!("pass:{password}");
    let fixed = ["pkcs12", "-export", "-inkey", "cert.key", "-in", "cert.pem", "-out", "out.p12", "-passout", &pass];
    run(folder, "openssl", &[&fixed, options].concat());
    fs::read(folder.join("out.p12")).unwrap()
}

fn der(folder: &Path, pem: &str) -> Vec<u8> {
    let text = fs::read(folder.join(pem)).unwrap();
    ::pem::parse(text).unwrap().into_contents()
}

/// Exactly one key, with this chain, that really is the leaf's.
fn opens_to(bytes: &[u8], password: &str, chain: &[Vec<u8>]) -> KeyedCertificate {
    let mut opened = open(bytes, password).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(opened.len(), 1);
    let one = opened.remove(0);
    assert_eq!(one.chain, chain);
    assert!(KeyMaterial::read(&one.pkcs8).unwrap().belongs_to(spki_of(&chain[0]).unwrap()));
    one
}

#[test]
fn files_of_openssl_in_each_encryption_and_with_each_password_open() {
    let forms: [&[&str]; 5] = [
        &["-legacy"],
        &["-legacy", "-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-RC2-40", "-macalg", "sha1"],
        &[
            "-keypbe",
            "PBE-SHA1-3DES",
            "-certpbe",
            "PBE-SHA1-3DES",
            "-macalg",
            "sha1",
            "-provider",
            "legacy",
            "-provider",
            "default",
        ],
        &["-keypbe", "AES-256-CBC", "-certpbe", "AES-256-CBC", "-macalg", "sha256"],
        &["-nomac"],
    ];
    for key in [&RSA_KEY, &EC_KEY] {
        let folder = stage(key);
        let folder = folder.path();
        let chain = [der(folder, "cert.pem"), der(folder, "ca.pem")];
        for form in forms {
            for password in ["1234", "", "医療機関の鍵", "p\u{e4}ss"] {
                let options = [form, &["-name", "診療所 0110119153", "-certfile", "ca.pem"]].concat();
                let bytes = export(folder, password, &options);
                let opened = opens_to(&bytes, password, &chain);
                assert_eq!(opened.name.as_deref(), Some("診療所 0110119153"), "{form:?} {password:?}");
                assert_eq!(open(&bytes, "4321").err(), Some(Pkcs12Error::WrongPassword), "{form:?} {password:?}");
            }
        }
    }
}

#[test]
fn a_file_of_keytool_opens() {
    let folder = tempfile::tempdir().unwrap();
    let fixed = ["-genkeypair", "-alias", "client", "-keyalg", "RSA", "-keysize", "2048", "-dname", "CN=client"];
    let file = ["-keystore", "out.p12", "-storetype", "PKCS12", "-storepass", "123456"];
    run(folder.path(), "keytool", &[&fixed[..], &file].concat());
    run(folder.path(), "keytool", &[&["-exportcert", "-alias", "client", "-file", "cert.der"], &file[..]].concat());
    let chain = [fs::read(folder.path().join("cert.der")).unwrap()];
    let bytes = fs::read(folder.path().join("out.p12")).unwrap();
    assert_eq!(opens_to(&bytes, "123456", &chain).name.as_deref(), Some("client"));
}

#[test]
fn a_file_of_nss_opens_although_it_is_ber() {
    let folder = stage(&RSA_KEY);
    let folder = folder.path();
    export(folder, "1234", &["-name", "client"]);
    run(folder, "certutil", &["-N", "-d", "sql:.", "--empty-password"]);
    run(folder, "pk12util", &["-i", "out.p12", "-d", "sql:.", "-W", "1234", "-K", ""]);
    let legacy =
        ["PKCS #12 V2 PBE With SHA-1 And 3KEY Triple DES-CBC", "PKCS #12 V2 PBE With SHA-1 And 40 Bit RC2 CBC"];
    for form in [&["-c", legacy[0], "-C", legacy[1]][..], &[]] {
        let fixed = ["-o", "nss.p12", "-n", "client", "-d", "sql:.", "-W", "1234", "-K", ""];
        run(folder, "pk12util", &[&fixed, form].concat());
        let bytes = fs::read(folder.join("nss.p12")).unwrap();
        assert!(matches!(ber::to_der(&bytes), Ok(Cow::Owned(_))), "NSS wrote DER this time: nothing is tested");
        let opened = opens_to(&bytes, "1234", &[der(folder, "cert.pem")]);
        assert_eq!(opened.name.as_deref(), Some("client"));
        assert_eq!(open(&bytes, "12345").err(), Some(Pkcs12Error::WrongPassword));
        let mut changed = bytes.clone();
        changed[200] ^= 1;
        assert_eq!(open(&changed, "1234").err(), Some(Pkcs12Error::WrongPassword), "the MAC covers each octet");
    }
}

/// A file with these keys and certificates in bags of their own.
fn written(entries: &[(&str, &rcgen::KeyPair, &[&rcgen::Certificate])]) -> Vec<u8> {
    let mut store = p12_keystore::KeyStore::new();
    for (name, key, chain) in entries {
        let certificates = chain.iter().map(|one| p12_keystore::Certificate::from_der(one.der()).unwrap());
        let key = p12_keystore::PrivateKey::from_der(&key.serialize_der()).unwrap();
        let chain = p12_keystore::PrivateKeyChain::new(name.as_bytes(), key, certificates);
        store.add_entry(name, p12_keystore::KeyStoreEntry::PrivateKeyChain(chain));
    }
    store.writer("1234").encryption_iterations(10).mac_iterations(10).write().unwrap()
}

fn self_signed(name: &str) -> (rcgen::KeyPair, rcgen::Certificate) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    let certificate = params.self_signed(&key).unwrap();
    (key, certificate)
}

#[test]
fn each_of_several_keys_comes_with_its_own_certificate() {
    let (one, two) = (self_signed("one"), self_signed("two"));
    let bytes = written(&[("one", &one.0, &[&one.1]), ("two", &two.0, &[&two.1])]);
    let opened = open(&bytes, "1234").unwrap_or_else(|error| panic!("{error}"));
    let mut leaves: Vec<_> = opened.iter().map(|one| (one.name.clone(), one.chain.clone())).collect();
    leaves.sort();
    let expected =
        [("CN=one", one.1), ("CN=two", two.1)].map(|(name, one)| (Some(name.to_owned()), vec![one.der().to_vec()]));
    assert_eq!(leaves, expected);
}

#[test]
fn a_certificate_that_only_claims_to_be_the_keys_is_not_taken_for_it() {
    let (one, two) = (self_signed("one"), self_signed("two"));
    let bytes = written(&[("one", &one.0, &[&two.1])]);
    assert_eq!(open(&bytes, "1234").err(), Some(Pkcs12Error::NoCertificate));
}

#[test]
fn a_file_without_a_key_says_so() {
    let folder = stage(&EC_KEY);
    let fixed = ["pkcs12", "-export", "-nokeys", "-in", "ca.pem", "-out", "out.p12", "-passout", "pass:1234"];
    run(folder.path(), "openssl", &fixed);
    let bytes = fs::read(folder.path().join("out.p12")).unwrap();
    assert_eq!(open(&bytes, "1234").err(), Some(Pkcs12Error::NoKey));
}

#[test]
fn what_is_too_large_or_no_pkcs12_is_refused() {
    assert!(matches!(open(&vec![0x30; FILE_BYTES + 1], ""), Err(Pkcs12Error::TooLarge { what: "bytes", .. })));
    let (key, certificate) = self_signed("one");
    let bytes = written(&[("one", &key, &[&certificate])]);
    for broken in [b"".as_slice(), b"junk", &bytes[..bytes.len() - 1], certificate.der()] {
        assert!(matches!(open(broken, "1234"), Err(Pkcs12Error::Malformed { .. })), "{broken:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_file_with_a_changed_byte_is_opened_without_a_panic(at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let (key, certificate) = self_signed("one");
        let mut bytes = written(&[("one", &key, &[&certificate])]);
        let at = at.index(bytes.len());
        bytes[at] = to;
        let _ = open(&bytes, "1234");
    }
}
