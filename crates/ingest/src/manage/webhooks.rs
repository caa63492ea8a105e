//! `/v1/providers/mailjet/webhooks`: the webhooks that Raven keeps registered at Mailjet.

use actix_web::web::{Data, Json, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use domain::api_key::Scope;
use jiff::Timestamp;
use mailjet::CallbackStatus;
use provisioning::Provisioner;
use provisioning::webhooks::{Registered, Webhook, Webhooks};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use super::at_provider::in_time;
use super::providers::known;
use super::webhooks_request::{RegisterWebhooks, parse};
use crate::auth::caller;
use crate::body;
use crate::openapi::words::ProviderName;
use crate::problem::Problem;
use crate::refusals::{AtProvider, Conflict, Invalid, Missing, Stranger, Usual};

/// The webhooks of an account.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WebhookList {
    /// Every webhook at Mailjet, those of other people on the account among them.
    data: Vec<WebhookRow>,
    /// What Raven keeps registered; null if nothing is.
    registration: Option<Registration>,
}

/// A webhook at Mailjet.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct WebhookRow {
    /// The type of event, in Mailjet's words.
    #[schema(example = "bounce")]
    event: String,
    /// Where events go. Passwords, tokens and the values of parameters are masked.
    #[schema(example = "https://raven:****@raven.example.com/v1/webhooks/email/mailjet/0190…")]
    url: String,
    /// Whether it is used only while the first URL of its type is dead.
    is_backup: bool,
    /// 2 when events come in groups, 1 when one by one; null where Mailjet does not say.
    version: Option<u8>,
    /// Whether Mailjet uses it. It gives a URL up when that has failed for a day.
    status: WebhookStatus,
    /// Whether Raven registered it for this tenant.
    ours: bool,
}

/// Whether Mailjet uses a webhook.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum WebhookStatus {
    Alive,
    Dead,
    Unknown,
}

/// What Raven keeps registered.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WebhookRegistration)]
pub(super) struct Registration {
    /// Where events go; what may be secret is masked.
    url: String,
    /// Where they go while that URL is dead; null without one.
    backup_url: Option<String>,
    /// Which events.
    #[schema(value_type = Vec<crate::openapi::words::WebhookEvent>)]
    events: Vec<&'static str>,
    /// When Mailjet was last found to have, or was given, what is wanted.
    checked_at: Option<Timestamp>,
    /// What has been in the way of that since; null if nothing was.
    fault: Option<String>,
    /// Since when strangers' URLs are left where Raven's should be, because they keep coming back. Registering again
    /// takes their place once more.
    contested_at: Option<Timestamp>,
}

impl From<Webhook> for WebhookRow {
    fn from(webhook: Webhook) -> Self {
        let Webhook { event, url, is_backup, version, status, ours } = webhook;
        let status = match status {
            CallbackStatus::Alive => WebhookStatus::Alive,
            CallbackStatus::Dead => WebhookStatus::Dead,
            CallbackStatus::Unknown => WebhookStatus::Unknown,
        };
        Self { event, url, is_backup, version, status, ours }
    }
}

impl From<Registered> for Registration {
    fn from(registered: Registered) -> Self {
        let Registered { url, backup_url, events, checked_at, fault, contested_at } = registered;
        let events = events.into_iter().map(mailjet::CallbackEvent::as_str).collect();
        Self { url, backup_url, events, checked_at, fault, contested_at }
    }
}

impl From<Webhooks> for WebhookList {
    fn from(webhooks: Webhooks) -> Self {
        let Webhooks { rows, registered } = webhooks;
        Self {
            data: rows.into_iter().map(WebhookRow::from).collect(),
            registration: registered.map(Registration::from),
        }
    }
}

#[derive(OpenApi)]
#[openapi(paths(register, list, remove))]
pub(super) struct Docs;

/// Registers the webhooks at Mailjet, and keeps them so.
///
/// For each event a URL is registered with grouped events (version 2), in place of whatever URL the account had for it;
/// Mailjet has one for each type. A token is added to a URL that brings no credentials of its own, neither user and
/// password nor `token`. What is right already stays as it is, and what an earlier request registered and this one does not
/// name is removed, so the request may be repeated.
///
/// Once Mailjet has a URL with a token, the tenant's webhooks are accepted only with one: what was registered by hand without
/// a token, for events that this request does not name, is refused from then on.
///
/// From then on workers look after them: a URL that Mailjet has given up, or that is missing, or that somebody else has
/// replaced, is registered anew with a fresh token. Where somebody else replaces them again and again, Raven stops, and says
/// so in `contestedAt`.
#[utoipa::path(
    post, path = "/v1/providers/{provider}/webhooks", tag = "Providers", operation_id = "registerWebhooks",
    params(("provider" = ProviderName, Path, description = "Whose account it is.")),
    request_body = RegisterWebhooks,
    responses((status = 200, description = "What is at Mailjet now.", body = WebhookList), Usual, Invalid, Conflict, Stranger, AtProvider),
)]
pub(super) async fn register(
    request: HttpRequest,
    payload: Payload,
    path: Path<String>,
    provisioner: Data<Provisioner>,
    public_url: Data<str>,
) -> Result<Json<WebhookList>, Problem> {
    let caller = caller(&request, Scope::Manage).await?;
    known(&path)?;
    let body = body::json(&request, payload, body::MANAGE).await?;
    let wish = parse(body, &public_url, caller.tenant).map_err(Problem::invalid)?;
    let registered = in_time(provisioner.register_webhooks(caller.tenant, &wish, caller.actor())).await??;
    Ok(Json(registered.into()))
}

/// Lists the webhooks at Mailjet.
///
/// Asks Mailjet, so what is shown is so now.
#[utoipa::path(
    get, path = "/v1/providers/{provider}/webhooks", tag = "Providers", operation_id = "listWebhooks",
    params(("provider" = ProviderName, Path, description = "Whose account it is.")),
    responses((status = 200, description = "What is at Mailjet.", body = WebhookList), Usual, Conflict, Stranger, AtProvider),
)]
pub(super) async fn list(
    request: HttpRequest,
    path: Path<String>,
    provisioner: Data<Provisioner>,
) -> Result<Json<WebhookList>, Problem> {
    let caller = caller(&request, Scope::Manage).await?;
    known(&path)?;
    let found = in_time(provisioner.webhooks(caller.tenant)).await??;
    Ok(Json(found.into()))
}

/// Removes the webhooks that Raven registered.
///
/// Their tokens are revoked at once, so what Mailjet still has under way for them is refused, and so is what the webhooks on an
/// account that was exchanged for another still tell. A tenant that then has no token left accepts webhooks without one.
#[utoipa::path(
    delete, path = "/v1/providers/{provider}/webhooks", tag = "Providers", operation_id = "removeWebhooks",
    params(("provider" = ProviderName, Path, description = "Whose account it is.")),
    responses((status = 204, description = "They are gone."), Usual, Missing, Conflict, Stranger, AtProvider),
)]
pub(super) async fn remove(
    request: HttpRequest,
    path: Path<String>,
    provisioner: Data<Provisioner>,
) -> Result<HttpResponse, Problem> {
    let caller = caller(&request, Scope::Manage).await?;
    known(&path)?;
    if in_time(provisioner.remove_webhooks(caller.tenant, caller.actor())).await?? {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(Problem::no_such("registration"))
    }
}
