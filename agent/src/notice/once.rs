//! Remembers which notices were seen, over restarts.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::warn;

use super::{Notice, Notifier};
use crate::disk::{Disk, Unsealed, seal, unseal};

const FILE: &str = "notices.json";
/// Causes that are remembered; renewals come a few a year.
const REMEMBERED: usize = 500;
/// Bytes of the file.
const BYTES: usize = 256 * 1024;

/// Shows each notice once.
pub struct Once {
    disk: Disk,
    path: PathBuf,
    notifier: Arc<dyn Notifier>,
    /// The causes that were seen, oldest first.
    seen: Mutex<VecDeque<String>>,
}

impl Once {
    /// Remembers in this folder. A file that is damaged counts as empty: a notice too many is better than none.
    pub fn in_folder(disk: Disk, folder: &Path, notifier: Arc<dyn Notifier>) -> Self {
        let path = folder.join(FILE);
        let seen = match Disk::find(&path, BYTES) {
            Ok(Some(bytes)) => match unseal(&bytes) {
                Unsealed::Whole(seen) => seen,
                Unsealed::Damaged { why } => {
                    warn!(why, "forgot which notices were shown");
                    VecDeque::new()
                }
            },
            Ok(None) => VecDeque::new(),
            Err(error) => {
                warn!(%error, "forgot which notices were shown");
                VecDeque::new()
            }
        };
        Self { disk, path, notifier, seen: Mutex::new(seen) }
    }

    fn remember(&self, seen: &mut VecDeque<String>, cause: &str) {
        seen.push_back(cause.to_owned());
        while seen.len() > REMEMBERED {
            seen.pop_front();
        }
        let written = seal(seen).map_err(std::io::Error::from);
        if let Err(error) = written.and_then(|bytes| self.disk.replace(&self.path, &bytes)) {
            warn!(%error, "could not write down which notices were shown");
        }
    }
}

impl Notifier for Once {
    fn show(&self, notice: &Notice) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.contains(&notice.cause) {
            return true;
        }
        let shown = self.notifier.show(notice);
        if shown {
            self.remember(&mut seen, &notice.cause);
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use inkan_model::locale::Bilingual;

    use super::super::fake::Screen;
    use super::*;

    fn notice(cause: &str) -> Notice {
        let text = Bilingual::new("題", "title");
        Notice { cause: cause.to_owned(), user: None, title: text.clone(), body: text }
    }

    fn once(folder: &Path, screen: &Arc<Screen>) -> Once {
        let screen: Arc<Screen> = Arc::clone(screen);
        Once::in_folder(Disk::default(), folder, screen)
    }

    #[test]
    fn a_cause_is_told_once_also_after_a_restart() {
        let (folder, screen) = (tempfile::tempdir().unwrap(), Arc::new(Screen::default()));
        for _restart in 0..2 {
            let notifier = once(folder.path(), &screen);
            assert!(notifier.show(&notice("a")) && notifier.show(&notice("a")) && notifier.show(&notice("b")));
        }
        let shown: Vec<_> = screen.shown.lock().unwrap().iter().map(|notice| notice.cause.clone()).collect();
        assert_eq!(shown, ["a", "b"]);
    }

    #[test]
    fn what_nobody_saw_is_told_again() {
        let (folder, screen) = (tempfile::tempdir().unwrap(), Arc::new(Screen::default()));
        let notifier = once(folder.path(), &screen);
        *screen.dark.lock().unwrap() = true;
        assert!(!notifier.show(&notice("a")));
        *screen.dark.lock().unwrap() = false;
        assert!(notifier.show(&notice("a")));
        assert_eq!(screen.shown.lock().unwrap().len(), 1);
    }

    #[test]
    fn the_memory_is_bounded_and_a_damaged_one_is_begun_anew() {
        let (folder, screen) = (tempfile::tempdir().unwrap(), Arc::new(Screen::default()));
        let notifier = once(folder.path(), &screen);
        for number in 0..=REMEMBERED {
            notifier.show(&notice(&number.to_string()));
        }
        assert_eq!(notifier.seen.lock().unwrap().len(), REMEMBERED);
        assert!(Disk::find(&folder.path().join(FILE), BYTES).unwrap().is_some());
        std::fs::write(folder.path().join(FILE), b"damaged").unwrap();
        assert!(once(folder.path(), &screen).show(&notice("400")));
    }
}
