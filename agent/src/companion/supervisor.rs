//! Keeps one companion for each user who is logged on.
//!
//! It looks when somebody logs on or off and every now and then, brings what it finds to what it should be, and says when
//! to look again. A companion that ends is started again after a pause that grows, so that one that cannot live costs
//! nothing. What the operating system does is behind [`Sessions`].

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{info, warn};

use super::conversation::Conversation;
use super::registry::Companions;
use super::transport::Transport;
use crate::causes::with_causes;

/// How long until the next look, when nothing happens.
const LOOK_AGAIN: Duration = Duration::from_secs(15);
/// The pause after a companion's first failure, and the longest one.
const PAUSES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_mins(5));
/// A companion that lived so long had no failure before.
const LIVED: Duration = Duration::from_mins(10);
/// Users who have companions at a time; a terminal server has more users than a clinic's PC has.
const COMPANIONS: usize = 64;

/// A user's log-on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Session {
    /// Its number.
    pub id: u32,
    /// The user's log-on name.
    pub user: String,
}

/// The operating system's sessions.
pub trait Sessions: Send {
    /// Who is logged on now.
    fn list(&self) -> io::Result<Vec<Session>>;

    /// Starts a companion in a session and waits until it has connected and has been recognised as the one that was
    /// started.
    fn start(&self, session: &Session) -> io::Result<Connected>;
}

/// A companion that was started.
pub struct Connected {
    /// The way to it.
    pub stream: Box<dyn Transport>,
    /// Its process.
    pub process: Box<dyn Process>,
}

/// The process of a companion.
pub trait Process: Send {
    /// Whether it has ended.
    fn has_ended(&self) -> bool;

    /// Ends it.
    fn end(&self);
}

/// Keeps one companion for each user who is logged on. When it is dropped, all companions end.
pub struct Supervisor {
    sessions: Box<dyn Sessions>,
    companions: Arc<Companions>,
    running: BTreeMap<String, Running>,
    troubles: BTreeMap<String, Trouble>,
}

struct Running {
    session: u32,
    since: Instant,
    conversation: Arc<Conversation>,
    process: Box<dyn Process>,
}

/// Failures of one user's companion in a row.
struct Trouble {
    pause: Duration,
    until: Instant,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.process.end();
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        for user in std::mem::take(&mut self.running).into_keys() {
            self.companions.leave(&user);
        }
    }
}

impl Supervisor {
    /// Looks after the companions of these sessions, and enters them in the registry.
    pub fn new(sessions: Box<dyn Sessions>, companions: Arc<Companions>) -> Self {
        Self { sessions, companions, running: BTreeMap::new(), troubles: BTreeMap::new() }
    }

    /// Brings the companions to what they should be now; when to look again. Blocks while companions start.
    pub fn look(&mut self, now: Instant) -> Duration {
        match self.sessions.list() {
            Ok(sessions) => {
                self.end_superfluous(&sessions, now);
                self.start_missing(&sessions, now);
            }
            Err(error) => warn!(%error, "could not see who is logged on"),
        }
        let waiting = self.troubles.values().map(|trouble| trouble.until.saturating_duration_since(now));
        waiting.filter(|wait| !wait.is_zero()).min().unwrap_or(LOOK_AGAIN).min(LOOK_AGAIN)
    }

    fn end_superfluous(&mut self, sessions: &[Session], now: Instant) {
        self.troubles.retain(|user, _| sessions.iter().any(|session| session.user == *user));
        let is_over = |user: &String, running: &mut Running| {
            let logged_off = !sessions.iter().any(|session| session.id == running.session && session.user == *user);
            logged_off || running.process.has_ended() || !running.conversation.is_open()
        };
        let over: Vec<_> = self.running.extract_if(.., is_over).collect();
        for (user, running) in over {
            self.companions.leave(&user);
            info!(session = running.session, "a companion has ended");
            if now.duration_since(running.since) >= LIVED {
                self.troubles.remove(&user);
            } else if sessions.iter().any(|session| session.id == running.session) {
                self.note_trouble(user, now);
            }
        }
    }

    fn start_missing(&mut self, sessions: &[Session], now: Instant) {
        for session in sessions {
            let waits = self.troubles.get(&session.user).is_some_and(|trouble| trouble.until > now);
            if waits || self.running.contains_key(&session.user) || self.running.len() >= COMPANIONS {
                continue;
            }
            match self.start(session, now) {
                Ok(running) => {
                    info!(session = session.id, "a companion works");
                    self.companions.enter(&session.user, Arc::clone(&running.conversation));
                    self.running.insert(session.user.clone(), running);
                }
                Err(why) => {
                    warn!(session = session.id, why, "could not start a companion");
                    self.note_trouble(session.user.clone(), now);
                }
            }
        }
    }

    fn start(&self, session: &Session, now: Instant) -> Result<Running, String> {
        let Connected { stream, process } = self.sessions.start(session).map_err(|error| with_causes(&error))?;
        match Conversation::open(stream) {
            Ok(conversation) => Ok(Running { session: session.id, since: now, conversation, process }),
            Err(error) => {
                process.end();
                Err(with_causes(&error))
            }
        }
    }

    fn note_trouble(&mut self, user: String, now: Instant) {
        let (first, longest) = PAUSES;
        let pause = self.troubles.get(&user).map_or(first, |trouble| (trouble.pause * 2).min(longest));
        self.troubles.insert(user, Trouble { pause, until: now + pause });
    }
}
