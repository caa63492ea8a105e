//! A program of Raven between its proxies: it can be killed, paused and cut off, and comes back at the same address.

use std::path::PathBuf;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use reqwest::Url;
use testbed::ports;
use testbed::process::Process;
use testbed::proxy::Proxy;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use crate::client::{Answer, ask, http};
use crate::spool::{Passage, Spool};

/// How long a program may take to say how it is; one that is stopped never does.
const LOOK: Duration = Duration::from_secs(2);
/// How long an end in order may take before it counts as never: longer than the programs' own grace.
const END: Duration = Duration::from_secs(45);
/// The pause between two looks at whether it has ended.
const PAUSE: Duration = Duration::from_millis(40);

/// What a program does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// `raven-ingest`.
    Ingest,
    /// `raven-worker`.
    Worker,
}

/// What a program is started with.
#[derive(Debug)]
pub(crate) struct Recipe {
    /// The program.
    pub(crate) program: PathBuf,
    /// Where its logs go.
    pub(crate) folder: PathBuf,
    /// Its settings, but for where it listens.
    pub(crate) variables: Vec<(&'static str, String)>,
}

/// The proxies on the ways that lead from and to a program.
#[derive(Debug)]
pub(crate) struct Links {
    pub(crate) rabbitmq: Proxy,
    pub(crate) postgres: Proxy,
    pub(crate) mailjet: Proxy,
    /// Before it, for clients.
    pub(crate) clients: Proxy,
    /// Before it, for Mailjet's webhooks.
    pub(crate) webhooks: Proxy,
}

/// A program that runs, or is dead for the moment.
#[derive(Debug)]
pub(crate) struct Program {
    /// What it is called in logs and messages.
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) links: Links,
    recipe: Recipe,
    process: Mutex<Process>,
    starts: AtomicU32,
    ended: std::sync::Mutex<Option<String>>,
    passage: std::sync::Mutex<Passage>,
    url: Url,
}

impl Program {
    /// Starts it, at a port that it keeps; `links` is made with that port.
    pub(crate) fn start(
        role: Role,
        number: usize,
        port: u16,
        links: Links,
        mut recipe: Recipe,
    ) -> Result<Self> {
        let name = match role {
            Role::Ingest => format!("ingest-{number}"),
            Role::Worker => format!("worker-{number}"),
        };
        recipe.variables.push(("RAVEN_LISTEN", format!("127.0.0.1:{port}")));
        let url = format!("http://127.0.0.1:{port}/").parse()?;
        let process =
            Process::start(&recipe.program, &format!("{name}.0"), &recipe.folder, &recipe.variables);
        let (process, starts, ended) = (Mutex::new(process), AtomicU32::new(1), std::sync::Mutex::default());
        let passage = std::sync::Mutex::default();
        Ok(Self { name, role, links, recipe, process, starts, ended, passage, url })
    }

    /// A port for one.
    pub(crate) fn port() -> u16 {
        ports::free()
    }

    /// Where clients reach it.
    pub(crate) fn client_url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.links.clients.port)
    }

    /// Where Mailjet reaches it.
    pub(crate) fn webhook_url(&self, tenant: &str) -> String {
        format!("http://127.0.0.1:{}/v1/webhooks/email/mailjet/{tenant}", self.links.webhooks.port)
    }

    /// Ends it as a crash would.
    pub(crate) async fn kill(&self) {
        let mut process = self.process.lock().await;
        self.note_end(&mut process);
        process.kill();
    }

    /// Asks it to end, and waits until it has, which must be in order.
    pub(crate) async fn terminate(&self) -> Result<()> {
        let mut process = self.process.lock().await;
        self.note_end(&mut process);
        // What ended by itself is noted, and can be asked no more.
        if process.ended().is_some() {
            return Ok(());
        }
        process.ask_to_end();
        let asked = Instant::now();
        let status = loop {
            if let Some(status) = process.ended() {
                break status;
            }
            if asked.elapsed() > END {
                process.kill();
                bail!("{} did not end within {} s after SIGTERM", self.name, END.as_secs());
            }
            sleep(PAUSE).await;
        };
        ensure!(status.success(), "{} did not end in order after SIGTERM: {status}", self.name);
        Ok(())
    }

    /// Starts it again.
    pub(crate) async fn restart(&self) {
        let name = format!("{}.{}", self.name, self.starts.fetch_add(1, Ordering::Relaxed));
        let recipe = &self.recipe;
        let next = Process::start(&recipe.program, &name, &recipe.folder, &recipe.variables);
        *self.process.lock().await = next;
    }

    /// Stops it in its tracks, if it runs.
    pub(crate) async fn pause(&self) {
        let mut process = self.process.lock().await;
        if process.ended().is_none() {
            process.pause();
        }
    }

    /// Lets it go on.
    pub(crate) async fn resume(&self) {
        let mut process = self.process.lock().await;
        if process.ended().is_none() {
            process.resume();
        }
    }

    /// How it ended, if it ever did so by itself. While it is being ended by us, that is not looked at.
    pub(crate) fn has_ended(&self) -> Option<String> {
        if let Ok(mut process) = self.process.try_lock() {
            self.note_end(&mut process);
        }
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Remembers that it ended by itself, before it is started anew.
    fn note_end(&self, process: &mut Process) {
        if let Some(status) = process.ended().filter(|_| !process.was_ended()) {
            let what = format!("{} ended by itself: {status}", self.name);
            *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
        }
    }

    /// Whether it says that it can do its work.
    pub(crate) async fn is_ready(&self) -> bool {
        self.status("readyz").await == Some(200)
    }

    /// What `/healthz` answers.
    pub(crate) async fn health(&self) -> Option<u16> {
        self.status("healthz").await
    }

    async fn status(&self, path: &str) -> Option<u16> {
        match ask(http().get(self.url.join(path).ok()?).timeout(LOOK)).await {
            Answer::Status(status, _) => Some(status),
            Answer::Nothing => None,
        }
    }

    /// Whether it keeps what RabbitMQ does not take.
    pub(crate) fn has_spool(&self) -> bool {
        self.recipe.variables.iter().any(|(name, _)| *name == "RAVEN_SPOOL_DIR")
    }

    /// How its spool is, asked past the proxies; `None` where it does not say.
    pub(crate) async fn spool(&self) -> Option<Spool> {
        let request = http().get(self.url.join("metrics").ok()?).timeout(LOOK);
        Spool::read(&request.send().await.ok()?.text().await.ok()?)
    }

    /// Looks at what went through its spool. By one task only: an earlier look that is noted later would count twice.
    pub(crate) async fn follow_spool(&self) {
        if let Some(spool) = self.spool().await {
            self.passage.lock().unwrap_or_else(PoisonError::into_inner).note(spool);
        }
    }

    /// How many messages and events went through its spool, at least.
    pub(crate) fn spooled(&self) -> u64 {
        self.passage.lock().unwrap_or_else(PoisonError::into_inner).total()
    }

    /// Lets all ways to and from it pass again.
    pub(crate) fn heal(&self) {
        let links = &self.links;
        for link in [&links.rabbitmq, &links.postgres, &links.mailjet, &links.clients, &links.webhooks] {
            link.heal();
        }
    }
}
