//! Directives to a host, and the nudge that says that some wait.

use inkan_model::digest::Fingerprint;
use inkan_model::directive::{CheckupDirective, Directives, Generation, ProbeTarget, RenewalDirective, RenewalWant};
use inkan_model::id::RenewalId;
use inkan_model::limits;

use crate::field::{self, InvalidMessage};
use crate::pb;
use crate::pb::renewal_directive::Want as Wire;

impl TryFrom<pb::Directives> for Directives {
    type Error = InvalidMessage;

    fn try_from(message: pb::Directives) -> Result<Self, InvalidMessage> {
        let pb::Directives { generation, renewals, checkups } = message;
        let renewals = field::each("renewals", renewals, limits::DIRECTED_RENEWALS, RenewalDirective::try_from)?;
        let checkups = field::each("checkups", checkups, limits::DIRECTED_CHECKUPS, CheckupDirective::try_from)?;
        Ok(Self { generation: Generation(generation), renewals, checkups })
    }
}

impl From<Directives> for pb::Directives {
    fn from(directives: Directives) -> Self {
        let Directives { generation, renewals, checkups } = directives;
        Self {
            generation: generation.0,
            renewals: renewals.into_iter().map(Into::into).collect(),
            checkups: checkups.into_iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<pb::RenewalDirective> for RenewalDirective {
    type Error = InvalidMessage;

    fn try_from(message: pb::RenewalDirective) -> Result<Self, InvalidMessage> {
        let pb::RenewalDirective { renewal, location, old, want } = message;
        Ok(Self {
            renewal: RenewalId::from_slice(&renewal).map_err(|why| InvalidMessage::new("renewal", why))?,
            location: field::message("location", location)?,
            old: field::digest("old", &old, Fingerprint::from_slice)?,
            want: read_want(want)?,
        })
    }
}

/// A want that is not known is refused: leaving the renewal out would tell the agent that it is over.
fn read_want(want: Option<Wire>) -> Result<RenewalWant, InvalidMessage> {
    match want {
        Some(Wire::Request(pb::WantRequest {})) => Ok(RenewalWant::Request),
        Some(Wire::Install(install)) => read_install(install).map_err(|refused| refused.within("install")),
        Some(Wire::ArchiveOld(pb::WantArchiveOld { new })) => {
            Ok(RenewalWant::ArchiveOld { new: field::digest("archive_old.new", &new, Fingerprint::from_slice)? })
        }
        None => Err(InvalidMessage::new("want", "is missing, or of a kind that is not known here")),
    }
}

fn read_install(install: pb::WantInstall) -> Result<RenewalWant, InvalidMessage> {
    let pb::WantInstall { chain, challenge, probe } = install;
    Ok(RenewalWant::Install {
        chain: field::chain("chain", chain)?,
        challenge: field::bytes("challenge", challenge, limits::SMALL_BYTES)?,
        probe: field::optional("probe", probe)?,
    })
}

impl From<RenewalDirective> for pb::RenewalDirective {
    fn from(directive: RenewalDirective) -> Self {
        let RenewalDirective { renewal, location, old, want } = directive;
        let want = match want {
            RenewalWant::Request => Wire::Request(pb::WantRequest {}),
            RenewalWant::Install { chain, challenge, probe } => {
                Wire::Install(pb::WantInstall { chain, challenge, probe: probe.map(Into::into) })
            }
            RenewalWant::ArchiveOld { new } => Wire::ArchiveOld(pb::WantArchiveOld { new: new.as_bytes().to_vec() }),
        };
        Self {
            renewal: renewal.as_bytes().to_vec(),
            location: Some(location.into()),
            old: old.as_bytes().to_vec(),
            want: Some(want),
        }
    }
}

impl TryFrom<pb::ProbeTarget> for ProbeTarget {
    type Error = InvalidMessage;

    fn try_from(message: pb::ProbeTarget) -> Result<Self, InvalidMessage> {
        let pb::ProbeTarget { host, port, anchor } = message;
        let host = field::name("host", host, limits::SHORT_TEXT)?;
        let port = match u16::try_from(port) {
            Ok(port) if port != 0 => port,
            _ => return Err(InvalidMessage::new("port", format!("is {port}, not a TCP port"))),
        };
        let anchor = anchor.map(|der| field::bytes("anchor", der, limits::CERTIFICATE_BYTES)).transpose()?;
        Ok(Self { host, port, anchor })
    }
}

impl From<ProbeTarget> for pb::ProbeTarget {
    fn from(target: ProbeTarget) -> Self {
        let ProbeTarget { host, port, anchor } = target;
        Self { host, port: port.into(), anchor }
    }
}

/// Generation 0 is only a sign of life.
impl From<pb::Nudge> for Generation {
    fn from(message: pb::Nudge) -> Self {
        Self(message.generation)
    }
}

impl From<Generation> for pb::Nudge {
    fn from(generation: Generation) -> Self {
        Self { generation: generation.0 }
    }
}
