//! What a person needs after the start.

use super::Settings;
use super::demo::Tenant;
use super::services::Urls;
use crate::progress::heading;

/// Addresses, the demo's key, and a first request.
pub(crate) fn print(settings: &Settings, urls: &Urls, tenant: Option<&Tenant>) {
    heading("Raven is up");
    let line = |what: &str, value: &str| println!("  {what:<12}{value}");
    line("API", &urls.ingest);
    line("its page", &format!("{}/docs", urls.ingest));
    line("worker", &format!("{}/readyz", urls.worker));
    line("simulator", &format!("{}/sim/messages", urls.simulator));
    if let Some(management) = &settings.management {
        line("RabbitMQ", &format!("{}  (guest, guest)", management.replace("guest:guest@", "")));
    }
    line("Postgres", &settings.database_url);
    line("logs", ".raven/log");
    let Some(tenant) = tenant else { return };
    line("tenant", &tenant.tenant_id);
    line("key", &tenant.api_key);
    println!("\nTry it:\n");
    println!("  curl -X POST {}/v1/messages \\", urls.ingest);
    println!("    -H 'X-Raven-Key: {}' -H 'Content-Type: application/json' \\", tenant.api_key);
    println!("    -d '{{\"to\":\"you@example.com\",\"subject\":\"Hello\",\"bodyText\":\"Sent by Raven\"}}'");
}
