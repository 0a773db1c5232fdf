//! Private keys on Windows: made, imported, used and deleted where Windows keeps them, and never given out again.
//!
//! **Which provider keeps a new key**, and why:
//!
//! | the old certificate's key | the new key |
//! | --- | --- |
//! | elliptic curve | CNG: the TPM where there is one, else Windows' software provider. CryptoAPI has no such keys. |
//! | RSA in a CryptoAPI provider | CryptoAPI: whatever uses it may know nothing else and not see a CNG key. |
//! | RSA in CNG | CNG: the TPM, else the software provider, else CryptoAPI: whoever can use CNG can use that too. |
//! | RSA, kept nobody knows where | CryptoAPI: every application can use it. |
//! | (an import) RSA | CryptoAPI, as Windows' own import does; elliptic curve: CNG's software provider. |
//!
//! CryptoAPI keys are those of "Microsoft Enhanced RSA and AES Cryptographic Provider", the first one that knows
//! SHA-256. A CNG provider is believed only once a key that it made could be opened again by its name; one that
//! cannot do that is passed over. Keys are made without permission to export and for silent use: nothing here may ask
//! the person at the screen, and nothing here ever asks Windows for a private key.
//!
//! Whoever may use the old key of the machine may use the new one: what accounts were let to it is carried over, or a
//! service that is not an administrator would lose its certificate by the renewal.
//!
//! Containers have names of our own, told by what they are for, so that a step that is made again after a crash finds
//! what it made before, and nobody else's container is ever taken for ours.
//!
//! A certificate is archived by Windows' own mark (`CERT_ARCHIVED_PROP_ID`): applications do not pick it any more, its
//! key stays, and taking the mark away brings it back. Where that mark is not known, as in Wine, it goes to a store
//! of our own, `InkanArchive`, with its link to the key.
//!
//! **Nothing here was run on real Windows.** Under Wine, everything of CryptoAPI was, and the store of our own; never
//! run anywhere were CNG, whose keys Wine does not keep, with it elliptic curves and the TPM, and Windows' mark.

#[cfg(any(test, windows))]
mod blob;
#[cfg(windows)]
mod capi;
#[cfg(windows)]
mod cng;
#[cfg(windows)]
mod keyed;
#[cfg(windows)]
mod keyring;
#[cfg(windows)]
mod other_stores;
#[cfg(windows)]
mod personal;
#[cfg(any(test, windows))]
mod policy;
#[cfg(windows)]
mod properties;
#[cfg(windows)]
mod provider;
#[cfg(all(test, windows))]
mod tests;

#[cfg(windows)]
pub(crate) use self::keyring::existing_key;
