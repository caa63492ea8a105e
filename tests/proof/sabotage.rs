//! A proof that cannot fail proves nothing: it has to find out programs that break a guarantee on purpose, and such
//! programs have to be those that were built for it, and no others.

use std::fs;
use std::process::Command;

use crate::command::{programs, prove};

/// The short proof of programs that break a guarantee, with the faults in which that shows; how often it found `what`.
fn found(kind: &str, faults: &[&str], what: &str) -> usize {
    let faults = faults.iter().flat_map(|fault| ["--only", fault]);
    let arguments: Vec<&str> = ["--sabotage", kind].into_iter().chain(faults).collect();
    let proof = prove(&arguments);
    assert!(!proof.success && proof.verdict().starts_with("verdict: BROKEN"), "{}", proof.output);
    proof.count(what)
}

#[test]
fn acknowledging_before_the_commit_is_found_out() {
    let faults = ["worker: SIGKILL", "worker to Postgres: cut", "Postgres: SIGKILL"];
    assert!(found("ack-before-commit", &faults, "lost") > 0);
}

#[test]
fn resending_without_a_look_up_is_found_out() {
    let faults = ["worker: SIGKILL", "Mailjet: server error after accept", "Mailjet: drop after accept"];
    assert!(found("resend-without-look-up", &faults, "doubled") > 0);
}

#[test]
fn answering_before_the_confirm_is_found_out() {
    let faults = ["RabbitMQ: SIGKILL", "ingest to RabbitMQ: cut", "ingest to RabbitMQ: black hole"];
    assert!(found("answer-before-confirm", &faults, "lost") > 0);
}

/// The name of the switch, which no other program may know.
const SWITCH: &str = "RAVEN_SABOTAGE";

#[test]
fn no_other_program_has_the_switch() {
    let has_it = |program: &str| {
        let bytes = fs::read(programs().join(program)).unwrap();
        bytes.windows(SWITCH.len()).any(|window| window == SWITCH.as_bytes())
    };
    for broken in ["raven-ingest-sabotaged", "raven-worker-sabotaged"] {
        assert!(has_it(broken), "{broken} would not be found by this test");
    }
    for whole in ["raven-ingest", "raven-worker", "raven"] {
        assert!(!has_it(whole), "{whole} can be sabotaged");
    }
}

#[test]
fn a_sabotaged_program_has_to_be_told_what_to_break() {
    for program in ["raven-ingest-sabotaged", "raven-worker-sabotaged"] {
        let mut command = Command::new(programs().join(program));
        command.env_clear().env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none");
        command.env("AMQP_URL", "amqp://nobody@127.0.0.1:1").env("RAVEN_LISTEN", "127.0.0.1:0");
        command.env("RAVEN_ENCRYPTION_KEYS", "test:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
        let ended = command.env(SWITCH, "something-else").output().unwrap();
        let words = [ended.stdout, ended.stderr].concat();
        let words = String::from_utf8_lossy(&words);
        assert!(!ended.status.success() && words.contains(SWITCH), "{program}: {words}");
    }
}
