use proptest::prelude::*;

use super::*;

const WHOLE: &str = r#"
[programme]
id = "common-ca"
names = { ja = "共通認証局", en = "Common CA" }

[recognise]
issuer_common_names = ["Online Billing NW Common Root CA - G1"]

[[anchors]]
common_name = "Security Communication RootCA2"
store = "root"

[checks]
sites = ["https://cert.example.jp", "https://other.example.jp:8443"]
minimum_tls = "1.2"
trusted_zone = true
closed_browsers = ["edge", "internet_explorer"]
"#;

fn refusal(text: &str) -> String {
    Programme::from_toml("x.toml", text).unwrap_err().to_string()
}

#[test]
fn a_whole_file_is_read() {
    let programme = Programme::from_toml("x.toml", WHOLE).unwrap();
    assert_eq!(programme.id.as_str(), "common-ca");
    assert_eq!(programme.names.ja, "共通認証局");
    assert_eq!(programme.anchors[0].store, AnchorPlace::Root);
    assert_eq!(programme.checks.minimum_tls, Some(TlsVersion::Tls12));
    assert_eq!(programme.checks.sites[0].to_string(), "https://cert.example.jp");
    assert_eq!((programme.checks.sites[1].host(), programme.checks.sites[1].port()), ("other.example.jp", 8443));
    assert!(programme.checks.trusted_zone && !programme.checks.cookies);
}

#[test]
fn what_is_wrong_is_named_by_file_line_and_key() {
    let swapped = |from: &str, to: &str| {
        assert!(WHOLE.contains(from));
        refusal(&WHOLE.replace(from, to))
    };
    let cases = [
        (swapped("minimum_tls = \"1.2\"", "minimum_tls = \"1.9\""), "x.toml, line 15: `checks.minimum_tls`: ", "`1.0`"),
        (swapped("trusted_zone = true", "trusted_zone = 1"), "x.toml, line 16: `checks.trusted_zone`: ", "boolean"),
        (swapped("trusted_zone", "trusted_zoen"), "x.toml, line 16: ", "`trusted_zone`"),
        (swapped("\"https://cert.example.jp\"", "\"http://a\""), "x.toml, line 14: `checks.sites[0]`: ", "`https://`"),
        (swapped("\"common-ca\"", "\"Common CA\""), "x.toml, line 3: `programme.id`: ", "small letters"),
        (swapped("store = \"root\"\n", ""), "x.toml, line 9: `anchors[0]", "missing field `store`"),
        (swapped("\"edge\"", "\"netscape\""), "x.toml, line 17: `checks.closed_browsers[0]`: ", "`firefox`"),
        (swapped("issuer_common_names = [\"Online Billing NW Common Root CA - G1\"]", ""), "x.toml, line 6: ", "every"),
        (swapped("[checks]", "[checks"), "x.toml, line 13: ", "]"),
    ];
    for (refused, start, expected) in cases {
        assert!(refused.starts_with(start) && refused.contains(expected), "{refused}");
    }
}

#[test]
fn lists_and_files_have_an_end() {
    let sites: Vec<_> = (0..200).map(|n| format!("\"https://s{n}.example.jp\"")).collect();
    let refused = refusal(&WHOLE.replace("\"https://cert.example.jp\"", &sites.join(", ")));
    assert!(refused.contains("`checks.sites`: 201 values"), "{refused}");
    assert!(refusal(&"#".repeat(crate::limits::PROGRAMME_BYTES + 1)).contains("bytes, more than"));
}

#[test]
fn a_site_is_https_without_a_path() {
    for wrong in ["", "https://", "http://a.jp", "https://a.jp/x", "https://a..jp", "https://u@a.jp", "https://a.jp:0"]
    {
        assert!(wrong.parse::<Site>().is_err(), "{wrong}");
    }
    assert_eq!("https://WWW.Example.jp/".parse::<Site>().unwrap().host(), "www.example.jp");
}

fn certificate(subject: &str, issuer: &str) -> CertificateFacts {
    let mut root = rcgen::CertificateParams::default();
    root.distinguished_name.push(rcgen::DnType::CommonName, issuer);
    root.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let mut leaf = rcgen::CertificateParams::default();
    leaf.distinguished_name.push(rcgen::DnType::CommonName, subject);
    let (key, leaf_key) = (rcgen::KeyPair::generate().unwrap(), rcgen::KeyPair::generate().unwrap());
    let leaf = leaf.signed_by(&leaf_key, &rcgen::Issuer::new(root, key)).unwrap();
    CertificateFacts::read(leaf.der()).unwrap()
}

#[test]
fn a_certificate_is_recognised_by_issuer_and_subject_together() {
    let rules = Recognise {
        issuer_common_names: vec!["SECOM Passport for Member PUB CA1".parse().unwrap()],
        subject_common_name_prefixes: vec!["S47".parse().unwrap()],
        ..Recognise::default()
    };
    assert!(rules.matches(&certificate("S4700010P", "SECOM Passport for Member PUB CA1")));
    assert!(!rules.matches(&certificate("X4700010P", "SECOM Passport for Member PUB CA1")));
    assert!(!rules.matches(&certificate("S4700010P", "SECOM Passport for Member PUB CA11")));
}

#[test]
fn a_programme_survives_being_journaled() {
    let programme = Programme::from_toml("x.toml", WHOLE).unwrap();
    let json = serde_json::to_string(&programme).unwrap();
    assert_eq!(serde_json::from_str::<Programme>(&json).unwrap(), programme);
}

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text in "[\\[\\]a-z=\"'\\n ,{}0-9.#\u{e9}]{0,200}") {
        let _ = Programme::from_toml("x.toml", &text);
    }

    #[test]
    fn a_file_with_any_line_cut_out_is_read_or_refused_with_its_line(at in 0_usize..18) {
        let text: String = WHOLE.lines().enumerate().filter(|(n, _)| *n != at).flat_map(|(_, l)| [l, "\n"]).collect();
        if let Err(error) = Programme::from_toml("x.toml", &text) {
            prop_assert!(error.to_string().starts_with("x.toml, line "));
        }
    }
}
