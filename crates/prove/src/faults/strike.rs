//! One fault: how it begins, how long it lasts, how it ends.

use std::time::Duration;

use anyhow::Result;
use fastrand::Rng;
use reqwest::Method;
use serde_json::json;
use testbed::proxy::Proxy;
use tokio::time::{Instant, sleep};

use super::catalogue::{Blow, Break, Harm, Kind, Link};
use crate::client::ask;
use crate::program::{Program, Role};
use crate::site::Site;

/// How long a fault of Mailjet's waits to be met by somebody.
const MET: Duration = Duration::from_secs(15);
/// What makes outcomes uncertain, so that there are look-ups.
const CAUSE: &str = "drop_after_accept";

/// A fault that is about to strike. All of it is drawn beforehand, so that a seed says all.
#[derive(Debug, Clone)]
pub(super) struct Strike {
    pub(super) kind: Kind,
    /// Which programs, by their numbers in their role; empty where it is none of them.
    pub(super) targets: Vec<usize>,
    /// Whose account a fault of Mailjet's strikes.
    pub(super) tenant: usize,
    hold: Duration,
    /// The chance that a fault of Mailjet's strikes when it could.
    chance: f64,
}

impl Strike {
    /// Draws what the kind leaves open.
    pub(super) fn draw(kind: Kind, site: &Site, rng: &mut Rng) -> Self {
        let among = match &kind {
            Kind::Program(role, _) => Some((of(site, *role).len(), false)),
            Kind::Way(link, _) => Some((of(site, role(*link)).len(), rng.bool())),
            _ => None,
        };
        let targets = match among {
            Some((count, true)) => (0..count).collect(),
            Some((count, false)) => vec![rng.usize(..count)],
            None => Vec::new(),
        };
        let (least, most) = holds(&kind);
        let hold = Duration::from_millis(rng.u64(least..=most));
        let tenant = rng.usize(..site.tenants.len());
        Self { kind, targets, tenant, hold, chance: 0.3 + rng.f64() * 0.7 }
    }

    /// The programs that it strikes.
    pub(super) fn programs<'a>(&'a self, site: &'a Site) -> impl Iterator<Item = &'a Program> {
        let role = match &self.kind {
            Kind::Program(role, _) => *role,
            Kind::Way(link, _) => role(*link),
            _ => Role::Ingest,
        };
        self.targets.iter().map(move |target| &of(site, role)[*target])
    }

    /// Lets it strike, and answers when its cause was gone; `None` where nobody met it.
    pub(super) async fn run(&self, site: &Site) -> Result<Option<Instant>> {
        match &self.kind {
            Kind::Program(_, blow) => self.hit(site, *blow).await?,
            Kind::Rabbitmq(harm) => self.harm(site, "rabbitmq", *harm).await?,
            Kind::Postgres(harm) => self.harm(site, "postgres", *harm).await?,
            Kind::Way(link, how) => {
                let proxies: Vec<&Proxy> = self.programs(site).map(|program| proxy(program, *link)).collect();
                let unheard = || proxies.iter().map(|proxy| proxy.lost_commits()).sum::<u64>();
                let before = unheard();
                for proxy in &proxies {
                    break_it(proxy, *how);
                }
                tokio::join!(sleep(self.hold), self.provoke(site, *link));
                for proxy in &proxies {
                    proxy.heal();
                }
                if *how == Break::CommitsLost && unheard() == before {
                    return Ok(None);
                }
            }
            Kind::Mailjet(kind) => return self.trouble(site, kind).await,
        }
        Ok(Some(Instant::now()))
    }

    /// Has an ingest need what it seldom does: Mailjet, and a commit in Postgres. What is answered does not matter.
    async fn provoke(&self, site: &Site, link: Link) {
        let body = json!({"email": format!("provoked{}@example.net", fastrand::u64(..))});
        let (path, body) = match link {
            Link::IngestMailjet => ("/v1/providers/mailjet/test", &serde_json::Value::Null),
            Link::IngestPostgres => ("/v1/suppressions", &body),
            _ => return,
        };
        for program in self.programs(site) {
            let request = site.probe.request(program, Method::POST, path).json(body);
            let _whatever = ask(request.timeout(self.hold)).await;
        }
    }

    /// A program is started again however it ended.
    async fn hit(&self, site: &Site, blow: Blow) -> Result<()> {
        let mut in_order = Ok(());
        for program in self.programs(site) {
            match blow {
                Blow::Killed => program.kill().await,
                Blow::Ended => in_order = in_order.and(program.terminate().await),
                Blow::Paused => program.pause().await,
            }
            sleep(self.hold).await;
            match blow {
                Blow::Killed | Blow::Ended => program.restart().await,
                Blow::Paused => program.resume().await,
            }
        }
        in_order
    }

    async fn harm(&self, site: &Site, server: &str, harm: Harm) -> Result<()> {
        let (begin, end) = match harm {
            Harm::Killed => ("kill", "start"),
            Harm::Paused => ("pause", "resume"),
            Harm::MemoryAlarm => ("memory-alarm", "calm"),
            Harm::DiskAlarm => ("disk-alarm", "calm"),
        };
        let begun = site.servers.order(server, begin).await;
        sleep(self.hold).await;
        // Also of what did not begin as it should, since nobody knows how far it came.
        let ended = site.servers.insist(server, end).await;
        begun.and(ended)
    }

    /// A look-up comes only where an outcome is uncertain, so for faults of it some are made.
    async fn trouble(&self, site: &Site, kind: &str) -> Result<Option<Instant>> {
        let account = &site.tenant(self.tenant).account.0;
        let delay = match kind {
            "delay" => 500,
            // Not longer than all three questions take: that is where the guarantee ends, as README says.
            "lookup_lag" => 2_000,
            _ => 0,
        };
        let order = json!({"kind": kind, "account": account, "probability": self.chance, "delayMs": delay});
        let uncertain = json!({"kind": CAUSE, "account": account, "probability": 0.5});
        let needs_cause = matches!(kind, "lookup_error" | "lookup_lag");
        let met = async {
            site.simulator.order(&order).await?;
            if needs_cause {
                site.simulator.order(&uncertain).await?;
            }
            self.wait_until_met(site, kind, account).await
        };
        let met = met.await;
        // However that went, both are ended.
        let ended = site.simulator.end(kind, account).await;
        let cause_ended = if needs_cause { site.simulator.end(CAUSE, account).await } else { Ok(()) };
        let met = met?;
        ended.and(cause_ended)?;
        Ok(met.then(Instant::now))
    }

    /// Lets a fault of Mailjet's last; answers whether somebody met it.
    async fn wait_until_met(&self, site: &Site, kind: &str, account: &str) -> Result<bool> {
        sleep(self.hold).await;
        let begun = Instant::now();
        loop {
            let met = site.simulator.struck(kind, account).await? > 0;
            if met || begun.elapsed() > MET {
                return Ok(met);
            }
            sleep(Duration::from_millis(200)).await;
        }
    }
}

/// For how long a fault lasts, in milliseconds.
fn holds(kind: &Kind) -> (u64, u64) {
    match kind {
        // A silence holds up the questions by which a worker finds out whether Mailjet has a message, while on the track of
        // Mailjet's faults the look-up may lag. The three questions take 7 s; the two together have to stay well below that,
        // for where they end the guarantee ends too, as README says, and a double would be an honest one.
        Kind::Way(Link::WorkerMailjet, Break::Silent) => (500, 3_000),
        Kind::Program(Role::Ingest, Blow::Paused) | Kind::Way(_, Break::Silent) => (500, 5_000),
        // Longer than a claim lasts (4 s), now and then.
        Kind::Program(Role::Worker, Blow::Paused) => (500, 7_000),
        Kind::Program(..) => (100, 2_000),
        Kind::Rabbitmq(Harm::Killed) | Kind::Postgres(Harm::Killed) => (0, 2_000),
        Kind::Rabbitmq(_) | Kind::Postgres(_) => (500, 4_000),
        Kind::Way(..) => (300, 2_500),
        Kind::Mailjet(_) => (500, 2_500),
    }
}

fn role(link: Link) -> Role {
    match link {
        Link::WorkerRabbitmq | Link::WorkerPostgres | Link::WorkerMailjet => Role::Worker,
        _ => Role::Ingest,
    }
}

fn of(site: &Site, role: Role) -> &[Program] {
    match role {
        Role::Ingest => &site.ingests,
        Role::Worker => &site.workers,
    }
}

fn proxy(program: &Program, link: Link) -> &Proxy {
    let links = &program.links;
    match link {
        Link::ClientsIngest => &links.clients,
        Link::MailjetIngest => &links.webhooks,
        Link::IngestRabbitmq | Link::WorkerRabbitmq => &links.rabbitmq,
        Link::IngestPostgres | Link::WorkerPostgres => &links.postgres,
        Link::IngestMailjet | Link::WorkerMailjet => &links.mailjet,
    }
}

fn break_it(proxy: &Proxy, how: Break) {
    match how {
        Break::Cut => proxy.cut(),
        Break::Silent => proxy.swallow(),
        Break::Slow => proxy.dawdle(),
        Break::CommitsLost => proxy.lose_commits(),
    }
}
