//! Windows: companions as processes of their users, named pipes between them and the service, and the two screens.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use inkan_model::locale::Bilingual;
use inkan_trust_store::windows::session::{
    self, Child, LanguageOf, PipeServer, PipeStream, is_japanese, own_account, show_balloon, show_message,
};
use tokio::runtime::Handle;
use tracing::{debug, info, warn};

use super::desk::{Desk, Screen, is_same_user};
use super::frame::TalkError;
use super::registry::Companions;
use super::supervisor::{Connected, Process, Session, Sessions, Supervisor};
use crate::assemble::Surroundings;
use crate::chance::{Chance as _, SystemChance};
use crate::disk::Disk;
use crate::notice::{Else, Notice, Notifier, Once};
use crate::scanner::backends;
use crate::service::{self, Orders, ServiceError};
use crate::settings::AgentSettings;

/// How long a companion may take to connect: the first program after a log-on starts slowly.
const ARRIVAL: Duration = Duration::from_secs(30);
const PIPE: &str = r"\\.\pipe\inkan-";

/// A companion that cannot work.
#[derive(Debug, thiserror::Error)]
pub enum CompanionError {
    /// The user of this process cannot be told.
    #[error("could not see whose companion this is")]
    Account(#[source] io::Error),
    /// The pipe's name is not one that the service gives.
    #[error("only the service starts companions")]
    Name,
    /// The pipe cannot be opened.
    #[error("could not reach the service")]
    Connect(#[source] io::Error),
    /// The service manager does not say which process the service is.
    #[error("could not see which process the service is")]
    Service(#[source] ServiceError),
    /// The other end of the pipe is not the service.
    #[error("the other end of the pipe is not the service")]
    Stranger,
    /// The conversation ended otherwise than by the service's end.
    #[error("the conversation with the service broke off")]
    Talk(#[source] TalkError),
}

/// Works as the companion at this pipe until the service is gone.
pub fn run(settings: &AgentSettings, pipe: &str) -> Result<(), CompanionError> {
    if !pipe.starts_with(PIPE) {
        return Err(CompanionError::Name);
    }
    let mut stream = PipeStream::connect(pipe, ARRIVAL).map_err(CompanionError::Connect)?;
    let server = stream.server_process_id().map_err(CompanionError::Connect)?;
    // Whoever else makes a pipe is not the process that the service manager runs as the service.
    if service::process_id().map_err(CompanionError::Service)? != Some(server) {
        return Err(CompanionError::Stranger);
    }
    let user = own_account().map_err(CompanionError::Account)?;
    let desk = Desk::new(backends(settings), &user, Box::new(Balloons));
    desk.serve(&mut stream).map_err(CompanionError::Talk)
}

/// What the service works with: companions that are looked after until the service stops, and notices through them.
pub fn surroundings(settings: &AgentSettings, runtime: &Handle, orders: &Orders) -> Surroundings {
    let companions = Arc::new(Companions::default());
    runtime.spawn(look_after(Arc::clone(&companions), orders.clone()));
    let screens = Else { first: Arc::clone(&companions) as Arc<dyn Notifier>, then: Arc::new(Messages) };
    let notifier = Once::in_folder(Disk::default(), &settings.data_dir, Arc::new(screens));
    Surroundings { companions: Some(companions), notifier: Arc::new(notifier) }
}

async fn look_after(companions: Arc<Companions>, orders: Orders) {
    let mut supervisor = Supervisor::new(Box::new(WindowsSessions), companions);
    while !orders.is_stopped() {
        let looked = tokio::task::spawn_blocking(move || {
            let wait = supervisor.look(Instant::now());
            (supervisor, wait)
        });
        let Ok((back, wait)) = looked.await else {
            return warn!("nobody looks after companions any more");
        };
        supervisor = back;
        tokio::select! {
            biased;
            () = orders.stopped() => return,
            () = orders.sessions_changed() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

struct WindowsSessions;

impl Sessions for WindowsSessions {
    fn list(&self) -> io::Result<Vec<Session>> {
        let found = session::sessions()?;
        Ok(found.iter().map(|session| Session { id: session.id(), user: session.user().to_owned() }).collect())
    }

    fn start(&self, wanted: &Session) -> io::Result<Connected> {
        let gone = || io::Error::new(io::ErrorKind::NotFound, "the user has logged off");
        let found = session::sessions()?.into_iter().find(|found| found.id() == wanted.id).ok_or_else(gone)?;
        if found.user() != wanted.user {
            return Err(gone());
        }
        let program = std::env::current_exe()?;
        let mut chance = [0; 16];
        SystemChance.fill(&mut chance);
        let name = format!("{PIPE}{}", data_encoding::HEXLOWER.encode(&chance));
        let server = PipeServer::create(&name, found.sid())?;
        let child = session::start(&found, &program, &["companion", "--pipe", &name])?;
        match arrived(server, &child, found.sid(), &program) {
            Ok(stream) => Ok(Connected { stream: Box::new(stream), process: Box::new(child) }),
            Err(error) => {
                child.end();
                Err(error)
            }
        }
    }
}

/// The pipe, once the process that was started is at its other end, as that user and with that program.
fn arrived(server: PipeServer, child: &Child, sid: &str, program: &Path) -> io::Result<PipeStream> {
    let stream = server.accept(ARRIVAL)?;
    let stranger =
        |what: &str| io::Error::new(io::ErrorKind::PermissionDenied, format!("at the pipe is another {what}"));
    if stream.client_process_id()? != child.id() {
        return Err(stranger("process"));
    }
    if child.sid()? != sid {
        return Err(stranger("user"));
    }
    if !is_same_program(&child.program()?, program) {
        return Err(stranger("program"));
    }
    Ok(stream)
}

/// Paths are compared as Windows does, without case.
fn is_same_program(one: &Path, other: &Path) -> bool {
    let fold = |path: &Path| path.to_string_lossy().to_lowercase().trim_start_matches(r"\\?\").to_owned();
    fold(one) == fold(other)
}

impl Process for Child {
    fn has_ended(&self) -> bool {
        Self::has_ended(self)
    }

    fn end(&self) {
        Self::end(self);
    }
}

/// The screen of a companion's own user.
struct Balloons;

impl Screen for Balloons {
    fn show(&self, title: &Bilingual, body: &Bilingual) -> io::Result<()> {
        let (title, body) = (in_language(title, LanguageOf::User), in_language(body, LanguageOf::User));
        show_balloon(title, body).inspect(|()| info!("showed a notice"))
    }
}

/// Messages on the screens of those who are logged on, for when no companion could show a balloon.
struct Messages;

impl Notifier for Messages {
    fn show(&self, notice: &Notice) -> bool {
        let Notice { cause: _, user, title, body } = notice;
        let (title, body) = (in_language(title, LanguageOf::Windows), in_language(body, LanguageOf::Windows));
        let concerns = |session: &session::Session| user.as_ref().is_none_or(|user| is_same_user(user, session.user()));
        let sessions = session::sessions().unwrap_or_default();
        let mut shown = false;
        for session in sessions.iter().filter(|session| concerns(session)) {
            match show_message(session.id(), title, body) {
                Ok(()) => shown = true,
                Err(error) => debug!(session = session.id(), %error, "could not show a message"),
            }
        }
        shown
    }
}

fn in_language(text: &Bilingual, of: LanguageOf) -> &str {
    if is_japanese(of) { &text.ja } else { &text.en }
}
