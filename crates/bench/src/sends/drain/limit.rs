//! What the stand-in for Mailjet can take at all: calls of fifty messages, prepared beforehand, over a few connections.

use std::time::Duration;

use anyhow::{Result, ensure};
use bytes::Bytes;
use serde_json::{Value, json};

use super::Drained;
use crate::installation::Installation;
use crate::load::{self, Window};
use crate::sends::letters::{Letter, authorization};
use crate::sends::simulator::{LATENCY, Simulator};
use crate::spent::{Meter, Spent};

/// Most messages of a call at Mailjet.
const CALL: usize = 50;
/// Distinct calls.
const CALLS: usize = 64;
/// Calls under way at any time.
const CONNECTIONS: usize = 16;
const WARM_UP: Duration = Duration::from_millis(500);

/// How long the stand-in takes for an answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    pub(super) name: &'static str,
    latency: &'static str,
}

/// As slow as it is with the worker, and as fast as it can.
pub(super) const CASES: [Case; 2] = [
    Case { name: "the stand-in alone, 16 connections", latency: LATENCY },
    Case { name: "the stand-in alone, 16 connections, no latency", latency: "0ms" },
];

/// Sends for so long, and answers what was accepted within that time.
pub(super) async fn run(
    installation: &Installation,
    meter: Meter,
    (case, time): (Case, Duration),
    letters: &[Letter],
) -> Result<Drained> {
    let simulator = Simulator::start(installation, case.latency, 1000).await?;
    let meter = meter.with_simulator(simulator.pid());
    let account = authorization("bench-limit");
    let request = |letters: &[Letter]| {
        let messages: Vec<Value> = letters.iter().map(Letter::in_call).collect();
        let body = json!({ "Messages": messages }).to_string();
        load::request(&simulator.address, "/v3.1/send", &account, body.as_bytes())
    };
    let requests: Vec<Bytes> = letters.chunks_exact(CALL).take(CALLS).map(request).collect();
    ensure!(!requests.is_empty(), "too few messages for a call");
    let window = Window::new(WARM_UP, time);
    let spending = async {
        tokio::time::sleep_until(window.begin.into()).await;
        let before = meter.read(std::process::id());
        tokio::time::sleep_until(window.end.into()).await;
        Ok(meter.read(std::process::id()).since(before))
    };
    let address = simulator.address.clone();
    let load = tokio::task::spawn_blocking(move || load::run(&address, &requests, CONNECTIONS, window));
    let (answers, spent) = tokio::try_join!(async { load.await? }, spending)?;
    let counts = simulator.counts().await?;
    simulator.stop().await?;
    ensure!(
        (answers.refused, counts.refused_calls, counts.refused_messages) == (0, 0, 0),
        "the stand-in refused something: {counts:?}"
    );
    let calls = answers.latencies.len();
    let spent = Spent { simulator: spent.simulator, ..Spent::default() };
    Ok(Drained { messages: calls * CALL, time, calls, spent })
}
