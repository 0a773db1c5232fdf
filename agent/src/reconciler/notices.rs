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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use inkan_model::store::{KeyPresence, Location, StoreKind};
    use inkan_model::{Fingerprint, RenewalId};
    use inkan_trust_store::StoreBackend;
    use inkan_trust_store::fake::FakeStore;

    use super::super::tests::sync;
    use super::*;
    use crate::companion::{Companions, with_companions};
    use crate::ledger::Ledger;
    use crate::notice::fake::Screen;
    use crate::notice::{Notifier, Once};
    use crate::reconciler::Reconciler;
    use crate::renewer::{Backends, Prober, Renewer};
    use crate::spool::Spool;
    use crate::testing::{FakeServer, NOW, Pc};

    /// A reconciler over these stores, and the screen on which its notices are seen.
    fn reconciler(pc: &Pc, stores: Vec<Arc<dyn StoreBackend>>) -> (Reconciler, Arc<Screen>) {
        let (disk, screen) = (crate::disk::Disk::default(), Arc::new(Screen::default()));
        let ledger = Ledger::open(disk.clone(), &pc.path("ledger.json"), Pc::host(), NOW).unwrap();
        let spool = Spool::open(disk.clone(), &pc.path("spool"), NOW).unwrap();
        let renewer = Renewer::new(Arc::new(Backends::new(stores)), Arc::clone(&pc.prober) as Arc<dyn Prober>);
        let shown: Arc<dyn Notifier> = Arc::clone(&screen) as Arc<dyn Notifier>;
        let once = Arc::new(Once::in_folder(disk, pc.folder.path(), shown));
        (Reconciler::new(ledger, spool, renewer, Arc::clone(&pc.clock) as Arc<_>).with_notifier(once), screen)
    }

    fn causes(screen: &Screen) -> Vec<String> {
        screen.shown.lock().unwrap().iter().map(|notice| notice.cause.clone()).collect()
    }

    fn work(reconciler: &mut Reconciler, server: &mut FakeServer) {
        for _ in 0..12 {
            reconciler.reconcile().unwrap();
            sync(reconciler, server).unwrap();
        }
    }

    fn expected(renewal: RenewalId, what: &str) -> Vec<String> {
        vec![format!("renewal {renewal} {what}")]
    }

    #[test]
    fn a_renewal_is_told_once_when_it_is_proven() {
        let (pc, mut server) = (Pc::new(), FakeServer::new());
        let old = pc.hold(&server.issue_old());
        let renewal = server.want_renewal(&pc.location, old);
        let (mut reconciler, screen) = reconciler(&pc, vec![Arc::clone(&pc.store) as Arc<dyn StoreBackend>]);
        work(&mut reconciler, &mut server);
        assert_eq!(server.state_of(renewal), "closed");
        assert_eq!(causes(&screen), expected(renewal, "proven"));
    }

    #[test]
    fn a_renewal_that_waits_for_its_user_is_told_once_to_whoever_is_there() {
        let (pc, mut server) = (Pc::new(), FakeServer::new());
        let scope = Scope::User("CLINIC\\mika".to_owned());
        let location = Location { kind: StoreKind::WindowsStore, scope, path: "MY".to_owned() };
        let (store, der) = (Arc::new(FakeStore::default()), server.issue_old());
        store.add_location(location.clone());
        store.put(&location, &der, KeyPresence::Present, None);
        let renewal = server.want_renewal(&location, Fingerprint::of(&der));
        let stores = with_companions(vec![store as Arc<dyn StoreBackend>], &Arc::new(Companions::default()));
        let (mut reconciler, screen) = reconciler(&pc, stores);
        work(&mut reconciler, &mut server);
        pc.clock.advance(time::Duration::hours(1));
        work(&mut reconciler, &mut server);
        assert_eq!(causes(&screen), expected(renewal, "needs its user"));
        let shown = screen.shown.lock().unwrap();
        assert!(shown[0].user.is_none() && shown[0].body.ja.contains("mika"), "{shown:?}");
    }
}
