//! One installation of Raven for one test: its own database and vhost, its own processes, its own Mailjet.

use std::path::{Path, PathBuf};
use std::sync::{
    Mutex,
    atomic::{AtomicU32, Ordering},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::{Method, Url};
use testbed::{ports, process::Process, proxy::Proxy};
use tokio::sync::{Semaphore, SemaphorePermit};
use uuid::Uuid;

use super::{
    cli::{self, Ended},
    database::Database,
    http,
    servers::{program, servers},
    sim::Sim,
    tenant::Tenant,
    vhost::Vhost,
    wait::{finish, until},
};

/// Installations at one time, so that a machine with many cores does not use up the connections of Postgres.
static ROOM: Semaphore = Semaphore::const_new(8);

/// The proxies before the servers; programs reach each server only through its proxy.
#[derive(Debug)]
pub(crate) struct Proxies {
    pub(crate) rabbitmq: Proxy,
    pub(crate) postgres: Proxy,
    pub(crate) mailjet: Proxy,
}

/// An installation. When it goes, its test fails on what no test should leave behind: a process that ended by
/// itself or panicked, a secret in a log, a dead letter.
#[derive(Debug)]
pub(crate) struct Raven {
    pub(crate) ingest: Process,
    pub(crate) workers: Vec<Process>,
    /// Where these tell how they are.
    pub(crate) worker_urls: Vec<Url>,
    /// Further ingests, which answer at addresses of their own.
    pub(crate) ingests: Vec<Process>,
    pub(crate) sim: Sim,
    pub(crate) proxies: Proxies,
    pub(crate) vhost: Vhost,
    pub(crate) database: Database,
    /// The test means to leave dead letters behind.
    pub(crate) dead_letters_expected: bool,
    /// Where ingest answers.
    pub(crate) url: Url,
    encryption_keys: String,
    ingest_settings: Vec<(&'static str, String)>,
    secrets: Mutex<Vec<String>>,
    folder: PathBuf,
    _room: SemaphorePermit<'static>,
}

impl Raven {
    /// One ingest and one worker, both ready.
    pub(crate) async fn start(name: &str) -> Self {
        let mut this = Self::without_worker(name).await;
        this.start_worker().await;
        this
    }

    /// One ingest that is ready, and nobody who takes from the queues.
    pub(crate) async fn without_worker(name: &str) -> Self {
        Self::with_log(name, "info").await
    }

    /// The same, with another log filter.
    pub(crate) async fn with_log(name: &str, log_filter: &'static str) -> Self {
        Self::with(name, log_filter, &[]).await
    }

    /// The same, with these settings of the stand-in for Mailjet.
    pub(crate) async fn with_sim(name: &str, more: &[(&'static str, String)]) -> Self {
        Self::with(name, "info", more).await
    }

    async fn with(name: &str, log_filter: &'static str, of_sim: &[(&'static str, String)]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let room = ROOM.acquire().await.expect("a semaphore that nobody closes");
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let unique = format!("raven_test_{}_{number}", std::process::id());
        let folder = servers().scratch.join(name);
        let (database, vhost) = tokio::join!(Database::migrated(&unique), Vhost::create(&unique));
        let sim = Sim::start(&folder, of_sim).await;
        let port = |url: &Url, default| url.port().unwrap_or(default);
        let proxies = Proxies {
            rabbitmq: Proxy::start(port(&servers().amqp, 5672)),
            postgres: Proxy::start(port(&servers().postgres, 5432)),
            mailjet: Proxy::start(sim.port),
        };
        let key = STANDARD.encode([Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat());
        let encryption_keys = format!("test:{key}");
        let secrets = vec![key, servers().postgres.password().unwrap_or("no password").to_owned()];
        let address = format!("127.0.0.1:{}", ports::free());
        let url: Url = format!("http://{address}/").parse().expect("a URL");
        let variables = settings(&proxies, &database, &vhost, &encryption_keys, address, log_filter);
        let ingest = Process::start(&program("raven-ingest"), "ingest", &folder, &variables);
        let this = Self {
            ingest,
            workers: Vec::new(),
            worker_urls: Vec::new(),
            ingests: Vec::new(),
            sim,
            proxies,
            vhost,
            database,
            dead_letters_expected: false,
            url,
            encryption_keys,
            ingest_settings: variables,
            secrets: Mutex::new(secrets),
            folder,
            _room: room,
        };
        ready(&this.url).await;
        this
    }

    /// Starts one more worker and waits until it is ready.
    pub(crate) async fn start_worker(&mut self) {
        self.start_worker_with(&[]).await;
    }

    /// The same, with these settings besides those of every test.
    pub(crate) async fn start_worker_with(&mut self, more: &[(&'static str, &str)]) {
        let url = self.launch_worker(more);
        ready(&url).await;
    }

    /// The same, without waiting; answers where it tells how it is.
    pub(crate) fn launch_worker(&mut self, more: &[(&'static str, &str)]) -> Url {
        let (url, variables) = self.elsewhere_with(more);
        let name = format!("worker-{}", self.workers.len() + 1);
        self.workers.push(Process::start(&program("raven-worker"), &name, &self.folder, &variables));
        self.worker_urls.push(url.clone());
        url
    }

    /// Runs a service with these settings besides those of every test, until it ends by itself.
    pub(crate) async fn run_service(&self, program: &str, more: &[(&'static str, &str)]) -> Ended {
        let (_, variables) = self.elsewhere_with(more);
        let variables: Vec<(&str, &str)> =
            variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        cli::run_program(program, &variables, &[], "").await
    }

    /// Has what is started from now on, the command line too, use this ring of keys.
    pub(crate) fn use_keys(&mut self, ring: &str) {
        for (_, key) in ring.split(',').filter_map(|entry| entry.split_once(':')) {
            self.guard(key);
        }
        ring.clone_into(&mut self.encryption_keys);
        for (name, value) in &mut self.ingest_settings {
            if *name == "RAVEN_ENCRYPTION_KEYS" {
                ring.clone_into(value);
            }
        }
    }

    /// The ring of keys in use.
    pub(crate) fn keys(&self) -> &str {
        &self.encryption_keys
    }

    /// Where logs are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts one more ingest, and answers where.
    pub(crate) async fn start_ingest(&mut self) -> Url {
        self.start_ingest_with(&[]).await
    }

    /// The same, with these settings besides those of every test.
    pub(crate) async fn start_ingest_with(&mut self, more: &[(&'static str, &str)]) -> Url {
        let (url, mut variables) = self.elsewhere();
        variables.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
        variables.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let name = format!("ingest-{}", self.ingests.len() + 2);
        self.ingests.push(Process::start(&program("raven-ingest"), &name, &self.folder, &variables));
        ready(&url).await;
        url
    }

    /// The settings of a program that listens at a free address, which is answered as well.
    fn elsewhere(&self) -> (Url, Vec<(&'static str, String)>) {
        let address = format!("127.0.0.1:{}", ports::free());
        let url = format!("http://{address}/").parse().expect("a URL");
        let mut variables = self.ingest_settings.clone();
        variables.retain(|(name, _)| *name != "RAVEN_LISTEN");
        variables.push(("RAVEN_LISTEN", address));
        (url, variables)
    }

    /// The same, with these settings besides.
    fn elsewhere_with(&self, more: &[(&'static str, &str)]) -> (Url, Vec<(&'static str, String)>) {
        let (url, mut variables) = self.elsewhere();
        variables.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
        variables.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        (url, variables)
    }

    /// Ends ingest in order, and starts it again at the same address.
    pub(crate) async fn restart_ingest(&mut self) {
        assert!(self.ingest.terminate().await.success());
        self.launch_ingest_again();
        ready(&self.url).await;
    }

    /// Starts it again at the same address, once it has ended, without waiting.
    pub(crate) fn launch_ingest_again(&mut self) {
        self.ingest =
            Process::start(&program("raven-ingest"), "ingest-again", &self.folder, &self.ingest_settings);
    }

    /// Runs the command line against this installation, past the proxies.
    pub(crate) async fn cli(&self, arguments: &[&str], input: &str) -> Ended {
        self.cli_with(&[], arguments, input).await
    }

    /// The same, with these settings in place of its own.
    pub(crate) async fn cli_with(&self, more: &[(&str, &str)], arguments: &[&str], input: &str) -> Ended {
        let own = self.cli_variables();
        let mut variables: Vec<(&str, &str)> =
            own.iter().map(|(name, value)| (*name, value.as_str())).collect();
        variables.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
        variables.extend_from_slice(more);
        cli::run(&variables, arguments, input).await
    }

    /// The settings of the command line.
    pub(crate) fn cli_variables(&self) -> [(&'static str, String); 4] {
        [
            ("DATABASE_URL", self.database.url().into()),
            ("AMQP_URL", self.vhost.url().into()),
            ("MAILJET_URL", format!("http://127.0.0.1:{}", self.sim.port)),
            ("RAVEN_ENCRYPTION_KEYS", self.encryption_keys.clone()),
        ]
    }

    /// A new tenant with an account at the stand-in, which tells it all events in groups.
    pub(crate) async fn tenant(&self) -> Tenant {
        let tenant = self.bare_tenant().await;
        tenant.set_provider().await;
        let account = (tenant.account.0.as_str(), tenant.account.1.as_str());
        self.sim.register(account, &tenant.webhook_url(), 2).await;
        tenant
    }

    /// A new tenant without an account.
    pub(crate) async fn bare_tenant(&self) -> Tenant {
        let created = self.cli(&["tenant", "create", "Example", "--json"], "").await.json();
        let tenant = Tenant::new(&self.url, &created);
        for secret in [&tenant.key, &tenant.account.0, &tenant.account.1] {
            self.guard(secret);
        }
        tenant
    }

    /// From now on this text must not stand in any log.
    pub(crate) fn guard(&self, secret: &str) {
        self.secrets.lock().expect("a lock that nobody poisons").push(secret.to_owned());
    }

    /// A request of nobody in particular.
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        http::client().request(method, self.url.join(path).expect("a path"))
    }

    fn faults(&mut self) -> Vec<String> {
        let secrets = self.secrets.lock().map(|secrets| secrets.clone()).unwrap_or_default();
        let mut faults: Vec<String> =
            self.processes().filter_map(|process| process.fault(&secrets)).collect();
        if !self.dead_letters_expected {
            let vhost = &self.vhost;
            for queue in ["dead-letters", "unrouted"] {
                match finish(async { vhost.waiting(queue).await }) {
                    Ok(waiting) if waiting.is_empty() => {}
                    waiting => faults.push(format!("{queue} is not empty: {waiting:?}")),
                }
            }
        }
        faults
    }

    fn processes(&mut self) -> impl Iterator<Item = &mut Process> {
        self.workers.iter_mut().chain(&mut self.ingests).chain([&mut self.ingest, &mut self.sim.process])
    }
}

impl Drop for Raven {
    fn drop(&mut self) {
        let failed = std::thread::panicking();
        let faults = if failed { Vec::new() } else { self.faults() };
        if failed || !faults.is_empty() {
            self.processes().for_each(|process| process.show());
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }
}

/// Waits until a program says that it can do its work.
async fn ready(url: &Url) {
    let ready = url.join("readyz").expect("a path");
    let ask =
        async || http::try_send(http::client().get(ready.clone())).await.map_err(|fault| fault.to_string());
    until("readiness", ask, |reply| reply.as_ref().is_ok_and(|reply| reply.status == 200))
        .await
        .expect("an answer");
}

/// The settings of both services. Times are short, so that tests are.
fn settings(
    proxies: &Proxies,
    database: &Database,
    vhost: &Vhost,
    encryption_keys: &str,
    address: String,
    log_filter: &str,
) -> Vec<(&'static str, String)> {
    let through = |mut url: Url, proxy: &Proxy| {
        url.set_port(Some(proxy.port)).expect("a URL with a host");
        url.to_string()
    };
    vec![
        ("DATABASE_URL", through(database.url(), &proxies.postgres)),
        ("AMQP_URL", through(vhost.url(), &proxies.rabbitmq)),
        ("MAILJET_URL", format!("http://127.0.0.1:{}", proxies.mailjet.port)),
        ("RAVEN_ENCRYPTION_KEYS", encryption_keys.to_owned()),
        ("RAVEN_LISTEN", address),
        ("RAVEN_LOG", log_filter.to_owned()),
        ("RAVEN_RECONCILE_AFTER", "1s".to_owned()),
        ("MAILJET_TIMEOUT", "2s".to_owned()),
        ("RAVEN_RETRY_BASE", "200ms".to_owned()),
        ("RAVEN_RETRY_MAX", "1s".to_owned()),
        ("RAVEN_BATCH_LINGER", "5ms".to_owned()),
        // One after the other, so that a marker in the queue says that what came before it is done.
        ("RAVEN_EVENT_LANES", "1".to_owned()),
    ]
}
