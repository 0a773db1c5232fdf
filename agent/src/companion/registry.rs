//! The companions that are there now, by their users' log-on names.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::conversation::Conversation;
use super::desk::is_same_user;
use crate::notice::{Notice, Notifier};

/// The companions that are there now.
#[derive(Default)]
pub struct Companions(Mutex<BTreeMap<String, Arc<Conversation>>>);

impl Companions {
    /// The companion of this user, where the user is logged on and it can be asked.
    pub fn find(&self, user: &str) -> Option<Arc<Conversation>> {
        let there = self.lock();
        let same = there.iter().find(|(name, found)| is_same_user(name, user) && found.is_open());
        same.map(|(_, found)| Arc::clone(found))
    }

    /// Takes note of a companion that was greeted.
    pub fn enter(&self, user: &str, conversation: Arc<Conversation>) {
        self.lock().insert(user.to_owned(), conversation);
    }

    /// Forgets a companion that is gone.
    pub fn leave(&self, user: &str) {
        self.lock().remove(user);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Conversation>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notifier for Companions {
    fn show(&self, notice: &Notice) -> bool {
        let Notice { cause: _, user, title, body } = notice;
        let there: Vec<_> = match user {
            Some(user) => self.find(user).into_iter().collect(),
            None => self.lock().values().cloned().collect(),
        };
        // Everybody is told, not only the first.
        there.iter().filter(|companion| companion.notify(title, body)).count() > 0
    }
}
