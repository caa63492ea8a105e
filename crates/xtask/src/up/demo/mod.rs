//! A tenant of its own, and four mails with four different fates.

mod messages;
mod table;
mod tenant;
mod webhooks;

use anyhow::{Context, Result, ensure};

pub(crate) use self::tenant::Tenant;
use super::raven::Raven;
use super::services::Urls;
use crate::http::{Answer, Http};
use crate::progress::heading;
use crate::stack::Stack;

/// The account at the simulator, which believes any.
const KEY: &str = "demo-key";
const SECRET: &str = "demo-secret";

/// Ends when every message is where it should be, or fails.
pub(crate) fn run(stack: &Stack, raven: &Raven, urls: &Urls) -> Result<Tenant> {
    heading("Demo");
    let http = Http::new();
    let tenant = tenant::ensure(raven, &stack.dir.join("demo.json"))?;
    tenant::set_provider(raven, &tenant)?;
    webhooks::register(&http, urls, &tenant.tenant_id)?;
    messages::send_and_follow(&http, urls, &tenant, &stack.interrupt)
        .context("the demo did not end as it should")?;
    Ok(tenant)
}

/// An answer of success, or an error that shows what came instead.
fn expect(what: &str, answer: Answer) -> Result<Answer> {
    ensure!(answer.is_ok(), "{what} answered {}: {}", answer.status, answer.body);
    Ok(answer)
}
