//! The live parts of a PC's page: one stream of events, each with the parts that may have changed, at most two a second.
//!
//! A stream carries no state of its own: after a change it looks again, as the page itself would. So a browser that
//! reconnects, or missed something, is right again with the first event.

use std::convert::Infallible;
use std::time::Duration;

use askama::Template;
use axum::extract::{Path, State as Extract};
use axum::http::HeaderName;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures::stream;
use inkan_core::feed::Change;
use inkan_core::ports::SessionKind;
use inkan_model::{Fingerprint, HostId};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::Instant;

use super::{HostView, Observed};
use crate::Site;
use crate::door::SignedIn;
use crate::fault::Fault;
use crate::link::Fields;
use crate::page::parse;

/// Changes that come closer together are told at once.
const PAUSE: Duration = Duration::from_millis(500);

#[derive(Template)]
#[template(path = "host_live.html")]
struct LiveParts {
    view: HostView,
}

/// One open page.
struct Watching {
    site: Site,
    by: SignedIn,
    host: HostId,
    chosen: Option<Fingerprint>,
    changes: Receiver<Change>,
    told: Option<Instant>,
}

/// Streams the parts that change, beginning with how they are now.
pub(crate) async fn stream(
    Extract(site): Extract<Site>,
    by: SignedIn,
    Path(host): Path<String>,
    fields: Fields,
) -> Result<Response, Fault> {
    let host: HostId = parse(&host)?;
    by.view.host(host).await?;
    let changes = site.core().feed().subscribe();
    let watching = Watching { site, by, host, chosen: fields.parsed("certificate"), changes, told: None };
    let events = stream::unfold(watching, |watching| async { watching.next().await });
    let headers = [(HeaderName::from_static("x-accel-buffering"), "no")];
    Ok((headers, Sse::new(events).keep_alive(KeepAlive::default())).into_response())
}

impl Watching {
    /// Waits until there is something to tell, and tells it; `None` ends the stream.
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        if let Some(told) = self.told {
            self.wait_for_change().await?;
            tokio::time::sleep_until(told + PAUSE).await;
            self.forget_pending();
        }
        // Whoever was logged out, or lost the right to look, sees no more.
        let operator = self.site.core().find_operator(&self.by.secret, SessionKind::Browser).await.ok()??;
        self.by.view = self.site.core().view(&operator).ok()?;
        self.by.operator = operator;
        self.by.now = self.site.core().now();
        let observed = Observed::of(self.site.core(), &self.by, self.host, None).await.ok()?;
        let parts = LiveParts { view: observed.view(self.site.core(), &self.by, self.chosen).await.ok()? };
        let html = parts.render().ok()?;
        self.told = Some(Instant::now());
        Some((Ok(Event::default().data(html)), self))
    }

    async fn wait_for_change(&mut self) -> Option<()> {
        loop {
            match self.changes.recv().await {
                Ok(change) if change.host == self.host && change.vendor == self.by.operator.vendor => return Some(()),
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => return Some(()),
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// What has gathered during the pause is told together.
    fn forget_pending(&mut self) {
        while !matches!(self.changes.try_recv(), Err(TryRecvError::Empty | TryRecvError::Closed)) {}
    }
}
