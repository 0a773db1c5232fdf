//! Values come back unchanged, over real bytes; whatever else the bytes are, nothing panics.

use std::fmt::Debug;

use inkan_model::directive::Generation;
use inkan_model::store::{Location, SetEntry, StoreKind};
use inkan_model::sync::{Lacks, SyncAnswer, SyncReport};
use proptest::prelude::*;
use prost::Message;

use super::values;
use crate::{
    BeginRecovery, Enroll, Enrolled, IdentityChain, InvalidMessage, Recover, RecoveryNonce, RenewIdentity, Upload, pb,
};

/// Converts to a message, to bytes, and back by the same way.
fn there_and_back<V, P>(value: V) -> Result<V, InvalidMessage>
where
    P: Message + Default + From<V>,
    V: TryFrom<P, Error = InvalidMessage>,
{
    let bytes = P::from(value).encode_to_vec();
    V::try_from(P::decode(bytes.as_slice()).unwrap())
}

/// Reads bytes from outside; what can be read and converted must also lead back to itself.
fn read<V, P>(bytes: &[u8]) -> Result<(), TestCaseError>
where
    P: Message + Default + From<V>,
    V: TryFrom<P, Error = InvalidMessage> + Clone + Debug,
{
    let Ok(message) = P::decode(bytes) else { return Ok(()) };
    if let Ok(value) = V::try_from(message) {
        let again = there_and_back::<V, P>(value.clone());
        prop_assert_eq!(format!("{:?}", again), format!("{:?}", Ok::<_, InvalidMessage>(value)));
    }
    Ok(())
}

/// As [`read`], for every message there is.
fn read_as_everything(bytes: &[u8]) -> Result<(), TestCaseError> {
    read::<SyncReport, pb::SyncRequest>(bytes)?;
    read::<SyncAnswer, pb::SyncResponse>(bytes)?;
    read::<Upload, pb::UploadRequest>(bytes)?;
    read::<Lacks, pb::UploadResponse>(bytes)?;
    read::<Enroll, pb::EnrollRequest>(bytes)?;
    read::<Enrolled, pb::EnrollResponse>(bytes)?;
    read::<BeginRecovery, pb::BeginRecoveryRequest>(bytes)?;
    read::<RecoveryNonce, pb::BeginRecoveryResponse>(bytes)?;
    read::<Recover, pb::RecoverRequest>(bytes)?;
    read::<RenewIdentity, pb::RenewIdentityRequest>(bytes)?;
    read::<IdentityChain, pb::RenewIdentityResponse>(bytes)?;
    let _ = pb::Nudge::decode(bytes).map(Generation::from);
    Ok(())
}

proptest! {
    #[test]
    fn a_sync_report_comes_back_unchanged(report in values::sync_report()) {
        prop_assert_eq!(there_and_back::<_, pb::SyncRequest>(report.clone()), Ok(report));
    }

    #[test]
    fn a_sync_answer_comes_back_unchanged(answer in values::sync_answer()) {
        prop_assert_eq!(there_and_back::<_, pb::SyncResponse>(answer.clone()), Ok(answer));
    }

    #[test]
    fn an_upload_and_its_answer_come_back_unchanged(upload in values::upload(), lacks in values::lacks()) {
        prop_assert_eq!(there_and_back::<_, pb::UploadRequest>(upload.clone()), Ok(upload));
        prop_assert_eq!(there_and_back::<_, pb::UploadResponse>(lacks.clone()), Ok(lacks));
    }

    #[test]
    fn an_enrolment_and_its_answer_come_back_unchanged(enroll in values::enroll(), enrolled in values::enrolled()) {
        let back = there_and_back::<_, pb::EnrollRequest>(enroll.clone()).unwrap();
        prop_assert_eq!(back.token.hash(), enroll.token.hash());
        prop_assert_eq!((back.csr, back.facts), (enroll.csr, enroll.facts));
        prop_assert_eq!(back.machine_binding, enroll.machine_binding);
        prop_assert_eq!(there_and_back::<_, pb::EnrollResponse>(enrolled.clone()), Ok(enrolled));
    }

    #[test]
    fn a_recovery_and_a_renewal_come_back_unchanged(recover in values::recover()) {
        let begin = BeginRecovery { certificate: recover.certificate.clone() };
        let nonce = RecoveryNonce(recover.nonce.clone());
        let renew = RenewIdentity { csr: recover.signature.clone() };
        let chain = IdentityChain(vec![recover.certificate.clone()]);
        prop_assert_eq!(there_and_back::<_, pb::RecoverRequest>(recover.clone()), Ok(recover));
        prop_assert_eq!(there_and_back::<_, pb::BeginRecoveryRequest>(begin.clone()), Ok(begin));
        prop_assert_eq!(there_and_back::<_, pb::BeginRecoveryResponse>(nonce.clone()), Ok(nonce));
        prop_assert_eq!(there_and_back::<_, pb::RenewIdentityRequest>(renew.clone()), Ok(renew));
        prop_assert_eq!(there_and_back::<_, pb::RenewIdentityResponse>(chain.clone()), Ok(chain));
    }

    #[test]
    fn parts_come_back_unchanged(location in values::location(), entry in values::entry(), facts in values::facts()) {
        prop_assert_eq!(there_and_back::<_, pb::Location>(location.clone()), Ok(location));
        prop_assert_eq!(there_and_back::<_, pb::SetEntry>(entry.clone()), Ok(entry));
        prop_assert_eq!(there_and_back::<_, pb::HostFacts>(facts.clone()), Ok(facts));
    }

    #[test]
    fn arbitrary_bytes_are_read_as_every_message_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read_as_everything(&bytes)?;
    }

    /// Random bytes rarely get past decoding; a valid message with one wrong byte does.
    #[test]
    fn a_message_with_a_wrong_byte_is_read_as_every_message_without_a_panic(
        report in values::sync_report(),
        answer in values::sync_answer(),
        upload in values::upload(),
        at in any::<prop::sample::Index>(),
        to in any::<u8>(),
    ) {
        let messages = [
            pb::SyncRequest::from(report).encode_to_vec(),
            pb::SyncResponse::from(answer).encode_to_vec(),
            pb::UploadRequest::from(upload).encode_to_vec(),
        ];
        for mut bytes in messages {
            let at = at.index(bytes.len());
            bytes[at] = to;
            read_as_everything(&bytes)?;
        }
    }
}

#[test]
fn a_store_kind_of_a_newer_agent_survives_as_its_number() {
    let message = pb::Location { kind: 77, user: String::new(), path: "x".to_owned() };
    let location = Location::try_from(message.clone()).unwrap();
    assert_eq!(location.kind, StoreKind::Unrecognized(77));
    assert_eq!(pb::Location::from(location), message);
}

#[test]
fn what_only_a_newer_server_knows_of_a_programme_is_left_out_and_refuses_nothing() {
    let names = Some(pb::Bilingual { ja: "x".to_owned(), en: "x".to_owned() });
    let anchor = pb::WantedAnchor { common_name: "x".to_owned(), sha256: None, place: 77 };
    let checks = pb::ProgrammeChecks { closed_browsers: vec!["netscape".to_owned()], ..Default::default() };
    let programme =
        pb::Programme { id: "x".to_owned(), names, recognise: None, anchors: vec![anchor], checks: Some(checks) };
    let programme = inkan_model::programme::Programme::try_from(programme).unwrap();
    assert!(programme.anchors.is_empty() && programme.checks.closed_browsers.is_empty());
}

#[test]
fn an_entry_of_a_kind_that_is_not_known_is_refused_because_its_digest_could_not_be_checked() {
    let refused = SetEntry::try_from(pb::SetEntry { entry: None }).unwrap_err();
    assert_eq!(refused.field, "entry");
}

#[test]
fn the_descriptors_name_both_services() {
    let descriptors = prost_types::FileDescriptorSet::decode(crate::FILE_DESCRIPTOR_SET).unwrap();
    let services: Vec<_> =
        descriptors.file.iter().flat_map(|file| &file.service).map(prost_types::ServiceDescriptorProto::name).collect();
    assert_eq!(services, ["Enrolment", "Agent"]);
}

#[test]
fn a_join_token_does_not_show_itself_in_a_log() {
    let message = pb::EnrollRequest { token: "ABCDEFG".to_owned(), ..Default::default() };
    assert!(!format!("{message:?}").contains("ABCDEFG"));
    let refused = Enroll::try_from(message).unwrap_err();
    assert!(!format!("{refused:?}").contains("ABCDEFG"), "{refused:?}");
}

#[test]
fn a_refusal_becomes_an_invalid_argument_that_names_the_field() {
    let refused = SyncReport::try_from(pb::SyncRequest::default()).unwrap_err();
    let status = tonic::Status::from(refused);
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
    assert_eq!(status.message(), "state: has 0 bytes where 32 are expected");
}
