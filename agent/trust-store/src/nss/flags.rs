//! What a certificate is trusted for, in the flags of NSS' own interface.

use inkan_model::properties::{TrustFlags, TrustLevel};

/// Whether two say the same to whoever checks a chain: what is not said and what is only as good as its chain are one.
pub(super) fn same_effect(a: TrustFlags, b: TrustFlags) -> bool {
    let said = |level| if level == TrustLevel::MustVerify { TrustLevel::Unset } else { level };
    let all = |flags: TrustFlags| [flags.server, flags.client, flags.email, flags.code].map(said);
    all(a) == all(b)
}

/// Flags as NSS takes them (`CERTCertTrust`).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct NssFlags {
    pub(super) ssl: u32,
    pub(super) email: u32,
    pub(super) code: u32,
}

const TERMINAL: u32 = 1;
const TRUSTED: u32 = 1 << 1;
const VALID_CA: u32 = 1 << 3;
const TRUSTED_CA: u32 = 1 << 4;
const NETSCAPE_CA: u32 = 1 << 5;
const TRUSTED_CLIENT_CA: u32 = 1 << 7;

impl NssFlags {
    /// The flags that have this effect; `None` where NSS has none, because servers and clients share a word.
    pub(super) fn of(flags: TrustFlags) -> Option<Self> {
        let level = |level, anchor| match level {
            TrustLevel::Unset | TrustLevel::MustVerify => Some(0),
            TrustLevel::Anchor => Some(anchor | VALID_CA),
            TrustLevel::Peer => Some(TERMINAL | TRUSTED),
            TrustLevel::Distrusted => Some(TERMINAL),
            TrustLevel::Unrecognized(_) => None,
        };
        let found = Self {
            ssl: level(flags.server, TRUSTED_CA)? | level(flags.client, TRUSTED_CLIENT_CA)?,
            email: level(flags.email, TRUSTED_CA)?,
            code: level(flags.code, TRUSTED_CA)?,
        };
        same_effect(found.effect(), flags).then_some(found)
    }

    /// What NSS takes them to say.
    pub(super) const fn effect(self) -> TrustFlags {
        const fn level(word: u32, anchor: u32) -> TrustLevel {
            if word & anchor != 0 {
                TrustLevel::Anchor
            } else if word & TRUSTED != 0 {
                TrustLevel::Peer
            } else if word & TERMINAL != 0 {
                TrustLevel::Distrusted
            } else {
                TrustLevel::Unset
            }
        }
        TrustFlags {
            server: level(self.ssl, TRUSTED_CA | NETSCAPE_CA),
            client: level(self.ssl, TRUSTED_CLIENT_CA),
            email: level(self.email, TRUSTED_CA | NETSCAPE_CA),
            code: level(self.code, TRUSTED_CA | NETSCAPE_CA),
        }
    }
}

#[cfg(test)]
mod tests {
    use TrustLevel::{Anchor, Distrusted, MustVerify, Peer, Unset};

    use super::super::trust::{FOR_SERVERS, UNSET};
    use super::*;

    #[test]
    fn what_can_be_said_to_nss_means_there_what_was_asked_for() {
        let levels = [Unset, Anchor, Peer, Distrusted, MustVerify];
        let mut refused = 0;
        for server in levels {
            for client in levels {
                let flags = TrustFlags { server, client, ..UNSET };
                match NssFlags::of(flags) {
                    Some(found) => assert!(same_effect(found.effect(), flags), "{flags:?}"),
                    None => refused += 1,
                }
            }
        }
        assert!(refused > 0, "a server that is trusted as itself and nothing about clients cannot be said");
        assert_eq!(NssFlags::of(FOR_SERVERS), Some(NssFlags { ssl: 0x18, email: 0, code: 0 }));
    }
}
