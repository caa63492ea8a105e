//! Keeps one role's connection: connects, declares, runs the role, and begins again, for ever.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _};
use lapin::{Connection, Event};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::connection::{BrokerUrl, NotConnected, connect, knock};
use crate::{State, topology};

const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const MOST_BACKOFF: Duration = Duration::from_secs(3);
/// A connection that lasted this long was a good one: the next backoff begins anew.
const GOOD: Duration = Duration::from_secs(10);
/// Declaring everything may take this long; a broker without a majority goes on answering heartbeats and nothing else.
const DECLARE_TIMEOUT: Duration = Duration::from_secs(10);
/// Closing waits for the broker no longer than this; while blocked it would not answer at all.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// One role's connection.
pub(crate) struct Supervisor {
    pub(crate) url: BrokerUrl,
    /// The role, as logs and the broker's list of connections show it.
    pub(crate) name: String,
    pub(crate) state: Arc<watch::Sender<State>>,
    pub(crate) shutdown: CancellationToken,
}

impl Supervisor {
    /// Runs `role` on one connection after the other until shutdown. `role` gets the connection and a token that is
    /// cancelled when that is lost; it returns when it has finished what it can then, or on shutdown.
    pub(crate) async fn run<F, R>(self, role: F)
    where
        F: Fn(Arc<Connection>, CancellationToken) -> R,
        R: Future<Output = String>,
    {
        let mut backoff = FIRST_BACKOFF;
        let mut was_silent = false;
        while !self.shutdown.is_cancelled() {
            let started = tokio::time::Instant::now();
            // A defect, of the client library say, costs one connection and not the role.
            let once = AssertUnwindSafe(self.once(&role, &mut was_silent)).catch_unwind().await;
            let why = once.unwrap_or_else(|_| "a panic".to_owned());
            self.set(State::Down(why));
            if started.elapsed() >= GOOD {
                backoff = FIRST_BACKOFF;
            }
            let wait = backoff.mul_f64(0.5 + fastrand::f64() / 2.0);
            backoff = (backoff * 2).min(MOST_BACKOFF);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.shutdown.cancelled() => {}
            }
        }
    }

    /// Connects and runs the role. A broker that `was_silent` has to say something first.
    async fn once<F, R>(&self, role: &F, was_silent: &mut bool) -> String
    where
        F: Fn(Arc<Connection>, CancellationToken) -> R,
        R: Future<Output = String>,
    {
        let connecting = async {
            if *was_silent {
                knock(&self.url).await?;
            }
            let connected = connect(&self.url, &self.name).await;
            *was_silent = matches!(connected, Err(NotConnected::Silent));
            connected
        };
        let connection = tokio::select! {
            connection = connecting => connection,
            () = self.shutdown.cancelled() => return "shutting down".to_owned(),
        };
        let connection = match connection {
            Ok(connection) => Arc::new(connection),
            Err(fault) => return fault.to_string(),
        };
        // The only listener of this connection: a second one would take events away from it.
        let mut events = connection.events_listener();
        let lost = CancellationToken::new();
        let role = async {
            match tokio::time::timeout(DECLARE_TIMEOUT, declare(&connection)).await {
                Ok(Ok(())) => {}
                Ok(Err(fault)) => return format!("the topology cannot be declared: {fault}"),
                Err(_) => return "the topology is not declared in time".to_owned(),
            }
            self.set(State::Up);
            role(Arc::clone(&connection), lost.clone()).await
        };
        tokio::pin!(role);
        let why = loop {
            tokio::select! {
                why = &mut role => break why,
                Some(event) = events.next() => self.observe(event, &connection, &lost),
            }
        };
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, connection.close(200, "done".into())).await;
        why
    }

    fn observe(&self, event: Event, connection: &Connection, lost: &CancellationToken) {
        match event {
            Event::ConnectionBlocked(why) => self.set(State::Blocked(why)),
            Event::ConnectionUnblocked => self.set(State::Up),
            // Nothing new begins on a lost connection. An error of one channel comes here as well, and leaves it good.
            Event::Error(fault) if !connection.status().connected() => {
                self.set(State::Down(fault.to_string()));
                lost.cancel();
            }
            _ => {}
        }
    }

    /// Tells a new state, once.
    fn set(&self, next: State) {
        self.state.send_if_modified(|state| {
            let changed = std::mem::discriminant(state) != std::mem::discriminant(&next);
            if changed {
                match &next {
                    State::Up => tracing::info!(role = %self.name, "broker: {next}"),
                    _ if self.shutdown.is_cancelled() => {}
                    _ => tracing::warn!(role = %self.name, "broker: {next}"),
                }
            }
            *state = next;
            changed
        });
    }
}

async fn declare(connection: &Connection) -> Result<(), lapin::Error> {
    let channel = connection.create_channel().await?;
    topology::declare(&channel).await?;
    channel.close(200, "declared".into()).await
}
