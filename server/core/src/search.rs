//! Folding of texts for search, so that ｻｸﾗ, サクラ and さくら are one word, and １ is 1.

use unicode_normalization::UnicodeNormalization as _;

/// Folds a text: NFKC, lower case, hiragana to katakana, runs of white space to one space. Both what is stored for
/// search and what is searched for go through here.
pub fn fold(text: &str) -> String {
    let folded: String = text.nfkc().flat_map(char::to_lowercase).map(fold_kana).collect();
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The words of a search, folded; at most eight.
pub fn words(search: &str) -> Vec<String> {
    fold(search).split(' ').filter(|word| !word.is_empty()).take(8).map(str::to_owned).collect()
}

fn fold_kana(c: char) -> char {
    match c {
        // Hiragana ぁ–ゖ stand 0x60 before their katakana.
        '\u{3041}'..='\u{3096}' => char::from_u32(u32::from(c) + 0x60).unwrap_or(c),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kana_width_and_case_do_not_matter() {
        assert_eq!(fold("ｻｸﾗ内科　Ｃｌｉｎｉｃ"), fold("さくら内科 clinic"));
        assert_eq!(fold("ガーデン"), fold("ｶﾞｰﾃﾞﾝ"));
    }

    #[test]
    fn a_search_is_split_into_its_words() {
        assert_eq!(words("  内科　０１１０ "), ["内科", "0110"]);
        assert!(words("　").is_empty());
    }
}
