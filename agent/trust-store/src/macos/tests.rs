//! What the program says, written by hand after its published source (`SecurityTool`, Apple) and what others have shown
//! of it. No line here was recorded on a Mac by us.

use proptest::prelude::*;

use super::output::{identities, labels, trust_settings};
use super::*;

const CERTIFICATES: &str = r#"SHA-256 hash: 4348A0E9444C78CB265E058D5E8944B4D84F9662BD26DB257F8934A443C70161
SHA-1 hash: A8985D3A65E5E5C4B2D7D66D40C6DD2FB19C5436
keychain: "/Library/Keychains/System.keychain"
version: 256
class: 0x80001000
attributes:
    "alis"<blob>="Vendor Root"
    "cenc"<uint32>=0x00000003
    "ctyp"<uint32>=0x00000001
    "hpky"<blob>=0x03DE503556D14CBB66F0A3E21B1BC397B23DD155  "\003\336P5V\321L\273f\360\243\342\033\033\303\227\262=\321U"
    "issu"<blob>=0x3061310B3009  "0a1\0130\011"
    "labl"<blob>="Vendor Root "quoted""
    "snbr"<blob>=0x083BE056904246B1A1756AC95991C74A  "\010;\340V\220BF\261\241uj\311Y\221\307J"
SHA-1 hash: DF3C24F9BFD666761B268073FE06D1CC8D4F82A4
keychain: "/Library/Keychains/System.keychain"
version: 512
class: 0x80001000
attributes:
    "alis"<blob>=<NULL>
    "labl"<blob>=0xE58CBBE79982E382AAE383B3E383A9E382A4E383B3  "\345\214\273\347\231\202\343\202\252\343\203\263"
SHA-1 hash: 0563B8630D62D75ABBC8AB1E4BDFB5A899B24D43
keychain: "/Library/Keychains/System.keychain"
attributes:
    "labl"<blob>=<NULL>
"#;

const IDENTITIES: &str = r#"
Policy: X.509 Basic
  Matching identities
  1) A8985D3A65E5E5C4B2D7D66D40C6DD2FB19C5436 "client of the clinic" (CSSMERR_TP_NOT_TRUSTED)
  2) DF3C24F9BFD666761B268073FE06D1CC8D4F82A4 "com.apple.systemdefault"
     2 identities found

  Valid identities only
  1) DF3C24F9BFD666761B268073FE06D1CC8D4F82A4 "com.apple.systemdefault"
     1 valid identities found

"#;

const SETTINGS: &str = "\
Number of trusted certs = 5
Cert 0: Trusted for all
   Number of trust settings : 0
Cert 1: Trusted for TLS: but not for mail
   Number of trust settings : 3
   Trust Setting 0:
      Policy OID            : SSL
      Allowed Error         : CSSMERR_TP_CERT_EXPIRED
      Result Type           : kSecTrustSettingsResultTrustRoot
   Trust Setting 1:
      Policy OID            : SMIME
      Result Type           : kSecTrustSettingsResultDeny
   Trust Setting 2:
      Policy OID            : Code Signing
      Policy String         : somebody.example
      Result Type           : kSecTrustSettingsResultTrustRoot
Cert 2: Denied
   Number of trust settings : 2
   Trust Setting 0:
      Result Type           : kSecTrustSettingsResultTrustRoot
   Trust Setting 1:
      Policy OID            : Apple X509 Basic
      Result Type           : kSecTrustSettingsResultDeny
Cert 3: Left to the system
   Number of trust settings : 1
   Trust Setting 0:
      Policy OID            : 1.2.840.113635.100.1.9
      Result Type           : kSecTrustSettingsResultTrustRoot
Cert 4: Twice
   Number of trust settings : 1
   Trust Setting 0:
      Allowed Error         : CSSMERR_TP_CERT_EXPIRED
";

fn flags(server: TrustLevel, email: TrustLevel, code: TrustLevel) -> TrustFlags {
    TrustFlags { server, client: server, email, code }
}

#[test]
fn names_are_read_in_each_form_of_a_value() {
    let told: Vec<_> = labels(CERTIFICATES).into_values().collect();
    assert_eq!(told, ["Vendor Root \"quoted\"", "医療オンライン"]);
}

#[test]
fn an_identity_counts_whether_or_not_it_is_valid() {
    let told = identities(IDENTITIES);
    let expected = ["A8985D3A65E5E5C4B2D7D66D40C6DD2FB19C5436", "DF3C24F9BFD666761B268073FE06D1CC8D4F82A4"];
    let told: Vec<_> = told.iter().map(|hash| data_encoding::HEXUPPER.encode(hash)).collect();
    assert_eq!(told, expected);
}

#[test]
fn settings_are_read_by_purpose_and_a_refusal_outweighs() {
    use TrustLevel::{Anchor, Distrusted, Unset};
    let told: Vec<_> = trust_settings(SETTINGS).into_iter().map(|settings| (settings.name, settings.trust)).collect();
    let expected = [
        ("Trusted for all", flags(Anchor, Anchor, Anchor)),
        ("Trusted for TLS: but not for mail", flags(Anchor, Distrusted, Unset)),
        ("Denied", flags(Distrusted, Distrusted, Distrusted)),
        ("Left to the system", flags(Unset, Unset, Unset)),
        ("Twice", flags(Anchor, Anchor, Anchor)),
    ];
    assert_eq!(told, expected.map(|(name, trust)| (name.to_owned(), trust)));
}

proptest! {
    #[test]
    fn any_words_are_read_without_a_panic(
        lines in proptest::collection::vec((0_usize..12, "\\PC{0,30}"), 0..40),
    ) {
        const BEGINNINGS: [&str; 12] = [
            "SHA-1 hash: ", "    \"labl\"<blob>=", "    \"labl\"<blob>=0x", "  1) ", "Cert 0: ", "Cert ", "Trust Setting 0:",
            "   Number of trust settings : ", "      Policy OID   : ", "      Result Type  : ", "keychain: ", "",
        ];
        let text: Vec<_> = lines.iter().map(|(at, rest)| [BEGINNINGS[*at], rest].concat()).collect();
        let text = text.join("\n");
        let _ = (labels(&text), identities(&text), trust_settings(&text));
    }
}
