//! What the person at the PC is told about a renewal: that it waits for that person, and that it is done.

use inkan_model::locale::Bilingual;
use inkan_model::store::Scope;
use inkan_trust_store::ChangeError;

use crate::ledger::{RenewalRecord, Stage};
use crate::notice::Notice;
use crate::renewer::StepError;

/// The notice that a step which was taken is worth.
pub(super) fn after_step(record: &RenewalRecord) -> Option<Notice> {
    match &record.stage {
        Stage::Proven { .. } => Some(Notice {
            cause: format!("renewal {} proven", record.renewal),
            user: user_of(record),
            title: Bilingual::new("電子証明書を更新しました", "A certificate was renewed"),
            body: Bilingual::new(
                "新しい証明書が使えることを確認しました。開いている業務ソフトやブラウザがあれば、一度閉じて開き直してください。",
                "The new certificate works. Close and reopen your business software and browsers if they are open.",
            ),
        }),
        _ => None,
    }
}

/// The notice that a step which failed is worth: only where a person can help.
pub(super) fn after_failure(record: &RenewalRecord, error: &StepError) -> Option<Notice> {
    let StepError::Change(ChangeError::NeedsUser { .. }) = error else { return None };
    let (ja, en) = match &record.location.scope {
        Scope::User(name) => (
            format!("この端末に「{name}」でサインインすると、更新が自動で続きます。"),
            format!("The renewal goes on by itself once {name} signs in on this PC."),
        ),
        Scope::Machine => (
            "この端末での操作が必要です。担当の業者に連絡してください。".to_owned(),
            "Somebody has to do something on this PC. Please call your IT vendor.".to_owned(),
        ),
    };
    Some(Notice {
        cause: format!("renewal {} needs its user", record.renewal),
        // That user is not there to read it, so whoever is.
        user: None,
        title: Bilingual::new("電子証明書の更新が止まっています", "The renewal of a certificate is waiting"),
        body: Bilingual::new(ja, en),
    })
}

fn user_of(record: &RenewalRecord) -> Option<String> {
    match &record.location.scope {
        Scope::User(name) => Some(name.clone()),
        Scope::Machine => None,
    }
}
