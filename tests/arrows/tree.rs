//! The files of the tree themselves: how long they are, what must not stand in them, whether both languages are there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Lines that a file may have. A longer one has two reasons to change.
const LONGEST_FILE: usize = 500;

/// Folders that are not sources: made by tools, or git's own.
const NOT_OURS: &[&str] = &[".git", ".try", "node_modules", "target"];

/// Files that others wrote, kept as they are, and files that a tool writes.
const VENDORED: &[&str] = &["htmx", "package-lock.json", "Cargo.lock", "LICENSE-"];

const SOURCES: &[&str] = &["css", "html", "js", "mjs", "proto", "py", "rs", "sh", "sql", "toml", "yml"];

pub(crate) struct SourceFile {
    /// Relative to the root of the workspace.
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate stands in the workspace").to_owned()
}

/// Every text file of the tree.
pub(crate) fn files() -> Vec<SourceFile> {
    let root = root();
    let (mut found, mut left) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_symlink() || NOT_OURS.contains(&name.as_str()) {
                continue;
            }
            if path.is_dir() {
                left.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                let path = path.strip_prefix(&root).expect("below the root").to_owned();
                found.push(SourceFile { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// The files that people write and read as code.
pub(crate) fn sources() -> impl Iterator<Item = SourceFile> {
    let is_source = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let scripted = path.extension().is_none() && (path.starts_with("deploy") || path.starts_with("tests"));
        let known = path.extension().is_some_and(|ending| SOURCES.iter().any(|source| ending == *source));
        (known || scripted) && !VENDORED.iter().any(|vendored| name.starts_with(vendored))
    };
    files().into_iter().filter(move |file| is_source(&file.path))
}

#[test]
fn no_source_file_is_longer_than_a_reader_can_hold() {
    let lines = |file: &SourceFile| file.text.lines().count();
    let long: Vec<_> = sources()
        .filter(|file| lines(file) > LONGEST_FILE)
        .map(|file| format!("{}: {} lines", file.path.display(), lines(&file)))
        .collect();
    assert!(long.is_empty(), "files of more than {LONGEST_FILE} lines: {long:#?}");
}

#[test]
fn no_file_names_this_machine_or_a_package_registry() {
    let checkout = root().display().to_string();
    // Put together here, so that this file does not hold them.
    let mut words = vec![
        ["registry", ".npmjs", ".org"].concat(),
        ["crates", ".io"].concat(),
        ["pypi", ".org"].concat(),
        ["proxy", ".golang"].concat(),
        [".cargo", "/registry"].concat(),
    ];
    if checkout.matches('/').count() > 1 {
        words.push(format!("{checkout}/"));
    }
    let mut found = Vec::new();
    for file in files() {
        if file.path.ends_with("Cargo.lock") {
            continue;
        }
        for (number, line) in file.text.lines().enumerate() {
            if words.iter().any(|word| line.contains(word.as_str())) {
                found.push(format!("{}:{}: {}", file.path.display(), number + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "paths of a machine or hosts of a registry: {found:#?}");
}

#[test]
fn every_text_of_the_pages_is_there_in_both_languages() {
    let mut lacking = Vec::new();
    let mut texts = 0;
    for file in files() {
        if !file.path.components().any(|part| part.as_os_str() == "locales") {
            continue;
        }
        for (key, languages) in languages_of(&file.text) {
            texts += 1;
            if languages != ["en", "ja"] {
                lacking.push(format!("{}: {key} has {languages:?}", file.path.display()));
            }
        }
    }
    assert!(lacking.is_empty(), "texts that are not there in both languages: {lacking:#?}");
    assert!(texts > 0, "no texts were found at all");
}

/// The keys of a file of texts, each with its languages, sorted: `key:` above `ja:` and `en:`, or `key: { ja: …, en: … }` on
/// one line, keys nested by indentation.
fn languages_of(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut above: Vec<(usize, String)> = Vec::new();
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        let Some((key, rest)) = line.trim_start().split_once(':') else { continue };
        if line.trim_start().starts_with('#') || key.starts_with('_') {
            continue;
        }
        let key = key.trim_matches('"');
        while above.last().is_some_and(|(at, _)| *at >= indent) {
            above.pop();
        }
        let path = |more: Option<&str>| {
            let keys: Vec<&str> = above.iter().map(|(_, key)| key.as_str()).chain(more).collect();
            keys.join(".")
        };
        if rest.trim_start().starts_with('{') {
            let languages = ["en", "ja"].into_iter().filter(|language| has_key(rest, language));
            found.insert(path(Some(key)), languages.map(str::to_owned).collect());
        } else if matches!(key, "ja" | "en") && !above.is_empty() {
            let languages = found.entry(path(None)).or_default();
            languages.push(key.to_owned());
            languages.sort();
        } else {
            above.push((indent, key.to_owned()));
        }
    }
    found
}

/// Whether a map on one line has this key with a text that is not empty.
fn has_key(map: &str, key: &str) -> bool {
    let starts = [format!("{{ {key}: \""), format!(", {key}: \"")];
    starts.iter().any(|start| map.split_once(start.as_str()).is_some_and(|(_, rest)| !rest.starts_with('"')))
}

#[test]
fn languages_are_read_off_nested_keys() {
    let text = "_version: 2\nnav:\n  hosts:\n    ja: 端末\n    en: PCs\n  home:\n    ja: 今日\n";
    let found = languages_of(text);
    assert_eq!(found["nav.hosts"], ["en", "ja"]);
    assert_eq!(found["nav.home"], ["ja"]);
}

#[test]
fn languages_are_read_off_keys_on_one_line() {
    let found =
        languages_of("key:\n  absent: { ja: \"なし\", en: \"missing\" }\n  there: { ja: \"あり\", en: \"\" }\n");
    assert_eq!(found["key.absent"], ["en", "ja"]);
    assert_eq!(found["key.there"], ["ja"]);
}
