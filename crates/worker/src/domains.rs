//! Looks at sending domains, each in its turn, whichever worker gets it. One look at a time.

use std::time::Duration;

use domain::Rhythm;
use provisioning::Provisioner;
use provisioning::domains::{Looked, News};
use service::tasks::describe;
use tokio_util::sync::CancellationToken;

/// Of the shortest period, the part that a domain may wait for a worker to notice that it is due.
const NOTICE: u32 = 10;
/// The longest that may be.
const LONGEST_NOTICE: Duration = Duration::from_secs(3);
/// Looks after which a worker asks the database again in its own time, whatever is due.
const MOST: usize = 20;

/// Looks at what is due, until shutdown. A look that is cut off by that is one turn skipped.
pub(crate) async fn look(provisioner: Provisioner, rhythm: Rhythm, shutdown: CancellationToken) {
    let notice = (rhythm.soon / NOTICE).min(LONGEST_NOTICE);
    let looking = async {
        loop {
            tokio::time::sleep(notice).await;
            for _ in 0..MOST {
                match provisioner.look_at_due_domain(&rhythm).await {
                    Ok(Some(looked)) => tell(&looked),
                    Ok(None) => break,
                    Err(fault) => {
                        if !fault.is_transient() {
                            tracing::warn!(fault = describe(&fault), "a sending domain was not looked at");
                        }
                        break;
                    }
                }
            }
        }
    };
    let _: Option<()> = shutdown.run_until_cancelled(looking).await;
}

/// Tells what has changed, once.
fn tell(looked: &Looked) {
    let Looked { tenant, name, news } = looked;
    match news {
        News::None => {}
        News::Status(status) => {
            tracing::info!(%tenant, domain = %name, status = status.as_str(), "a sending domain changed");
        }
        News::Fault(reason) => {
            tracing::warn!(%tenant, domain = %name, reason = reason.message, "a sending domain cannot be looked at");
        }
    }
}
