//! Texts: every key that the code or a template uses is there, in both languages, with the same places to fill.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

fn texts(locale: &str) -> BTreeMap<String, String> {
    let backend: &dyn rust_i18n::Backend = crate::_rust_i18n_backend();
    let found = backend.messages_for_locale(locale).unwrap();
    found.into_iter().map(|(key, text)| (key.into_owned(), text.into_owned())).collect()
}

/// Keys in calls such as `say("…")`; whoever asks for a count may get the one for a single thing.
fn keys_in(source: &str) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    for quoted in source.split('"').skip(1).step_by(1) {
        let looks_like_key = quoted.contains('.')
            && !quoted.starts_with('.')
            && !quoted.ends_with('.')
            && quoted.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._".contains(&byte));
        if looks_like_key {
            keys.insert(quoted.to_owned());
        }
    }
    keys
}

fn sources(folder: &Path, found: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("tests") {
            sources(&path, found);
        } else if path.is_file() {
            found.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn both_languages_have_the_same_keys_with_the_same_places() {
    let (ja, en) = (texts("ja"), texts("en"));
    assert_eq!(ja.keys().collect::<Vec<_>>(), en.keys().collect::<Vec<_>>());
    for (key, text) in &ja {
        assert!(!text.is_empty() || !en[key].is_empty(), "{key} is empty");
        for place in ["%{a}", "%{b}", "%{n}"] {
            // English says "one" in words where it likes.
            let agree = text.contains(place) == en[key].contains(place) || (key.ends_with("_one") && place == "%{n}");
            assert!(agree, "{key}: {place}");
        }
    }
}

#[test]
fn every_key_that_is_used_is_there_and_every_key_that_is_there_is_used() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = String::new();
    sources(&root.join("src"), &mut all);
    sources(&root.join("templates"), &mut all);
    let (known, used) = (texts("ja"), keys_in(&all));
    let sections: BTreeSet<_> = known.keys().filter_map(|key| key.split('.').next()).collect();
    let is_text = |key: &&String| sections.contains(key.split('.').next().unwrap_or(""));
    let files = [".html", ".css", ".js", ".svg", ".rs", ".csv"];
    let missing: Vec<_> = used
        .iter()
        .filter(is_text)
        .filter(|key| !known.contains_key(*key) && !files.iter().any(|file| key.ends_with(file)))
        .collect();
    assert!(missing.is_empty(), "used but not there: {missing:?}");
    let base = |key: &str| key.strip_suffix("_one").unwrap_or(key).to_owned();
    let unused: Vec<_> = known.keys().filter(|key| !used.contains(*key) && !used.contains(&base(key))).collect();
    assert!(unused.is_empty(), "there but not used: {unused:?}");
}

#[test]
fn a_counted_text_has_its_singular_where_its_plural_is_counted() {
    let en = texts("en");
    let counted = en.iter().filter(|(key, text)| text.contains("%{n}") && !key.ends_with("_one"));
    let lacking: Vec<_> = counted.filter(|(key, _)| !en.contains_key(&format!("{key}_one"))).collect();
    assert!(lacking.is_empty(), "{lacking:?}");
}
