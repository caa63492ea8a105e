//! `GET /v1/audit-log`: what was managed, by whom, and when.

use actix_web::HttpRequest;
use actix_web::web::{Data, Json};
use domain::Action;
use domain::api_key::Scope;
use jiff::Timestamp;
use serde::Serialize;
use store::Store;
use store::audit::{self, EntryView, Filter};
use utoipa::{OpenApi, ToSchema};

use crate::auth::caller;
use crate::database::ask;
use crate::openapi::words::AuditAction;
use crate::page::{Page, Paging, Parameters, cut, page};
use crate::problem::Problem;
use crate::refusals::{InvalidQuery, Usual};

/// Something that was done.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AuditEntry {
    /// Grows from entry to entry.
    #[schema(example = 17)]
    id: i64,
    /// The id of the API key it was done with; `cli` for an operator, `worker` for a worker.
    #[schema(example = "0a1b2c3d")]
    actor: String,
    #[schema(value_type = AuditAction)]
    action: String,
    /// To what: an id, a name or an address.
    #[schema(example = "mailjet")]
    subject: String,
    /// Why or how, where that is not plain.
    #[schema(required)]
    detail: Option<String>,
    /// When.
    created_at: Timestamp,
}

impl From<EntryView> for AuditEntry {
    fn from(view: EntryView) -> Self {
        let EntryView { id, actor, action, subject, detail, created_at } = view;
        Self { id, actor, action, subject, detail, created_at }
    }
}

#[derive(OpenApi)]
#[openapi(paths(list))]
pub(super) struct Docs;

/// Lists the audit log, newest first.
///
/// Every change by the management API, the command line and self-healing workers, with who made it.
#[utoipa::path(
    get, path = "/v1/audit-log", tag = "Audit log", operation_id = "listAuditLog",
    params(("action" = Option<AuditAction>, Query, nullable = false, description = "Only this action."), Paging),
    responses((status = 200, description = "A page of the log.", body = Page<AuditEntry>), Usual, InvalidQuery),
)]
pub(super) async fn list(
    request: HttpRequest,
    store: Data<Store>,
) -> Result<Json<Page<AuditEntry>>, Problem> {
    let caller = caller(&request, Scope::Manage).await?;
    let mut parameters = Parameters::of(&request);
    let filter = Filter {
        action: parameters.take("action", |text| text.parse::<Action>().map_err(|fault| fault.to_string())),
        before: parameters.cursor(|text| text.parse().ok()),
    };
    let limit = parameters.limit();
    parameters.finish()?;
    let most = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let mut rows = ask(audit::list(&store, caller.tenant, filter, most)).await?;
    let more = cut(&mut rows, limit);
    Ok(Json(page(rows, more, |row| row.id.to_string(), AuditEntry::from)))
}
