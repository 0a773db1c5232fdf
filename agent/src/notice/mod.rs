//! Notices: short words to the person at this PC, in the language of that person, never twice for one cause.
//!
//! A notice says what happened or what only that person can do; it carries no link, no command and no secret. Where
//! nobody is there to see it, it is not lost: its cause comes up again with the next try, and is told then.

mod once;

use std::sync::Arc;

use inkan_model::locale::Bilingual;

pub use self::once::Once;

/// A few words to a person.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Notice {
    /// What it is about. A notice with the same cause is not shown again.
    pub cause: String,
    /// To whom, by log-on name; `None` is everybody who is logged on.
    pub user: Option<String>,
    /// One line.
    pub title: Bilingual,
    /// One or two sentences.
    pub body: Bilingual,
}

/// Shows notices.
pub trait Notifier: Send + Sync {
    /// Shows a notice to those whom it concerns; whether at least one of them could see it.
    fn show(&self, notice: &Notice) -> bool;
}

/// Where there is no screen: nobody sees it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nobody;

impl Notifier for Nobody {
    fn show(&self, _notice: &Notice) -> bool {
        false
    }
}

/// One way, and another one for those notices that the first did not bring to anybody.
pub struct Else {
    /// The way that is tried first.
    pub first: Arc<dyn Notifier>,
    /// The way for the rest.
    pub then: Arc<dyn Notifier>,
}

impl Notifier for Else {
    fn show(&self, notice: &Notice) -> bool {
        self.first.show(notice) || self.then.show(notice)
    }
}

#[cfg(test)]
pub(crate) mod fake {
    use std::sync::Mutex;

    use super::{Notice, Notifier};

    /// Keeps what it was to show; sees it or not.
    #[derive(Debug, Default)]
    pub(crate) struct Screen {
        pub(crate) shown: Mutex<Vec<Notice>>,
        pub(crate) dark: Mutex<bool>,
    }

    impl Notifier for Screen {
        fn show(&self, notice: &Notice) -> bool {
            if *self.dark.lock().unwrap() {
                return false;
            }
            self.shown.lock().unwrap().push(notice.clone());
            true
        }
    }
}
