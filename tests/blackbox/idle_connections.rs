//! Ten thousand connections that say nothing: everybody else is served meanwhile, and they are given up.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpStream;

use crate::harness::{
    Raven,
    raw::{address, held},
    wait::{until, within},
};

const CONNECTIONS: usize = 10_000;
/// What the machine must allow, or the test says nothing.
const FEWEST: usize = 1_000;
/// Files and connections of the tests beside this one, and of ingest beside these.
const OTHERS: usize = 2_000;
/// Bytes of memory for each: its buffers, and what the allocator rounds up.
const EACH: u64 = 40 * 1024;
/// How long an honest send may take meanwhile; it takes milliseconds.
const SOON: Duration = Duration::from_secs(15);

/// Has this process open as many files as it may; answers how many of them are for this test.
fn allowed() -> usize {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("to raise the own limit");
    let all = maximum.map_or(CONNECTIONS + OTHERS, |all| usize::try_from(all).unwrap_or(usize::MAX));
    CONNECTIONS.min(all.saturating_sub(OTHERS))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_connections_keep_nobody_out() {
    let raven = Raven::start("idle_connections_keep_nobody_out").await;
    let tenant = raven.tenant().await;
    let connections = allowed();
    assert!(connections >= FEWEST, "the system lets a process open too few files: {connections}");
    let before = raven.ingest.forget_peak();
    let address = address(&raven.url);
    let idle: Vec<TcpStream> = stream::iter(0..connections)
        .map(|_| async move { TcpStream::connect(address).await.expect("a connection") })
        .buffer_unordered(100)
        .collect()
        .await;
    let most = held(&raven.url);
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(within(SOON, "an honest send", tenant.send_to("ann@example.com")).await);
    }
    println!("{connections} idle connections, {most} of them held at once when all were there");
    assert!(most >= FEWEST, "they were gone before all were there: {most}");
    until("idle connections to be given up", async || held(&raven.url), |held| *held < 10).await;
    let grown = raven.ingest.peak().saturating_sub(before);
    let bound = EACH * u64::try_from(connections).expect("a number");
    println!("{grown} bytes of memory for them");
    assert!(grown < bound, "{grown} bytes");
    for id in ids {
        tenant.settled(&id, "delivered").await;
    }
    drop(idle);
}
