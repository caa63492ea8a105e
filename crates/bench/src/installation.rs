//! An installation of Raven for one run: a migrated database to copy, a virtual host, a tenant.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use uuid::Uuid;

use crate::http::Base;
use crate::process::Process;
use crate::queue::Broker;
use crate::servers::{self, Servers, Session};
use crate::wait::until;

/// Migrated, with a tenant and nothing else; every measurement gets a copy.
const TEMPLATE: &str = "raven_bench_template";
/// The copy of the present measurement.
pub(crate) const DATABASE: &str = "raven_bench";
const VHOST: &str = "raven_bench";
/// The secret of every account at the stand-in for Mailjet.
pub(crate) const SECRET: &str = "bench-secret";
/// A Mailjet for those that send nothing: nothing must ever reach the real one.
pub(crate) const NOBODY: &str = "http://127.0.0.1:9";
/// A start is connecting to servers that are ready.
const READY: Duration = Duration::from_secs(30);

/// The servers, and on them an installation with nothing running.
pub(crate) struct Installation {
    pub(crate) servers: Servers,
    pub(crate) tenant: Uuid,
    programs: PathBuf,
    pub(crate) logs: PathBuf,
    keys: String,
}

impl Installation {
    /// Finds the servers.
    pub(crate) async fn open(options: &servers::Options) -> Result<Self> {
        let key = STANDARD.encode([Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat());
        Ok(Self {
            servers: Servers::open(options).await?,
            tenant: Uuid::nil(),
            programs: options.programs.clone(),
            logs: options.logs.clone(),
            keys: format!("bench:{key}"),
        })
    }

    /// Makes what measurements need, in the place of what a run before may have left behind.
    pub(crate) async fn prepare(&mut self) -> Result<()> {
        self.servers.create_vhost(VHOST).await?;
        self.servers.create_database(TEMPLATE, "template0").await?;
        self.raven(&["migrate"]).await?;
        self.tenant = self.create_tenant("Bench").await?.id;
        Ok(())
    }

    /// Takes it all away.
    pub(crate) async fn remove(&self) -> Result<()> {
        self.servers.drop_database(DATABASE).await?;
        self.servers.drop_database(TEMPLATE).await?;
        self.servers.drop_vhost(VHOST).await
    }

    /// Gives the next measurement a database in which nothing has happened yet, and a session in it.
    pub(crate) async fn fresh_database(&self) -> Result<Session> {
        self.servers.create_database(DATABASE, TEMPLATE).await?;
        Session::open(&self.servers.database_url(DATABASE)).await
    }

    /// One more session in the database of this measurement.
    pub(crate) async fn session(&self) -> Result<Session> {
        Session::open(&self.servers.database_url(DATABASE)).await
    }

    /// A connection to the virtual host.
    pub(crate) async fn broker(&self) -> Result<Broker> {
        Broker::open(&self.servers.vhost_url(VHOST), self.tenant).await
    }

    /// Starts a service with this Mailjet without waiting for it; answers where it listens, too.
    pub(crate) fn start(&self, program: &str, mailjet: &str) -> Result<(Process, String)> {
        let address = free_address()?;
        let mut variables = self.variables(DATABASE);
        variables.push(("RAVEN_LISTEN", address.clone()));
        variables.push(("MAILJET_URL", mailjet.to_owned()));
        Ok((Process::start(&self.programs.join(program), &self.logs, &[], &variables)?, address))
    }

    /// Starts a service and waits until it can do its work.
    pub(crate) async fn start_ready(&self, program: &str, mailjet: &str) -> Result<(Process, String)> {
        let (mut process, address) = self.start(program, mailjet)?;
        ready(&mut process, &Base::parse(&format!("http://{address}"))?, "/readyz").await?;
        Ok((process, address))
    }

    /// Starts the stand-in for Mailjet, and waits until it listens; answers where, too.
    pub(crate) async fn start_simulator(&self, arguments: &[&str]) -> Result<(Process, Base, String)> {
        let address = free_address()?;
        let arguments = [&["--listen", &address], arguments].concat();
        // Its log has a line for what each fault did, which would be measured as well.
        let variables = [("RUST_LOG", "warn".to_owned())];
        let program = self.programs.join("mailjet-sim");
        let mut process = Process::start(&program, &self.logs, &arguments, &variables)?;
        let base = Base::parse(&format!("http://{address}"))?;
        ready(&mut process, &base, "/healthz").await?;
        Ok((process, base, address))
    }

    /// Makes a tenant in the template.
    pub(crate) async fn create_tenant(&self, name: &str) -> Result<Tenant> {
        let created: Value = serde_json::from_str(&self.raven(&["tenant", "create", name, "--json"]).await?)?;
        let id = created["tenantId"].as_str().and_then(|id| id.parse().ok()).context("no tenant id")?;
        let key = created["apiKey"].as_str().context("no API key")?.to_owned();
        Ok(Tenant { id, key })
    }

    /// Runs the operator's command line on the template, and answers what it printed.
    pub(crate) async fn raven(&self, arguments: &[&str]) -> Result<String> {
        let mut command = tokio::process::Command::new(self.programs.join("raven"));
        command
            .args(arguments)
            .envs(self.variables(TEMPLATE))
            .env("MAILJET_API_SECRET", SECRET)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = command.output().await.context("cannot start raven")?;
        let words = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "`raven {}` failed: {words}", arguments.join(" "));
        Ok(String::from_utf8(output.stdout)?)
    }

    fn variables(&self, database: &str) -> Vec<(&'static str, String)> {
        vec![
            ("DATABASE_URL", self.servers.database_url(database)),
            ("AMQP_URL", self.servers.vhost_url(VHOST)),
            ("RAVEN_ENCRYPTION_KEYS", self.keys.clone()),
        ]
    }
}

/// A tenant, with a key that may do everything.
#[derive(Debug, Clone)]
pub(crate) struct Tenant {
    pub(crate) id: Uuid,
    pub(crate) key: String,
}

/// Waits until a program answers 200 at a path.
async fn ready(process: &mut Process, base: &Base, path: &str) -> Result<()> {
    let what = format!("readiness of {}", process.name());
    until(&what, (READY, Duration::from_millis(50)), async || {
        process.check()?;
        // Until it listens there is no answer at all.
        let reply = base.request("GET", path, "").await.ok();
        Ok(reply.filter(|reply| reply.status == 200).map(drop))
    })
    .await
}

/// An address that nobody listens on at this moment.
pub(crate) fn free_address() -> Result<String> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.to_string())
}
