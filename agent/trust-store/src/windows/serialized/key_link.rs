//! What a certificate's entry says about where its private key is kept: a name in a provider, never the key.
//!
//! Written down it is `CRYPT_KEY_PROV_INFO` with offsets in the place of pointers, and the texts behind it. Windows' own
//! form has offsets of 32 bits; some systems write the struct as it is in a 64-bit process. Both are read.

use super::{terminated, text, word};

/// The flag of a key that belongs to the machine and not to a user (`CRYPT_MACHINE_KEYSET`, the same bit as
/// `NCRYPT_MACHINE_KEY_FLAG`).
const MACHINE_KEYS: u32 = 0x20;

/// A certificate's link to its private key (`CRYPT_KEY_PROV_INFO`).
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct KeyLink {
    /// The container's name within the provider.
    pub container: String,
    /// The provider's name.
    pub provider: String,
    /// The provider's type; 0 is a key storage provider (CNG).
    pub provider_type: u32,
    /// Flags with which the container is opened.
    pub flags: u32,
    /// Which key of the container (1 for exchange, 2 for signing); 0 in CNG.
    pub key_spec: u32,
}

impl KeyLink {
    /// Whether the key is kept for the machine.
    pub const fn is_machine(&self) -> bool {
        self.flags & MACHINE_KEYS != 0
    }

    /// Whether the key is kept by a key storage provider (CNG).
    pub const fn is_cng(&self) -> bool {
        self.provider_type == 0
    }

    /// Whether both lead to the same container. Providers of CryptoAPI share containers between their names, and
    /// container names are compared as Windows does, without case.
    pub fn same_container(&self, other: &Self) -> bool {
        let fold = |name: &str| name.to_lowercase();
        self.is_machine() == other.is_machine() && fold(&self.container) == fold(&other.container)
    }

    /// Reads the property's data; `None` where it has no form that is known.
    pub(super) fn read(data: &[u8]) -> Option<Self> {
        let narrow = || Self::laid_out(data, &NARROW);
        let wide = || Self::laid_out(data, &WIDE).filter(|_| word(data, 4) == Some(0) && word(data, 12) == Some(0));
        // The first offset leads behind the struct, so it says which struct it is.
        let first = usize::try_from(word(data, 0)?).ok()?;
        if first >= WIDE.size { wide().or_else(narrow) } else { narrow() }
    }

    fn laid_out(data: &[u8], layout: &Layout) -> Option<Self> {
        let text_at = |at: usize| {
            let offset = usize::try_from(word(data, at)?).ok()?;
            match offset {
                0 => Some(String::new()),
                _ if offset < layout.size => None,
                _ => data.get(offset..).map(text),
            }
        };
        let container = text_at(layout.container)?;
        if container.is_empty() {
            return None;
        }
        Some(Self {
            container,
            provider: text_at(layout.provider)?,
            provider_type: word(data, layout.provider_type)?,
            flags: word(data, layout.flags)?,
            key_spec: word(data, layout.key_spec)?,
        })
    }

    /// The property's data with offsets of 32 bits.
    pub(super) fn to_bytes(&self) -> Option<Vec<u8>> {
        let (container, provider) = (terminated(&self.container), terminated(&self.provider));
        let container_at = u32::try_from(NARROW.size).ok()?;
        let provider_at = container_at.checked_add(u32::try_from(container.len()).ok()?)?;
        let words = [container_at, provider_at, self.provider_type, self.flags, 0, 0, self.key_spec];
        Some(words.into_iter().flat_map(u32::to_le_bytes).chain(container).chain(provider).collect())
    }
}

/// Where the parts of the struct stand.
struct Layout {
    container: usize,
    provider: usize,
    provider_type: usize,
    flags: usize,
    key_spec: usize,
    size: usize,
}

const NARROW: Layout = Layout { container: 0, provider: 4, provider_type: 8, flags: 12, key_spec: 24, size: 28 };
const WIDE: Layout = Layout { container: 0, provider: 8, provider_type: 16, flags: 20, key_spec: 40, size: 48 };
