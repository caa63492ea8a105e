//! `POST /v1/erasures`: everything that tells of a person goes (GDPR, article 17).

use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use actix_web::web::{Data, Json, Payload};
use domain::EmailAddress;
use domain::api_key::Scope;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::Store;
use store::erasure::{Erased, Erasure, Kept, Request, kept};
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use crate::auth::caller;
use crate::body;
use crate::database::ask;
use crate::problem::{Fault, Problem};
use crate::refusals::{Invalid, Usual};

/// How long one request goes on; what is left then is for the next.
const LONGEST: Duration = Duration::from_secs(20);

#[derive(OpenApi)]
#[openapi(paths(erase))]
pub(super) struct Docs;

/// Whom to erase.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "read field by field, so that all faults are named at once")]
struct ErasureRequest {
    /// The person's address; case does not matter.
    #[schema(format = "email", min_length = 3, max_length = 320, example = "ada@example.com")]
    email: String,
    /// Whether the address stays on the suppression list, if it is there, so that nobody writes to the person again.
    #[serde(default)]
    #[schema(default = true)]
    keep_suppression: bool,
}

/// What an erasure came to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ErasureResult {
    /// The id under which the audit log knows it; the address stands there no more.
    id: Uuid,
    /// Whether everything was done that can be. If not, ask again: it goes on where this one ended.
    complete: bool,
    /// Messages out of which the address was taken.
    #[schema(minimum = 0)]
    messages: u64,
    /// Of these, how many were still to be sent to nobody else, and are canceled.
    #[schema(minimum = 0)]
    canceled: u64,
    /// Of these, how many others are still to get; a worker erases their content once they are settled.
    #[schema(minimum = 0)]
    later: u64,
    /// Messages that are being sent just now, and were left as they are.
    #[schema(minimum = 0)]
    pending: u64,
    /// Events that named the address.
    #[schema(minimum = 0)]
    events: u64,
    /// Entries of the audit log that named the address.
    #[schema(minimum = 0)]
    audit_entries: u64,
    /// Rows of the suppression list.
    #[schema(minimum = 0, maximum = 1)]
    suppressions: u64,
    /// What is not erased, and why.
    kept: Vec<KeptBack>,
}

/// Something that is not erased.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct KeptBack {
    /// What.
    what: &'static str,
    /// Why, and what to do about it.
    why: &'static str,
}

impl ErasureResult {
    fn of(erasure: &Erasure) -> Self {
        let erased = erasure.erased();
        let back = kept(&erased).into_iter().map(|Kept { what, why }| KeptBack { what, why });
        let Erased { messages, canceled, later, pending, events, audit_entries, unsuppressed, .. } = erased;
        Self {
            id: erasure.id(),
            complete: erasure.is_done() && pending == 0,
            messages,
            canceled,
            later,
            pending,
            events,
            audit_entries,
            suppressions: u64::from(unsuppressed),
            kept: back.collect(),
        }
    }
}

/// Erases a person.
///
/// The address, names beside it, subjects, bodies, attachments, metadata and variables of messages that went to it go, and
/// so do recipient, raw item, network address, country, program, link and reason of its events, and the address in the
/// audit log. What stays in the place of the address is one that nobody has (`erased-0@erased.invalid`). Ids, times,
/// statuses and digests stay, so that nothing is counted twice.
///
/// A message that was still to be sent to this address only is canceled; one that others are to get goes to them alone,
/// and its content is erased once it is settled. A message that is being sent at this moment is `pending`: repeat the
/// request until `complete`. A repeat does no harm. `kept` lists what is not reached.
#[utoipa::path(
    post, path = "/v1/erasures", operation_id = "erasePerson", tag = "Erasure",
    request_body = ErasureRequest,
    responses((status = 200, description = "What was done.", body = ErasureResult), Usual, Invalid),
)]
pub(super) async fn erase(
    request: HttpRequest,
    payload: Payload,
    store: Data<Store>,
) -> Result<Json<ErasureResult>, Problem> {
    let caller = caller(&request, Scope::Manage).await?;
    let body = body::json(&request, payload, body::MANAGE).await?;
    let (email_key, keep_suppression) = parse(&body).map_err(Problem::invalid)?;
    let asked = Request { tenant: caller.tenant, email_key, keep_suppression, actor: caller.actor() };
    let mut erasure = Erasure::new(&store, asked);
    let until = Instant::now() + LONGEST;
    while !erasure.is_done() && Instant::now() < until {
        ask(erasure.step()).await?;
    }
    Ok(Json(ErasureResult::of(&erasure)))
}

fn parse(body: &Value) -> Result<(String, bool), Vec<Fault>> {
    let fault =
        |pointer: &str, detail: &str| Fault { pointer: pointer.to_owned(), detail: detail.to_owned() };
    let Some(object) = body.as_object() else { return Err(vec![fault("", "is not an object")]) };
    let unknown = object.keys().filter(|name| !matches!(name.as_str(), "email" | "keepSuppression"));
    let escaped = |name: &String| format!("/{}", name.replace('~', "~0").replace('/', "~1"));
    let mut faults: Vec<Fault> =
        unknown.map(|name| fault(&escaped(name), "is not a field that is known here")).collect();
    let mut email_key = String::new();
    match object.get("email").map(Value::as_str) {
        None => faults.push(fault("/email", "is needed")),
        Some(None) => faults.push(fault("/email", "is not a text")),
        Some(Some(text)) => match EmailAddress::parse(text) {
            Ok(email) => email_key = email.key(),
            Err(wrong) => faults.push(fault("/email", &wrong.to_string())),
        },
    }
    let keep = object.get("keepSuppression").map_or(Some(true), Value::as_bool);
    if keep.is_none() {
        faults.push(fault("/keepSuppression", "is not true or false"));
    }
    if faults.is_empty() { Ok((email_key, keep.unwrap_or(true))) } else { Err(faults) }
}
