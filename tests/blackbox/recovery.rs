//! After each single fault service is back by itself: nobody ends, liveness stays good, readiness tells what is missing, and
//! what is sent afterwards arrives once.
//!
//! How long that takes is printed, and not judged: a machine that tests is busy.

use std::{collections::BTreeMap, time::Duration};

use reqwest::{Method, Url};
use serde_json::Value;
use testbed::proxy::Proxy;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::harness::{
    Raven, Tenant,
    http::{self, Reply},
    plain,
    wait::{PAUSE, until},
};

/// What a process says of a dependency: whether it can do its work, and whether that is well.
type Told = (u16, bool);

/// An installation in which everything works, under the eyes of somebody who asks whether its processes live.
struct Scene {
    raven: Raven,
    tenant: Tenant,
    /// Empty where a process cannot answer.
    watch: JoinSet<()>,
    /// What was accepted.
    ids: Vec<String>,
}

impl Scene {
    async fn new(name: &str) -> Self {
        let raven = Raven::start(name).await;
        let tenant = raven.tenant().await;
        let first = tenant.send_to("first@example.com").await;
        tenant.settled(&first, "delivered").await;
        let mut this = Self { raven, tenant, watch: JoinSet::new(), ids: vec![first] };
        this.watch();
        this
    }

    fn watch(&mut self) {
        self.watch.spawn(all_live(Self::urls(&self.raven).into()));
    }

    fn urls(raven: &Raven) -> [Url; 2] {
        [raven.url.clone(), raven.worker_urls[0].clone()]
    }

    /// Waits until ingest and the worker tell this of a dependency.
    async fn tell(&self, check: &str, expected: [Told; 2]) {
        for (url, expected) in Self::urls(&self.raven).iter().zip(expected) {
            let tell = async || told(url, check).await;
            until(&format!("{url} to tell of {check}"), tell, |told| *told == expected).await;
        }
    }

    /// Sends for as long as it takes until one is accepted.
    async fn accepted(&mut self, to: &str) -> String {
        let message = plain(to);
        let send = async || self.tenant.post("/v1/messages", &message).await;
        let reply = until("a send to be accepted", send, |reply| reply.status == 200).await;
        let id = reply.json()["id"].as_str().expect("an id").to_owned();
        self.ids.push(id.clone());
        id
    }

    /// Waits until a message is delivered. Who asks just when a connection turns out to be dead is put off once.
    async fn arrives(&self, id: &str) {
        let path = format!("/v1/messages/{id}");
        let read = async || self.tenant.get(&path).await;
        let delivered = |reply: &Reply| {
            assert!([200, 404, 503].contains(&reply.status), "{reply:?}");
            reply.status == 200 && reply.json()["status"] == "delivered"
        };
        until("delivery", read, delivered).await;
    }

    /// Sends once, whatever the answer.
    async fn try_send(&mut self, to: &str) {
        let reply = self.tenant.post("/v1/messages", &plain(to)).await;
        match reply.status {
            200 => self.ids.push(reply.json()["id"].as_str().expect("an id").to_owned()),
            _ => assert_eq!(reply.status, 503, "{reply:?}"),
        }
    }

    /// The cause has gone, just now: waits until everything works again, and looks back.
    async fn recovers(mut self, what: &str) {
        let healed = Instant::now();
        for url in Self::urls(&self.raven) {
            let ready = async || report(&url).await.0;
            until("readiness", ready, |status| *status == 200).await;
        }
        let ready = healed.elapsed();
        let id = self.accepted("afterwards@example.com").await;
        let accepted = healed.elapsed();
        self.arrives(&id).await;
        let delivered = healed.elapsed();
        println!("{what}: after {ready:.1?} ready, {accepted:.1?} accepted, {delivered:.1?} delivered");
        for id in &self.ids {
            self.arrives(id).await;
            self.raven.sim.only_copy(id).await;
        }
        println!("{what}: after {:.1?} everything delivered", healed.elapsed());
        assert_eq!(self.raven.sim.stat("duplicates").await, 0);
        let ended = self.watch.try_join_next();
        assert!(ended.is_none(), "liveness was not good: {ended:?}");
    }
}

/// Ends with a panic when a process does not say that it lives.
async fn all_live(urls: Vec<Url>) {
    loop {
        for url in &urls {
            let path = url.join("healthz").expect("a path");
            let ask = async || http::send(http::client().get(path.clone())).await;
            let mut reply = ask().await;
            // A connection on which the request was held up, by a frozen process too, is closed with this; whoever probes asks
            // again.
            if reply.status == 408 {
                reply = ask().await;
            }
            assert_eq!((reply.status, reply.text.as_str()), (200, "ok\n"), "{url}");
        }
        sleep(PAUSE).await;
    }
}

/// What a process says of its readiness: the status, and what is wrong by name.
async fn report(url: &Url) -> (u16, BTreeMap<String, Value>) {
    let reply = http::send(http::client().get(url.join("readyz").expect("a path"))).await;
    let checks = reply.json()["checks"].as_array().expect("checks").clone();
    let name = |check: &Value| check["name"].as_str().expect("a name").to_owned();
    (reply.status, checks.iter().map(|check| (name(check), check.clone())).collect())
}

async fn told(url: &Url, check: &str) -> Told {
    let (status, checks) = report(url).await;
    let check = checks.get(check).unwrap_or_else(|| panic!("no check {check}: {checks:?}"));
    if check["ok"] == false {
        assert!(check["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{check}");
    }
    (status, check["ok"] == true)
}

/// Breaks RabbitMQ, and mends it when both processes have told of it.
async fn without_rabbitmq(name: &str, break_it: fn(&Proxy), mend: fn(&Proxy)) {
    let mut scene = Scene::new(name).await;
    break_it(&scene.raven.proxies.rabbitmq);
    scene.try_send("meanwhile@example.com").await;
    scene.tell("rabbitmq", [(503, false), (503, false)]).await;
    scene.try_send("later@example.com").await;
    mend(&scene.raven.proxies.rabbitmq);
    scene.recovers(name).await;
}

/// The same with Postgres, without which ingest still accepts.
async fn without_postgres(name: &str, break_it: fn(&Proxy), mend: fn(&Proxy)) {
    let mut scene = Scene::new(name).await;
    break_it(&scene.raven.proxies.postgres);
    for number in 0..5 {
        scene.accepted(&format!("meanwhile{number}@example.com")).await;
    }
    scene.tell("postgres", [(200, false), (503, false)]).await;
    scene.accepted("later@example.com").await;
    mend(&scene.raven.proxies.postgres);
    scene.recovers(name).await;
}

/// A network that is silent first, and then resets.
fn cut_and_heal(proxy: &Proxy) {
    proxy.cut();
    proxy.heal();
}

/// A network that has forgotten all connections when it comes back.
fn strand_and_heal(proxy: &Proxy) {
    proxy.strand();
    proxy.heal();
}

#[tokio::test]
async fn recovers_from_rabbitmq_that_was_dead() {
    without_rabbitmq("recovers_from_rabbitmq_that_was_dead", Proxy::cut, Proxy::heal).await;
}

#[tokio::test]
async fn recovers_from_rabbitmq_that_was_silent() {
    without_rabbitmq("recovers_from_rabbitmq_that_was_silent", Proxy::swallow, Proxy::heal).await;
}

#[tokio::test]
async fn recovers_from_rabbitmq_that_was_silent_and_reset() {
    without_rabbitmq("recovers_from_rabbitmq_that_was_silent_and_reset", Proxy::swallow, cut_and_heal).await;
}

#[tokio::test]
async fn recovers_from_connections_that_rabbitmq_has_forgotten() {
    let name = "recovers_from_connections_that_rabbitmq_has_forgotten";
    without_rabbitmq(name, Proxy::swallow, strand_and_heal).await;
}

/// Nothing else than its connections is wrong, so no process can tell before the heartbeat is missed.
#[tokio::test]
async fn recovers_from_a_firewall_that_has_forgotten_rabbitmq() {
    let mut scene = Scene::new("recovers_from_a_firewall_that_has_forgotten_rabbitmq").await;
    scene.raven.proxies.rabbitmq.strand();
    scene.try_send("meanwhile@example.com").await;
    scene.recovers("a firewall that has forgotten RabbitMQ").await;
}

#[tokio::test]
async fn recovers_from_postgres_that_was_dead() {
    without_postgres("recovers_from_postgres_that_was_dead", Proxy::cut, Proxy::heal).await;
}

#[tokio::test]
async fn recovers_from_postgres_that_was_silent() {
    without_postgres("recovers_from_postgres_that_was_silent", Proxy::swallow, Proxy::heal).await;
}

#[tokio::test]
async fn recovers_from_postgres_that_was_silent_and_reset() {
    without_postgres("recovers_from_postgres_that_was_silent_and_reset", Proxy::swallow, cut_and_heal).await;
}

#[tokio::test]
async fn recovers_from_connections_that_postgres_has_forgotten() {
    let name = "recovers_from_connections_that_postgres_has_forgotten";
    without_postgres(name, Proxy::swallow, strand_and_heal).await;
}

#[tokio::test]
async fn recovers_from_a_firewall_that_has_forgotten_postgres() {
    let mut scene = Scene::new("recovers_from_a_firewall_that_has_forgotten_postgres").await;
    scene.raven.proxies.postgres.strand();
    scene.accepted("meanwhile@example.com").await;
    scene.recovers("a firewall that has forgotten Postgres").await;
}

#[tokio::test]
async fn recovers_from_commits_of_which_nobody_heard() {
    let mut scene = Scene::new("recovers_from_commits_of_which_nobody_heard").await;
    scene.raven.proxies.postgres.lose_commits();
    for number in 0..5 {
        scene.accepted(&format!("meanwhile{number}@example.com")).await;
    }
    let lost = async || scene.raven.proxies.postgres.lost_commits();
    until("commits to be lost", lost, |count| *count >= 3).await;
    scene.raven.proxies.postgres.heal();
    scene.recovers("commits of which nobody heard").await;
}

/// Without Mailjet everything is accepted and nobody is unready.
async fn without_mailjet(name: &str, break_it: fn(&Proxy), mend: fn(&Proxy)) {
    let mut scene = Scene::new(name).await;
    break_it(&scene.raven.proxies.mailjet);
    let id = scene.accepted("meanwhile@example.com").await;
    let tried = async || scene.tenant.get(&format!("/v1/messages/{id}")).await.json()["attempts"].clone();
    until("an attempt", tried, |attempts| attempts.as_u64().is_some_and(|attempts| attempts > 0)).await;
    for url in Scene::urls(&scene.raven) {
        assert_eq!(report(&url).await.0, 200);
    }
    mend(&scene.raven.proxies.mailjet);
    scene.recovers(name).await;
}

#[tokio::test]
async fn recovers_from_mailjet_that_was_dead() {
    without_mailjet("recovers_from_mailjet_that_was_dead", Proxy::cut, Proxy::heal).await;
}

#[tokio::test]
async fn recovers_from_mailjet_that_was_silent() {
    without_mailjet("recovers_from_mailjet_that_was_silent", Proxy::swallow, Proxy::heal).await;
}

#[tokio::test]
async fn recovers_from_connections_that_mailjet_has_forgotten() {
    without_mailjet("recovers_from_connections_that_mailjet_has_forgotten", Proxy::swallow, strand_and_heal)
        .await;
}

/// A connection of one role is closed; the others of the same process do not notice.
#[tokio::test]
async fn recovers_from_the_loss_of_one_role() {
    let mut scene = Scene::new("recovers_from_the_loss_of_one_role").await;
    for role in
        ["raven-worker sends", "raven-worker events", "raven-worker publisher", "raven-ingest publisher"]
    {
        let close = async || scene.raven.vhost.disconnect(role).await;
        until(&format!("a connection of {role}"), close, |closed| *closed > 0).await;
        let id = scene.accepted("meanwhile@example.com").await;
        scene.tenant.settled(&id, "delivered").await;
    }
    scene.recovers("the loss of one role").await;
}

#[tokio::test]
async fn recovers_from_the_end_of_every_session() {
    let mut scene = Scene::new("recovers_from_the_end_of_every_session").await;
    let session = scene.raven.database.session().await;
    let end = "select pg_terminate_backend(pid) from pg_stat_activity \
               where datname = current_database() and pid <> pg_backend_pid()";
    for _ in 0..3 {
        session.client.execute(end, &[]).await.unwrap();
        scene.accepted("meanwhile@example.com").await;
    }
    scene.recovers("the end of every session").await;
}

/// As after a change of servers, or with a full disk at some providers: it answers, and takes nothing. That is nobody's
/// message's fault.
#[tokio::test]
async fn recovers_from_postgres_that_only_reads() {
    let mut scene = Scene::new("recovers_from_postgres_that_only_reads").await;
    let session = scene.raven.database.session().await;
    let name: String = session.client.query_one("select current_database()", &[]).await.unwrap().get(0);
    let end = "select pg_terminate_backend(pid) from pg_stat_activity \
               where datname = current_database() and pid <> pg_backend_pid()";
    let order = format!("alter database {name} set default_transaction_read_only = on");
    session.client.execute(&order, &[]).await.unwrap();
    session.client.execute(end, &[]).await.unwrap();
    for number in 0..5 {
        scene.accepted(&format!("meanwhile{number}@example.com")).await;
    }
    let offered = async || scene.raven.vhost.queue("sends").await.map(|queue| queue["messages"].clone());
    until("the messages to wait in the queue", offered, |count| *count == Some(5.into())).await;
    scene.tell("postgres", [(200, false), (503, false)]).await;
    let order = format!("alter database {name} reset default_transaction_read_only");
    session.client.execute(&order, &[]).await.unwrap();
    session.client.execute(end, &[]).await.unwrap();
    scene.recovers("Postgres that only reads").await;
}

/// Longer than a claim of these tests holds: twice `MAILJET_TIMEOUT`, and 2 s.
const OVER_THE_LEASE: Duration = Duration::from_secs(8);

/// Frozen and thawed with everything in hand, a process must not take what happened meanwhile for its own death.
#[tokio::test]
async fn recovers_from_frozen_processes() {
    let mut scene = Scene::new("recovers_from_frozen_processes").await;
    // The watching would wait for answers.
    scene.watch.shutdown().await;
    scene.raven.sim.fault("delay", Some(1), 500).await;
    for number in 0..20 {
        scene.accepted(&format!("meanwhile{number}@example.com")).await;
    }
    scene.raven.workers[0].pause();
    scene.raven.ingest.pause();
    sleep(OVER_THE_LEASE).await;
    scene.raven.ingest.resume();
    scene.raven.workers[0].resume();
    scene.watch();
    scene.recovers("frozen processes").await;
}

/// Another worker takes over from one that is frozen for longer than its lease, and nothing is sent twice.
#[tokio::test]
async fn recovers_from_a_frozen_worker_beside_another() {
    let mut scene = Scene::new("recovers_from_a_frozen_worker_beside_another").await;
    scene.raven.start_worker().await;
    scene.watch.shutdown().await;
    for number in 0..50 {
        scene.accepted(&format!("meanwhile{number}@example.com")).await;
    }
    scene.raven.workers[0].pause();
    sleep(OVER_THE_LEASE).await;
    scene.raven.workers[0].resume();
    scene.watch();
    scene.recovers("a frozen worker beside another").await;
}

#[tokio::test]
async fn recovers_from_a_killed_ingest() {
    let mut scene = Scene::new("recovers_from_a_killed_ingest").await;
    scene.watch.shutdown().await;
    scene.accepted("meanwhile@example.com").await;
    scene.raven.ingest.kill();
    scene.raven.launch_ingest_again();
    let again = async || http::try_send(scene.raven.request(Method::GET, "/healthz")).await.is_ok();
    until("ingest to answer", again, |answers| *answers).await;
    scene.watch();
    scene.recovers("a killed ingest").await;
}
