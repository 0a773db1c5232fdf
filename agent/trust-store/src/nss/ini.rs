//! The plain `[section]`, `key=value` files that Mozilla's programs keep beside their profiles. Lenient: a line that is
//! neither is passed over, because the program itself does so too.

/// Sections of one file.
const SECTIONS: usize = 500;
/// Values of one section.
const VALUES: usize = 100;

/// One section, its values in the order of the file.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Section {
    pub(super) name: String,
    values: Vec<(String, String)>,
}

impl Section {
    /// The first value of this key.
    pub(super) fn value(&self, key: &str) -> Option<&str> {
        self.values.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

/// Reads a file's bytes. What lies beyond a bound is not read.
pub(super) fn parse(bytes: &[u8]) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for line in String::from_utf8_lossy(bytes).lines() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            if sections.len() == SECTIONS {
                break;
            }
            sections.push(Section { name: name.to_owned(), values: Vec::new() });
        } else if let (Some(section), Some((key, value))) = (sections.last_mut(), line.split_once('='))
            && section.values.len() < VALUES
        {
            section.values.push((key.trim().to_owned(), value.trim().to_owned()));
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sections_and_values_are_read_and_the_rest_is_passed_over() {
        let text = b"; a remark\r\nlost=1\r\n[Profile0]\r\nName=a\r\nPath = x=y \r\nnonsense\r\n[General]\r\n";
        let sections = parse(text);
        assert_eq!(sections.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["Profile0", "General"]);
        assert_eq!((sections[0].value("Path"), sections[0].value("lost")), (Some("x=y"), None));
    }

    #[test]
    fn a_file_without_end_is_cut() {
        assert_eq!(parse("[a]\n".repeat(SECTIONS + 7).as_bytes()).len(), SECTIONS);
        assert_eq!(parse(format!("[a]\n{}", "k=v\n".repeat(VALUES + 7)).as_bytes())[0].values.len(), VALUES);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
        }
    }
}
