//! Raven's own processes and the stand-in for Mailjet.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::Settings;
use crate::files;
use crate::http::Http;
use crate::process::Daemon;
use crate::progress::{Step, say};
use crate::stack::Stack;
use crate::workspace::digest;

/// Connecting to servers that are ready takes moments; more means that something is wrong.
const READY: Duration = Duration::from_secs(30);

/// Where the services are reached.
pub(crate) struct Urls {
    pub(crate) ingest: String,
    pub(crate) worker: String,
    pub(crate) simulator: String,
}

/// One process.
struct Service {
    name: &'static str,
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
    /// Answers 200 as soon as the process can do its work.
    ready: String,
}

/// Makes sure that all three run, each from the programs and settings of now.
pub(crate) fn ensure(stack: &mut Stack, settings: &Settings) -> Result<Urls> {
    let simulator = port(stack, "mailjet-sim", 8090)?;
    let ingest = port(stack, "ingest", 8080)?;
    let worker = port(stack, "worker", 8081)?;
    let url = |port| format!("http://127.0.0.1:{port}");
    let urls = Urls { ingest: url(ingest), worker: url(worker), simulator: url(simulator) };
    let program = |name: &str| settings.programs.join(name);
    let common = |port| {
        let mut all = settings.more.clone();
        all.extend([
            ("DATABASE_URL", settings.database_url.clone()),
            ("AMQP_URL", settings.amqp_url.clone()),
            ("RAVEN_ENCRYPTION_KEYS", settings.encryption_keys.clone()),
            ("RAVEN_LISTEN", format!("127.0.0.1:{port}")),
            ("RAVEN_PUBLIC_URL", urls.ingest.clone()),
            ("MAILJET_URL", urls.simulator.clone()),
        ]);
        all
    };
    let mut of_worker = common(worker);
    of_worker.push(("RAVEN_RECONCILE_AFTER", "5s".to_owned()));
    let listen = format!("127.0.0.1:{simulator}");
    let services = [
        Service {
            name: "mailjet-sim",
            program: program("mailjet-sim"),
            // Slow enough that a person sees the messages move.
            arguments: ["--listen", &listen, "--event-delay", "800ms"].map(str::to_owned).into(),
            environment: Vec::new(),
            ready: format!("{}/sim/messages", urls.simulator),
        },
        Service {
            name: "ingest",
            program: program("raven-ingest"),
            arguments: Vec::new(),
            environment: common(ingest),
            ready: format!("{}/readyz", urls.ingest),
        },
        Service {
            name: "worker",
            program: program("raven-worker"),
            arguments: Vec::new(),
            environment: of_worker,
            ready: format!("{}/readyz", urls.worker),
        },
    ];
    services.iter().try_for_each(|service| service.ensure(stack))?;
    Ok(urls)
}

/// A running service keeps its port; the port it holds does not look free.
fn port(stack: &mut Stack, name: &str, preferred: u16) -> Result<u16> {
    match stack.state.alive(name).and_then(|_| stack.state.port(name)) {
        Some(port) => Ok(port),
        None => stack.state.choose_port(name, Some(preferred)),
    }
}

impl Service {
    fn ensure(&self, stack: &mut Stack) -> Result<()> {
        let recipe = self.recipe()?;
        let recorded = stack.state.alive(self.name);
        if recorded.is_some_and(|recorded| recorded.recipe == recipe) {
            return self.wait(stack, "is running");
        }
        if recorded.is_some() {
            say(format!("{} runs from another build or other settings", self.name));
        }
        stack.stop_some(|name| name == self.name)?;
        self.start(stack, &recipe)?;
        self.wait(stack, "starting")
    }

    fn start(&self, stack: &mut Stack, recipe: &str) -> Result<()> {
        let mut daemon = Daemon::new(&self.program);
        daemon
            .command()
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (*name, value)));
        let mark = daemon.start(&stack.log(self.name), None)?;
        stack.state.record(self.name, mark, recipe)
    }

    fn wait(&self, stack: &Stack, what: &str) -> Result<()> {
        let http = Http::new();
        let mut last = String::new();
        let mut step = Step::begin(format!("{} {what}", self.name));
        let ready = step.wait(READY, &stack.interrupt, || {
            if stack.state.alive(self.name).is_none() {
                bail!("{} ended while starting", self.name);
            }
            // Until it listens there is no answer at all, and nothing to be learned from that.
            let answer = http.get(&self.ready, None).ok();
            if let Some(answer) = answer.as_ref().filter(|answer| answer.status != 200) {
                last = format!("{} answers {}: {}\n", self.ready, answer.status, answer.body);
            }
            Ok(answer.filter(|answer| answer.status == 200))
        });
        if let Err(error) = ready {
            stack.interrupt.check()?;
            let log = stack.log(self.name);
            bail!("{error}\n{last}{} says:\n{}", log.display(), files::tail(&log, 20));
        }
        step.done(&format!("ready, {}", self.ready));
        Ok(())
    }

    /// Changes when the program is built anew or any setting differs. Only a digest is kept: settings hold secrets.
    fn recipe(&self) -> Result<String> {
        let file = std::fs::metadata(&self.program)
            .with_context(|| format!("{} was not built", self.program.display()))?;
        let text = format!(
            "{} {} {} {} {:?} {:?}",
            self.program.display(),
            file.len(),
            file.mtime(),
            file.mtime_nsec(),
            self.arguments,
            self.environment
        );
        Ok(format!("{:016x}", digest(text.as_bytes())))
    }
}
