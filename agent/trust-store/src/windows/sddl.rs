//! Who may do what with a file or a folder, in the text form that Windows gives (\[MS-DTYP\] §2.5.1).
//!
//! Only as much of it as is needed to tell whether somebody else than those who should may open a folder. Whatever is not
//! understood counts as open to others. Plain code, tested everywhere.

/// Rights that nobody has to fear: SYSTEM, the administrators, and whoever made what is in the folder, because only those
/// who may enter it can make something there.
const TRUSTED: [&str; 3] = ["SY", "BA", "CO"];

/// Owner and access list of one file or folder.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Descriptor<'s> {
    owner: &'s str,
    /// `None` where there is no list, which lets everybody do everything.
    entries: Option<Vec<Entry<'s>>>,
}

/// One entry of an access list.
#[derive(Debug, Eq, PartialEq)]
struct Entry<'s> {
    kind: &'s str,
    account: &'s str,
}

/// The text of an access list by which only SYSTEM, the administrators and this account, if one is given, may do anything
/// with a folder and what is in it. Nothing is inherited from above.
pub(super) fn private_folder(account: Option<&str>) -> String {
    let account = account.map(|sid| format!("(A;OICI;FA;;;{sid})")).unwrap_or_default();
    format!("D:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA){account}")
}

impl<'s> Descriptor<'s> {
    /// Reads the text form; `None` when it is not one.
    pub(super) fn parse(text: &'s str) -> Option<Self> {
        let after_owner = text.strip_prefix("O:")?;
        let (owner, rest) = match after_owner.split_once("G:") {
            Some(parts) => parts,
            None => after_owner.split_at(after_owner.find("D:").unwrap_or(after_owner.len())),
        };
        let entries = match rest.split_once("D:") {
            Some((_, list)) if !list.starts_with("NO_ACCESS_CONTROL") => Some(entries(list)?),
            Some(_) | None => None,
        };
        Some(Self { owner, entries })
    }

    /// Whether it is owned by, and open to, nobody but SYSTEM, the administrators and this account.
    pub(super) fn is_private_to(&self, account: &str) -> bool {
        let trusted = |who: &str| TRUSTED.contains(&who) || who == account;
        self.is_owned_by_trusted(account)
            && self
                .entries
                .as_ref()
                .is_some_and(|entries| entries.iter().all(|e| e.kind == "D" || e.kind == "A" && trusted(e.account)))
    }

    /// Whether its owner, who may always give himself every right, is one of those.
    pub(super) fn is_owned_by_trusted(&self, account: &str) -> bool {
        matches!(self.owner, "SY" | "BA") || self.owner == account
    }
}

/// Flags, then entries in parentheses.
fn entries(list: &str) -> Option<Vec<Entry<'_>>> {
    let mut rest = &list[list.find('(').unwrap_or(list.len())..];
    let mut found = Vec::new();
    while let Some(inside) = rest.strip_prefix('(') {
        let (entry, after) = inside.split_once(')')?;
        let fields: Vec<_> = entry.split(';').collect();
        found.push(Entry { kind: fields.first()?, account: fields.get(5)? });
        rest = after;
    }
    // What follows the list of access is the list of audits.
    (rest.is_empty() || rest.starts_with("S:")).then_some(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ME: &str = "S-1-5-21-1-2-3-1001";

    fn is_private(text: &str) -> bool {
        Descriptor::parse(text).is_some_and(|found| found.is_private_to(ME))
    }

    #[test]
    fn what_we_set_is_private() {
        for account in [None, Some(ME)] {
            for owner in ["BA", "SY", ME] {
                let text = format!("O:{owner}G:SY{}", private_folder(account));
                assert!(is_private(&text), "{text}");
            }
        }
        assert!(is_private("O:BAD:PAI(A;OICI;FA;;;SY)"));
        assert!(is_private("O:BAG:DUD:(D;OICI;FA;;;WD)(A;;FA;;;BA)S:AI"));
    }

    #[test]
    fn what_lets_somebody_else_in_is_not_private() {
        let cases = [
            "O:BAG:SYD:AI(A;OICI;FA;;;SY)(A;OICIID;0x1200a9;;;BU)",
            "O:BAG:SYD:PAI(A;OICI;FA;;;S-1-5-21-9-9-9-1002)",
            "O:S-1-5-21-9-9-9-1002G:SYD:PAI(A;OICI;FA;;;SY)",
            "O:BAG:SYD:PAI(OA;;CC;a;b;SY)",
            "O:BAG:SYD:PAI(XA;;FA;;;SY;(a))",
            "O:BAG:SY",
            "O:BAG:SYD:NO_ACCESS_CONTROL",
            "O:BAG:SYD:PAI(A;OICI;FA;;;SY",
            "O:BAG:SYD:PAI(A;OICI;FA)",
            "",
        ];
        for text in cases {
            assert!(!is_private(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "[OGDS:();ABSYUWI0-9-]{0,60}") {
            let _ = is_private(&text);
        }
    }
}
