//! Staying in front of a running stack until somebody ends it.

use std::time::Duration;

use anyhow::{Result, bail};

use crate::files;
use crate::os;
use crate::progress::heading;
use crate::stack::Stack;

/// Returns when everything is stopped: by Ctrl-C, by `cargo xtask down` elsewhere, or because a process ended by itself,
/// which is an error.
pub(crate) fn until_stopped(mut stack: Stack) -> Result<()> {
    println!("\nCtrl-C stops everything.");
    let ended = loop {
        if stack.interrupt.is_set() {
            break None;
        }
        os::pause(Duration::from_millis(300));
        // Another command at work here may be stopping or replacing a process just now.
        let Some(_lock) = stack.try_lock()? else { continue };
        stack.reload()?;
        if stack.state.recorded().next().is_none() {
            println!("Stopped by another command.");
            return Ok(());
        }
        let dead = stack.state.recorded().find(|name| stack.state.alive(name).is_none());
        if let Some(name) = dead {
            break Some(name.to_owned());
        }
    };
    heading("Stopping");
    let _lock = stack.lock().ok();
    stack.reload()?;
    stack.stop_all()?;
    match ended {
        None => Ok(()),
        Some(name) => {
            let log = stack.log(if name == "rabbitmq-start" { "rabbitmq" } else { &name });
            bail!("{name} ended by itself; {} says:\n{}", log.display(), files::tail(&log, 20))
        }
    }
}
