//! The black-box tests of Raven: real programs, real RabbitMQ and Postgres, and a stand-in for Mailjet.
//!
//! Run them with `cargo xtask test`. Each test has an installation of its own and knows only what the contract
//! promises: HTTP, the command line, and what the management API of RabbitMQ shows.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, helpers included")]

mod harness;

mod any_order;
mod audit;
mod by_hand;
mod chaos;
mod commands;
mod connection;
mod dead_letters;
mod domain_looks;
mod domains;
mod erasure;
mod fairness;
mod feed;
mod filling;
mod finding;
mod floods;
mod given_back;
mod held_back;
mod history;
mod hostile_clients;
mod idempotency;
mod idle_connections;
mod isolation;
mod keys;
mod large_bodies;
mod limits;
mod listing;
mod openapi;
mod operator;
mod outage;
mod outcomes;
mod overload;
mod payloads;
mod problems;
mod providers;
mod quiet;
mod reading;
mod recovery;
mod renormalise;
mod retention;
mod schedule;
mod secrets;
mod sending;
mod settings;
mod shapes;
mod spool;
mod storm;
mod strangers;
mod suppression_files;
mod tenant_walls;
mod tidy;
mod topology;
mod uncertain;
mod webhook_door;
mod webhook_tokens;
mod webhooks;
mod worker_death;
