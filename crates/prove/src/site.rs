//! One installation of Raven: two ingests, three workers, a stand-in for Mailjet, and proxies on every way between them.

use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use testbed::proxy::Proxy;
use uuid::Uuid;

use crate::options::Options;
use crate::program::{Links, Program, Recipe, Role};
use crate::recovery::ready;
use crate::servers::Servers;
use crate::simulator::Simulator;
use crate::tenant::Tenant;

/// How many of each.
const INGESTS: usize = 2;
const WORKERS: usize = 3;
/// Tenants under load. One more has the account that no fault of Mailjet's strikes.
const TENANTS: usize = 4;

/// Times are short, so that a run holds many faults: a claim lasts for 4 s, and the three questions take 7 s.
const SETTINGS: [(&str, &str); 6] = [
    ("MAILJET_TIMEOUT", "1s"),
    ("RAVEN_RECONCILE_AFTER", "1s"),
    ("RAVEN_RETRY_BASE", "200ms"),
    ("RAVEN_RETRY_MAX", "1s"),
    ("RAVEN_PUBLISH_TIMEOUT", "3s"),
    ("RAVEN_LOG", "info"),
];

/// Everything that runs.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) servers: Servers,
    pub(crate) simulator: Simulator,
    pub(crate) ingests: Vec<Program>,
    pub(crate) workers: Vec<Program>,
    pub(crate) tenants: Vec<Tenant>,
    /// The tenant by whom it is found out whether service is back.
    pub(crate) probe: Tenant,
}

impl Site {
    /// Starts it all, and waits until it is ready.
    pub(crate) async fn start(options: &Options, seed: u64) -> Result<Self> {
        let servers = Servers::prepare(options).await?;
        let simulator = Simulator::start(&options.programs, &options.folder, seed).await?;
        let key = STANDARD.encode([Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat());
        let start = Start { options, servers: &servers, simulator: &simulator, keys: format!("prove:{key}") };
        start.raven(&["migrate"]).await?;
        let mut tenants = Vec::new();
        for _ in 0..=TENANTS {
            tenants.push(Tenant::of(&start.raven(&["tenant", "create", "Prove", "--json"]).await?)?);
        }
        let ingests = (1..=INGESTS).map(|number| start.program(Role::Ingest, number));
        let ingests: Vec<Program> = ingests.collect::<Result<_>>()?;
        let workers = (1..=WORKERS).map(|number| start.program(Role::Worker, number));
        let workers: Vec<Program> = workers.collect::<Result<_>>()?;
        let probe = tenants.pop().context("no tenant for the probe")?;
        let this = Self { servers, simulator, ingests, workers, tenants, probe };
        for program in this.programs() {
            ready(program).await?;
        }
        for (number, tenant) in this.everyone().enumerate() {
            let ingest = &this.ingests[number % INGESTS];
            tenant.set_account(ingest).await?;
            let account = (tenant.account.0.as_str(), tenant.account.1.as_str());
            this.simulator.register(account, &ingest.webhook_url(&tenant.id)).await?;
        }
        Ok(this)
    }

    /// Ingests and workers.
    pub(crate) fn programs(&self) -> impl Iterator<Item = &Program> {
        self.ingests.iter().chain(&self.workers)
    }

    /// The tenants under load, and the one of the probes.
    pub(crate) fn everyone(&self) -> impl Iterator<Item = &Tenant> {
        self.tenants.iter().chain([&self.probe])
    }

    /// The tenant of this number; the last is the one of the probes.
    pub(crate) fn tenant(&self, number: usize) -> &Tenant {
        self.tenants.get(number).unwrap_or(&self.probe)
    }

    /// The ingest that takes a turn.
    pub(crate) fn ingest(&self, turn: usize) -> &Program {
        &self.ingests[turn % self.ingests.len()]
    }

    /// The programs that keep a spool.
    pub(crate) fn spooling(&self) -> impl Iterator<Item = &Program> {
        self.programs().filter(|program| program.has_spool())
    }

    /// Everything passes again, and nothing goes wrong at Mailjet any more.
    pub(crate) async fn heal(&self) -> Result<()> {
        self.programs().for_each(Program::heal);
        self.simulator.heal().await
    }
}

/// What programs are started from.
struct Start<'a> {
    options: &'a Options,
    servers: &'a Servers,
    simulator: &'a Simulator,
    keys: String,
}

impl Start<'_> {
    fn program(&self, role: Role, number: usize) -> Result<Program> {
        let port = Program::port();
        let (rabbitmq, postgres) = self.servers.ports();
        let links = Links {
            rabbitmq: Proxy::start(rabbitmq),
            postgres: Proxy::start(postgres),
            mailjet: Proxy::start(self.simulator.port),
            clients: Proxy::start(port),
            webhooks: Proxy::start(port),
        };
        let mut variables = vec![
            ("DATABASE_URL", self.servers.database_url(Some(links.postgres.port)).to_string()),
            ("AMQP_URL", self.servers.vhost_url(Some(links.rabbitmq.port)).to_string()),
            ("MAILJET_URL", format!("http://127.0.0.1:{}", links.mailjet.port)),
            ("RAVEN_ENCRYPTION_KEYS", self.keys.clone()),
        ];
        variables.extend(SETTINGS.map(|(name, value)| (name, value.to_owned())));
        let mut program = match role {
            Role::Ingest => "raven-ingest".to_owned(),
            Role::Worker => "raven-worker".to_owned(),
        };
        // One ingest of two keeps a spool, so that both ways of it are put to the proof.
        if role == Role::Ingest && number.is_multiple_of(2) {
            let spool = self.options.folder.join(format!("spool-{number}"));
            std::fs::create_dir_all(&spool)?;
            variables.push(("RAVEN_SPOOL_DIR", spool.to_string_lossy().into_owned()));
        }
        if let Some(sabotage) = &self.options.sabotage {
            program.push_str("-sabotaged");
            variables.push(("RAVEN_SABOTAGE", sabotage.clone()));
        }
        let program = self.options.programs.join(program);
        Program::start(
            role,
            number,
            port,
            links,
            Recipe { program, folder: self.options.folder.clone(), variables },
        )
    }

    /// Runs the operator's command line, past the proxies; answers what it printed.
    async fn raven(&self, arguments: &[&str]) -> Result<String> {
        let mut command = tokio::process::Command::new(self.options.programs.join("raven"));
        command
            .args(arguments)
            .env("DATABASE_URL", self.servers.database_url(None).as_str())
            .env("AMQP_URL", self.servers.vhost_url(None).as_str())
            .env("RAVEN_ENCRYPTION_KEYS", &self.keys)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = command.output().await.context("cannot start raven")?;
        let words = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "`raven {}` failed: {words}", arguments.join(" "));
        Ok(String::from_utf8(output.stdout)?)
    }
}
