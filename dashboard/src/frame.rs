//! What stands around every page of a signed-in operator: rail, search, clock, language, log-out.

use inkan_core::ports::Overview;

use crate::words::{Words, number};

/// The screens that the rail leads to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Screen {
    Today,
    Clinics,
    Hosts,
    Expiry,
    Renewals,
    Join,
}

/// One line of the rail.
pub(crate) struct RailItem {
    pub(crate) href: &'static str,
    pub(crate) word: String,
    pub(crate) count: Option<String>,
    /// Whether the number asks for attention.
    pub(crate) hot: bool,
    pub(crate) current: bool,
    /// Whether a line is drawn before it.
    pub(crate) begins_group: bool,
}

/// What stands around a page.
pub(crate) struct Frame {
    pub(crate) title: String,
    pub(crate) rail: Vec<RailItem>,
    pub(crate) vendor: String,
    pub(crate) operator: String,
    /// The form token of this session.
    pub(crate) token: String,
    /// Path and query of this page, to come back to after a change of language.
    pub(crate) here: String,
    pub(crate) now: String,
    pub(crate) search: String,
}

impl Frame {
    /// The lines of the rail with their numbers.
    pub(crate) fn rail(w: Words, current: Screen, figures: &Overview) -> Vec<RailItem> {
        let item = |screen, href, word: &str, count: u64, hot: bool, begins_group| RailItem {
            href,
            word: w.say(word),
            count: (count > 0).then(|| number(count)),
            hot,
            current: screen == current,
            begins_group,
        };
        vec![
            item(Screen::Today, "/", "rail.today", figures.hosts_now, true, false),
            item(Screen::Clinics, "/clinics", "rail.clinics", figures.clinics, false, false),
            item(Screen::Hosts, "/hosts", "rail.hosts", figures.hosts, false, false),
            item(Screen::Expiry, "/expiry", "rail.expiry", 0, false, true),
            item(Screen::Renewals, "/renewals", "rail.renewals", figures.renewals_live, false, false),
            item(Screen::Join, "/join", "rail.join", 0, false, true),
        ]
    }
}
