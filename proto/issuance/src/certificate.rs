//! Reading certificates that somebody else may have made: leniently, but whole, and not larger than is sane.

use inkan_model::UnreadableCertificate;
use inkan_model::limits::{self, tame_text};
use x509_parser::prelude::{FromDer, X509Certificate};

/// Reads one certificate; trailing bytes are refused.
pub(crate) fn read(der: &[u8]) -> Result<X509Certificate<'_>, UnreadableCertificate> {
    let refuse = |why| Err(UnreadableCertificate { why });
    if der.len() > limits::CERTIFICATE_BYTES {
        return refuse(format!("{} bytes, more than {}", der.len(), limits::CERTIFICATE_BYTES));
    }
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok((rest, _)) => refuse(format!("{} bytes follow the certificate", rest.len())),
        Err(error) => refuse(tame_text(&error.to_string(), limits::SHORT_TEXT)),
    }
}
