//! `/v1/webhook-tokens`: the secrets that a provider's webhooks carry.

use std::fmt::Write as _;

use actix_web::web::{Data, Json, Path};
use actix_web::{HttpRequest, HttpResponse};
use domain::api_key::Scope;
use domain::webhook_token::{TOKEN_BYTES, WebhookToken};
use domain::{TenantId, TokenId};
use jiff::Timestamp;
use serde::Serialize;
use store::Store;
use store::webhook_tokens::{self, Revoked, TokenInfo};
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use crate::auth::caller;
use crate::database::ask;
use crate::page::Page;
use crate::problem::{Code, Problem};
use crate::refusals::{Conflict, Missing, Usual};

/// A new token: the only answer that ever shows it, which is why it has no debug form.
#[derive(Serialize, ToSchema)]
#[schema(as = NewWebhookToken)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewToken {
    /// Its id.
    #[schema(value_type = Uuid)]
    id: TokenId,
    /// The token.
    token: String,
    /// The address to register at the provider; the token is in it.
    #[schema(format = "uri")]
    url: String,
    /// When it was made.
    created_at: Timestamp,
}

/// A token as it is listed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookToken)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    /// Its id.
    #[schema(value_type = Uuid)]
    id: TokenId,
    /// When it was made.
    created_at: Timestamp,
    /// Whether Raven made it for the webhooks that it registers itself.
    managed: bool,
}

#[derive(OpenApi)]
#[openapi(paths(create, list, revoke))]
pub(super) struct Docs;

/// Makes a webhook token.
///
/// At most two live at a time, so that one can be replaced without loss. From the first one on, webhooks that carry none
/// are refused.
#[utoipa::path(
    post, path = "/v1/webhook-tokens", tag = "Webhook tokens", operation_id = "createWebhookToken",
    responses(
        (
            status = 200, description = "The token, shown only now.", body = NewToken,
            links(("revoke" = (operation_id = "revokeWebhookToken", parameters(("id" = "$response.body#/id")))))
        ),
        Usual, Conflict,
    ),
)]
pub(super) async fn create(
    request: HttpRequest,
    store: Data<Store>,
    public_url: Data<str>,
) -> Result<Json<NewToken>, Problem> {
    let caller = caller(&request, Scope::Manage).await?;
    let mut random = [0; TOKEN_BYTES];
    getrandom::fill(&mut random)
        .map_err(|_| Problem::new(Code::Internal, "There is no randomness to make a token of."))?;
    let token = WebhookToken::from_random(random);
    let id = TokenId(Uuid::now_v7());
    let created = ask(webhook_tokens::create(&store, caller.tenant, id, &token, caller.actor())).await?;
    let created_at = created.ok_or_else(|| {
        let detail =
            format!("There are {} live tokens already; revoke one first.", webhook_tokens::MOST_LIVE);
        Problem::new(Code::Conflict, detail)
    })?;
    let url = url(&public_url, caller.tenant, token.reveal());
    Ok(Json(NewToken { id, token: token.reveal().to_owned(), url, created_at }))
}

/// The address to give to Mailjet, with the token as the password of HTTP Basic.
fn url(base: &str, tenant: TenantId, token: &str) -> String {
    let (scheme, host) = base.split_once("://").unwrap_or(("http", base));
    let mut url = String::with_capacity(160);
    // Writing to a string cannot fail.
    let _ = write!(url, "{scheme}://raven:{token}@{host}/v1/webhooks/email/mailjet/{tenant}");
    url
}

/// Lists live webhook tokens, oldest first.
#[utoipa::path(
    get, path = "/v1/webhook-tokens", tag = "Webhook tokens", operation_id = "listWebhookTokens",
    responses((status = 200, description = "All of them; there is one page.", body = Page<Row>), Usual),
)]
pub(super) async fn list(request: HttpRequest, store: Data<Store>) -> Result<Json<Page<Row>>, Problem> {
    let caller = caller(&request, Scope::Manage).await?;
    let tokens = ask(webhook_tokens::list(&store, caller.tenant)).await?;
    let row = |TokenInfo { id, created_at, managed }| Row { id, created_at, managed };
    let data = tokens.into_iter().map(row).collect();
    Ok(Json(Page { data, next_cursor: None }))
}

/// Revokes a webhook token, within seconds.
///
/// One that Raven made for webhooks that it registered itself goes with them: 409.
#[utoipa::path(
    delete, path = "/v1/webhook-tokens/{id}", tag = "Webhook tokens", operation_id = "revokeWebhookToken",
    params(("id" = Uuid, Path, description = "The token's id.")),
    responses((status = 204, description = "It is revoked."), Usual, Missing, Conflict),
)]
pub(super) async fn revoke(
    request: HttpRequest,
    path: Path<String>,
    store: Data<Store>,
) -> Result<HttpResponse, Problem> {
    let caller = caller(&request, Scope::Manage).await?;
    let id = path.parse().map_err(|_| Problem::no_such("webhook token"))?;
    match ask(webhook_tokens::revoke(&store, caller.tenant, id, caller.actor())).await? {
        Revoked::Done => Ok(HttpResponse::NoContent().finish()),
        Revoked::Unknown => Err(Problem::no_such("webhook token")),
        Revoked::Managed => Err(Problem::new(
            Code::Conflict,
            "This token belongs to the webhooks that Raven registers. It goes by itself when no webhook carries it any \
             more; DELETE /v1/providers/mailjet/webhooks removes them and their tokens.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_carries_the_token_as_a_password() {
        let url = url("https://raven.example.com", TenantId(Uuid::nil()), "t0");
        let expected = "https://raven:t0@raven.example.com/v1/webhooks/email/mailjet/00000000-0000-0000-0000-000000000000";
        assert_eq!(url, expected);
    }
}
