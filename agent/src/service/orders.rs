//! What the service manager says while the service runs, brought from its thread to whoever waits.

use std::sync::Arc;

use tokio::sync::{Notify, watch};

/// The listening end.
#[derive(Clone, Debug)]
pub struct Orders {
    stop: watch::Receiver<bool>,
    sessions: Arc<Notify>,
}

/// The speaking end. Nothing of it blocks, since the service manager waits for it.
#[derive(Clone, Debug)]
pub struct OrderSender {
    stop: watch::Sender<bool>,
    sessions: Arc<Notify>,
}

/// Makes both ends.
pub fn orders() -> (OrderSender, Orders) {
    let (sender, receiver) = watch::channel(false);
    let sessions = Arc::new(Notify::new());
    (OrderSender { stop: sender, sessions: Arc::clone(&sessions) }, Orders { stop: receiver, sessions })
}

impl Orders {
    /// Comes to its end when the service is to stop, or when nobody is left who could say so.
    pub async fn stopped(&self) {
        // Without a sender there is nobody to work for.
        let _ = self.stop.clone().wait_for(|stop| *stop).await;
    }

    /// Whether the service is to stop.
    pub fn is_stopped(&self) -> bool {
        *self.stop.borrow()
    }

    /// Comes to its end when somebody has logged on or off since the last time. One listener only.
    pub async fn sessions_changed(&self) {
        self.sessions.notified().await;
    }
}

impl OrderSender {
    /// Lets the service stop.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Says that somebody has logged on or off.
    pub fn note_sessions(&self) {
        self.sessions.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stop_reaches_everybody_also_those_who_listen_later() {
        let (sender, orders) = orders();
        let early = tokio::spawn({
            let orders = orders.clone();
            async move { orders.stopped().await }
        });
        assert!(!orders.is_stopped());
        sender.stop();
        early.await.unwrap();
        orders.stopped().await;
        assert!(orders.is_stopped());
    }

    #[tokio::test]
    async fn a_change_of_sessions_is_not_lost_while_nobody_listens() {
        let (sender, orders) = orders();
        sender.note_sessions();
        orders.sessions_changed().await;
    }

    #[tokio::test]
    async fn a_service_whose_manager_is_gone_stops() {
        let (sender, orders) = orders();
        drop(sender);
        orders.stopped().await;
    }
}
