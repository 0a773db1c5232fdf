//! What a store says about a certificate, carried over to another entry.
#![expect(unsafe_code, reason = "CryptoAPI lists properties through a C function only")]

use std::io;

use windows_sys::Win32::Security::Cryptography::{
    CERT_ARCHIVED_PROP_ID, CERT_DESCRIPTION_PROP_ID, CERT_ENHKEY_USAGE_PROP_ID, CERT_FIRST_USER_PROP_ID,
    CERT_FRIENDLY_NAME_PROP_ID, CERT_LAST_USER_PROP_ID, CERT_NO_EXPIRE_NOTIFICATION_PROP_ID,
    CertEnumCertificateContextProperties,
};

use crate::windows::system_store::CertificateContext;

/// Properties of one certificate that are looked at.
const PROPERTIES: usize = 256;

/// The same certificate with the same properties, in no store.
pub(super) fn copy(context: &CertificateContext) -> io::Result<CertificateContext> {
    let copied = CertificateContext::new(context.der())?;
    carry(context, &copied)?;
    if context.bytes(CERT_ARCHIVED_PROP_ID)?.is_some() {
        copied.set_bytes(CERT_ARCHIVED_PROP_ID, &[])?;
    }
    if let Some(link) = context.key_link()? {
        copied.set_key_link(&link)?;
    }
    Ok(copied)
}

/// Gives a successor what people and applications said of the certificate before it: its name, its description, the
/// purposes to which it is limited, and whatever applications keep in the range that is theirs. What Windows computes
/// from the certificate, and what is about the old certificate alone (its key, its enrolment), stays behind.
pub(super) fn carry(from: &CertificateContext, to: &CertificateContext) -> io::Result<()> {
    for id in identifiers(from) {
        if is_carried(id)
            && let Some(bytes) = from.bytes(id)?
        {
            to.set_bytes(id, &bytes)?;
        }
    }
    Ok(())
}

const fn is_carried(id: u32) -> bool {
    matches!(
        id,
        CERT_FRIENDLY_NAME_PROP_ID
            | CERT_DESCRIPTION_PROP_ID
            | CERT_ENHKEY_USAGE_PROP_ID
            | CERT_NO_EXPIRE_NOTIFICATION_PROP_ID
            | CERT_FIRST_USER_PROP_ID..=CERT_LAST_USER_PROP_ID
    )
}

fn identifiers(context: &CertificateContext) -> Vec<u32> {
    let mut found = Vec::new();
    let mut last = 0;
    while found.len() < PROPERTIES {
        // SAFETY: the context is live; 0 begins the list, and each identifier leads to the next.
        last = unsafe { CertEnumCertificateContextProperties(context.as_ptr(), last) };
        if last == 0 {
            break;
        }
        found.push(last);
    }
    found
}
