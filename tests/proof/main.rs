//! The short proof: every kind of fault strikes once, and nothing is lost, doubled, misreported or stuck; and with
//! programs that break a guarantee on purpose, the same proof says so.

mod command;
mod sabotage;

use crate::command::prove;

#[test]
fn every_fault_strikes_and_nothing_is_lost() {
    let proof = prove(&[]);
    assert!(proof.success && proof.verdict().starts_with("verdict: holds"), "{}", proof.output);
}
