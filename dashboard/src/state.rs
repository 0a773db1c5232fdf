//! States as people see them: icon, word and colour, always all three.

use std::fmt;

use askama::filters::HtmlSafe;
use inkan_model::finding::Urgency;

/// How something is, in one of the few ways that a page distinguishes.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum State {
    /// Today.
    Now,
    /// In the coming weeks.
    Soon,
    /// Waits for a person.
    Person,
    /// We cannot know.
    Unknown,
    /// Keep an eye on it.
    Watch,
    /// As it should be.
    Well,
}

impl State {
    /// Those that a place can be in, worst first.
    pub(crate) const OF_PLACES: [Self; 4] = [Self::Now, Self::Soon, Self::Watch, Self::Well];

    pub(crate) fn of(worst: Option<Urgency>) -> Self {
        match worst {
            Some(Urgency::Now) => Self::Now,
            Some(Urgency::Soon) => Self::Soon,
            Some(Urgency::Watch) => Self::Watch,
            None => Self::Well,
        }
    }

    /// By the whole days that are left of a certificate, with the bounds that the rules have.
    pub(crate) fn of_days(days: i64) -> Self {
        match days {
            ..7 => Self::Now,
            7..30 => Self::Soon,
            30..90 => Self::Watch,
            _ => Self::Well,
        }
    }

    /// The class that colours it.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::Soon => "soon",
            Self::Person => "person",
            Self::Unknown => "unknown",
            Self::Watch => "watch",
            Self::Well => "well",
        }
    }

    /// The picture that stands before the word.
    pub(crate) fn icon(self) -> Icon {
        Icon(self)
    }

    /// The key of its word.
    pub(crate) fn word(self, words: crate::words::Words) -> String {
        match self {
            Self::Now => words.say("state.now"),
            Self::Soon => words.say("state.soon"),
            Self::Person => words.say("state.person"),
            Self::Unknown => words.say("state.unknown"),
            Self::Watch => words.say("state.watch"),
            Self::Well => words.say("state.well"),
        }
    }
}

/// A state's picture as inline SVG; the word beside it speaks for it, so it is hidden from assistive technology.
#[derive(Clone, Copy)]
pub(crate) struct Icon(State);

impl fmt::Display for Icon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (stroke, path) = match self.0 {
            State::Now => ("", r#"<path d="M8 1.500l7 13H1z"/>"#),
            State::Soon => ("2", r#"<circle cx="8" cy="8" r="6"/><path d="M8 4v4l3 2"/>"#),
            State::Person => ("2", r#"<circle cx="8" cy="5" r="3"/><path d="M2 15c0-4 3-6 6-6s6 2 6 6"/>"#),
            State::Unknown => ("2", r#"<path d="M2 14L14 2M2 8l6-6M8 14l6-6"/>"#),
            State::Watch => (
                "1.8",
                r#"<path d="M1 8c2-3.500 4.500-5 7-5s5 1.500 7 5c-2 3.500-4.500 5-7 5s-5-1.500-7-5z"/><circle cx="8" cy="8" r="1.600"/>"#,
            ),
            State::Well => ("2.4", r#"<path d="M2.500 8.500l3.500 4 7.500-9"/>"#),
        };
        let paint = if stroke.is_empty() {
            r#"fill="currentColor""#.to_owned()
        } else {
            format!(r#"fill="none" stroke="currentColor" stroke-width="{stroke}""#)
        };
        write!(f, r#"<svg class="ic {}" viewBox="0 0 16 16" {paint} aria-hidden="true">{path}</svg>"#, self.0.class())
    }
}

/// Made of constants only.
impl HtmlSafe for Icon {}
