//! What a store says about an entry beyond the certificate: pb ↔ model.

use inkan_model::limits;
use inkan_model::properties::{EntryProperties, TrustFlags, TrustLevel};

use crate::field::{self, InvalidMessage};
use crate::pb;

impl TryFrom<pb::EntryProperties> for EntryProperties {
    type Error = InvalidMessage;

    fn try_from(message: pb::EntryProperties) -> Result<Self, InvalidMessage> {
        let pb::EntryProperties { key_provider, key_exportable, purposes, name_constraints, trust } = message;
        if name_constraints.as_ref().is_some_and(|der| der.len() > limits::CERTIFICATE_BYTES) {
            return Err(InvalidMessage::new("name_constraints", "is longer than a certificate may be"));
        }
        Ok(Self {
            key_provider: field::optional_text("key_provider", key_provider, limits::SHORT_TEXT)?,
            key_exportable,
            purposes: purposes.map(read_purposes).transpose()?,
            name_constraints,
            trust: trust.map(TrustFlags::from),
        })
    }
}

fn read_purposes(message: pb::Purposes) -> Result<Vec<String>, InvalidMessage> {
    if message.oids.len() > limits::PURPOSES {
        return Err(InvalidMessage::new("purposes", format!("has {} entries", message.oids.len())));
    }
    message.oids.into_iter().map(|oid| field::text("purposes", oid, limits::SHORT_TEXT)).collect()
}

impl From<EntryProperties> for pb::EntryProperties {
    fn from(properties: EntryProperties) -> Self {
        let EntryProperties { key_provider, key_exportable, purposes, name_constraints, trust } = properties;
        Self {
            key_provider,
            key_exportable,
            purposes: purposes.map(|oids| pb::Purposes { oids }),
            name_constraints,
            trust: trust.map(Into::into),
        }
    }
}

impl From<pb::TrustFlags> for TrustFlags {
    fn from(message: pb::TrustFlags) -> Self {
        let pb::TrustFlags { server, client, email, code } = message;
        let [server, client, email, code] = [server, client, email, code].map(TrustLevel::from_number);
        Self { server, client, email, code }
    }
}

impl From<TrustFlags> for pb::TrustFlags {
    fn from(flags: TrustFlags) -> Self {
        let TrustFlags { server, client, email, code } = flags;
        let [server, client, email, code] = [server, client, email, code].map(TrustLevel::number);
        Self { server, client, email, code }
    }
}
