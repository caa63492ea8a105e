//! A program from its first line to its exit code.

use std::error::Error;
use std::future::Future;
use std::io::Write as _;
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::core_dumps::{self, CORE_DUMPS};
use crate::descriptors;
use crate::settings::{Environment, Invalid, Variable, help};
use crate::telemetry::{self, LOG, LOG_FORMAT};

/// The program could not do what it is for.
pub const FAILED: u8 = 1;
/// A setting or an argument is wrong.
pub const MISCONFIGURED: u8 = 2;
/// A defect of the program itself.
pub const PANICKED: u8 = 101;

/// What a program is called, what it is, and by what it is set.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    /// Its name.
    pub name: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    /// Its own settings; those of the log and of core dumps come with every program.
    pub variables: &'static [&'static Variable],
}

impl Program {
    /// Runs a service: reads its settings, starts log and runtime, and calls `run` with a token that is cancelled on
    /// SIGTERM or Ctrl-C. When `run` finds out that a setting is wrong, that ends it as one that was wrong from the
    /// beginning.
    pub fn main<S, E, F>(
        self,
        read: impl FnOnce(&Environment) -> Result<S, Invalid>,
        run: impl FnOnce(S, CancellationToken) -> F,
    ) -> ExitCode
    where
        F: Future<Output = Result<(), E>>,
        E: std::fmt::Display + AsRef<dyn Error + Send + Sync>,
    {
        match std::env::args().nth(1).as_deref() {
            None => {}
            Some("--help" | "-h") => return say(&self.help()),
            Some("--version" | "-V") => {
                return say(&format!("{} {}\n", self.name, env!("CARGO_PKG_VERSION")));
            }
            Some(other) => return self.misconfigured(&format!("there is no argument {other}; see --help")),
        }
        let settings = Environment::of_process().and_then(|environment| {
            core_dumps::turn_off_unless_wanted(&environment)?;
            telemetry::start_log(&environment)?;
            read(&environment)
        });
        let settings = match settings {
            Ok(settings) => settings,
            Err(invalid) => return self.misconfigured(&invalid.to_string()),
        };
        install_tls();
        descriptors::raise();
        let whole = AssertUnwindSafe(|| self.on_runtime(settings, run));
        std::panic::catch_unwind(whole).unwrap_or(ExitCode::from(PANICKED))
    }

    fn on_runtime<S, E, F>(self, settings: S, run: impl FnOnce(S, CancellationToken) -> F) -> ExitCode
    where
        F: Future<Output = Result<(), E>>,
        E: std::fmt::Display + AsRef<dyn Error + Send + Sync>,
    {
        let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(fault) => return self.failed(&fault),
        };
        runtime.block_on(async {
            let shutdown = CancellationToken::new();
            tokio::select! {
                ended = run(settings, shutdown.clone()) => match ended {
                    Ok(()) => ExitCode::SUCCESS,
                    Err(fault) if fault.as_ref().is::<Invalid>() => self.misconfigured(&fault.to_string()),
                    Err(fault) => self.failed(&fault),
                },
                // Never ends before `run` does.
                fault = cancel_on_signals(&shutdown) => self.failed(&fault),
            }
        })
    }

    fn help(self) -> String {
        let mut variables = self.variables.to_vec();
        variables.extend([&LOG, &LOG_FORMAT, &CORE_DUMPS]);
        format!(
            "{}: {}\n\nUsage: {} [--help | --version]\n\n{}",
            self.name,
            self.about,
            self.name,
            help(&variables)
        )
    }

    fn misconfigured(self, line: &str) -> ExitCode {
        let _ = writeln!(std::io::stderr(), "{}: {line}", self.name);
        ExitCode::from(MISCONFIGURED)
    }

    fn failed(self, fault: &dyn std::fmt::Display) -> ExitCode {
        let _ = writeln!(std::io::stderr(), "{}: {fault:#}", self.name);
        ExitCode::from(FAILED)
    }
}

fn say(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(FAILED),
    }
}

/// Chooses the one TLS implementation of the process. A second call changes nothing.
pub fn install_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Cancels `shutdown` on the first signal, and then waits for ever; answers only if signals cannot be heard.
async fn cancel_on_signals(shutdown: &CancellationToken) -> std::io::Error {
    let signals = signal(SignalKind::terminate())
        .and_then(|terminate| Ok((terminate, signal(SignalKind::interrupt())?)));
    let (mut terminate, mut interrupt) = match signals {
        Ok(signals) => signals,
        Err(fault) => return fault,
    };
    loop {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        tracing::info!(signal = name, "shutting down");
        shutdown.cancel();
    }
}
