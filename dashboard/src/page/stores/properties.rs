//! What a store says of an entry beyond the certificate: who keeps its key, what it is limited to, what it is trusted for.

use inkan_model::properties::{EntryProperties, TrustFlags, TrustLevel};

use crate::words::Words;

/// The properties as short lines; none where the store says nothing.
pub(super) fn property_lines(properties: &EntryProperties, w: Words) -> Vec<String> {
    let EntryProperties { key_provider, key_exportable, purposes, name_constraints, trust } = properties;
    let exportable = |yes: bool| w.say(if yes { "property.exportable" } else { "property.not_exportable" });
    let limits = purposes.as_ref().map(|purposes| purposes_line(purposes, w));
    [
        key_provider.as_ref().map(|provider| w.fill("property.provider", provider)),
        key_exportable.map(exportable),
        limits,
        name_constraints.as_ref().map(|_| w.say("property.names_limited")),
        trust.map(|trust| trust_line(trust, w)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn purposes_line(purposes: &[String], w: Words) -> String {
    if purposes.is_empty() {
        return w.say("property.no_purpose");
    }
    let words: Vec<_> = purposes.iter().map(|oid| purpose_word(oid, w)).collect();
    w.fill("property.purposes", words.join(&w.say("fact.separator")))
}

/// Extended key usages of RFC 5280 §4.2.1.12; others by their identifier.
fn purpose_word(oid: &str, w: Words) -> String {
    match oid {
        "1.3.6.1.5.5.7.3.1" => w.say("property.server_auth"),
        "1.3.6.1.5.5.7.3.2" => w.say("property.client_auth"),
        "1.3.6.1.5.5.7.3.3" => w.say("property.code_signing"),
        "1.3.6.1.5.5.7.3.4" => w.say("property.email"),
        "1.3.6.1.5.5.7.3.8" => w.say("property.time_stamping"),
        other => other.to_owned(),
    }
}

fn trust_line(trust: TrustFlags, w: Words) -> String {
    let TrustFlags { server, client, email, code } = trust;
    let purposes = [
        ("property.server_auth", server),
        ("property.client_auth", client),
        ("property.email", email),
        ("property.code_signing", code),
    ];
    let said = |(purpose, level): (&str, TrustLevel)| {
        (level != TrustLevel::Unset).then(|| format!("{} {}", w.say(purpose), level_word(level, w)))
    };
    let said: Vec<_> = purposes.into_iter().filter_map(said).collect();
    if said.is_empty() {
        return w.say("property.trust_unset");
    }
    w.fill("property.trust", said.join(&w.say("fact.separator")))
}

fn level_word(level: TrustLevel, w: Words) -> String {
    match level {
        TrustLevel::Unset => w.say("property.level_unset"),
        TrustLevel::Anchor => w.say("property.level_anchor"),
        TrustLevel::Peer => w.say("property.level_peer"),
        TrustLevel::Distrusted => w.say("property.level_distrusted"),
        TrustLevel::MustVerify => w.say("property.level_must_verify"),
        TrustLevel::Unrecognized(number) => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use inkan_model::locale::Locale;

    use super::*;

    #[test]
    fn what_a_store_says_is_said_in_words_and_what_it_does_not_say_is_left_out() {
        let w = Words(Locale::Ja);
        assert!(property_lines(&EntryProperties::default(), w).is_empty());
        let trust = TrustFlags {
            server: TrustLevel::Anchor,
            client: TrustLevel::Unset,
            email: TrustLevel::Distrusted,
            code: TrustLevel::Unrecognized(9),
        };
        let properties = EntryProperties {
            key_provider: Some("Microsoft Software Key Storage Provider".to_owned()),
            key_exportable: Some(false),
            purposes: Some(vec!["1.3.6.1.5.5.7.3.2".to_owned(), "1.2.3".to_owned()]),
            name_constraints: Some(vec![0x30, 0]),
            trust: Some(trust),
        };
        assert_eq!(
            property_lines(&properties, w),
            [
                "鍵の保管: Microsoft Software Key Storage Provider",
                "鍵は取り出せません",
                "用途の制限: クライアント認証、1.2.3",
                "名前の制限あり",
                "信頼: サーバー認証 信頼する、メール 信頼しない、コード署名 9",
            ]
        );
        let none = EntryProperties { purposes: Some(Vec::new()), ..EntryProperties::default() };
        assert_eq!(property_lines(&none, Words(Locale::En)), ["limited to no purpose at all"]);
    }
}
