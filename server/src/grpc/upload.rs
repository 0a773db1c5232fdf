//! Reading an Upload: message by message, each one committed before the next is read, and never more than the limits.

use std::collections::BTreeSet;
use std::time::Duration;

use inkan_core::Core;
use inkan_core::intake::Contents;
use inkan_model::sync::Lacks;
use inkan_model::{Certificate, Fingerprint, SetDigest, limits};
use inkan_wire::pb::UploadRequest;
use inkan_wire::{Upload, UploadedDelta};
use prost::Message as _;
use tokio::time::timeout;
use tonic::{Status, Streaming};

use super::refusal::to_status;

/// Takes all messages, and says what is still lacking of what they named.
pub(super) async fn take_upload(
    core: &Core,
    mut messages: Streaming<UploadRequest>,
    message_timeout: Duration,
) -> Result<Lacks, Status> {
    let mut bytes = 0;
    let mut lacking = Lacking::default();
    loop {
        let next = timeout(message_timeout, messages.message()).await;
        let next = next.map_err(|_| Status::deadline_exceeded("the next message took too long"))?;
        let Some(message) = next? else { break };
        bytes += message.encoded_len();
        if bytes > limits::UPLOAD_BYTES {
            let most = limits::UPLOAD_BYTES;
            return Err(Status::resource_exhausted(format!("more than {most} bytes in one upload: begin another")));
        }
        let contents = read_contents(message)?;
        lacking.add(core.take_contents(contents).await.map_err(to_status)?);
    }
    lacking.look_again(core).await
}

/// What was lacking after one message or another. Beyond the limits nothing is remembered: it will be named by the next
/// Sync or Upload.
#[derive(Default)]
struct Lacking {
    sets: BTreeSet<SetDigest>,
    certificates: BTreeSet<Fingerprint>,
}

impl Lacking {
    fn add(&mut self, lacks: Lacks) {
        let Lacks { report: _, sets, certificates } = lacks;
        self.sets.extend(sets.into_iter().take(limits::LACKS.saturating_sub(self.sets.len())));
        let room = limits::LACKS.saturating_sub(self.certificates.len());
        self.certificates.extend(certificates.into_iter().take(room));
    }

    /// What a later message brought is not lacking any more.
    async fn look_again(self, core: &Core) -> Result<Lacks, Status> {
        let (sets, certificates): (Vec<_>, Vec<_>) =
            (self.sets.into_iter().collect(), self.certificates.into_iter().collect());
        if sets.is_empty() && certificates.is_empty() {
            return Ok(Lacks::default());
        }
        core.db().find_lacking(&sets, &certificates).await.map_err(|cause| to_status(cause.into()))
    }
}

fn read_contents(message: UploadRequest) -> Result<Contents, Status> {
    let Upload { sets, deltas, certificates } = Upload::try_from(message)?;
    Ok(Contents {
        certificates: certificates.into_iter().map(Certificate::read).collect(),
        sets: sets.into_iter().map(|set| (set.digest(), set.into_set())).collect(),
        deltas: deltas.into_iter().map(|UploadedDelta { digest, delta }| (digest, delta)).collect(),
    })
}
