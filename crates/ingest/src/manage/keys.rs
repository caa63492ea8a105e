//! `/v1/keys`: the tenant's API keys.

use actix_web::web::{Data, Json, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use domain::KeyName;
use domain::api_key::{KeyId, Scope};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use store::Store;
use store::api_keys::{self, KeyInfo, MOST_LIVE, NewKey, Place};
use utoipa::{OpenApi, ToSchema};

use crate::auth::caller;
use crate::body;
use crate::database::ask;
use crate::page::{Page, Parameters, cut, page};
use crate::problem::{Code, Fault, Problem};
use crate::refusals::{Conflict, Invalid, InvalidQuery, Missing, Usual};

/// What a key covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum KeyScope {
    /// Everything.
    Manage,
    /// Sending, and reading messages and events.
    Send,
}

impl From<Scope> for KeyScope {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Manage => Self::Manage,
            Scope::Send => Self::Send,
        }
    }
}

/// A key to be made. Everything may be left out.
#[derive(Debug, Clone, PartialEq, Eq, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyRequest {
    /// What the key covers.
    #[schema(required = false, default = "manage", value_type = KeyScope)]
    scope: Scope,
    /// Whether mail that is sent with the key stays in Mailjet's sandbox.
    #[schema(required = false, default = false)]
    test: bool,
    /// What people call the key, without control characters. A blank name is none.
    #[schema(
        value_type = Option<String>, max_length = 100, pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$",
        example = "Shop, live",
    )]
    name: Option<KeyName>,
}

/// A new key: the only answer that ever shows it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreatedKey {
    /// The key's public part.
    #[schema(example = "0a1b2c3d", pattern = "^[0-9a-f]{8}$")]
    key_id: String,
    /// The key itself. It is stored as a hash and cannot be shown again.
    #[schema(pattern = "^rk_(live|test)_[0-9a-f]{8}_[0-9a-f]{48}$")]
    api_key: String,
    /// What it covers.
    scope: KeyScope,
    /// Whether its mail stays in Mailjet's sandbox.
    test: bool,
    /// What people call it.
    #[schema(required)]
    name: Option<String>,
    /// Since when it exists.
    created_at: Timestamp,
}

/// A key as it is listed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeyRow {
    /// The key's public part.
    #[schema(example = "0a1b2c3d", pattern = "^[0-9a-f]{8}$")]
    key_id: String,
    /// What it covers.
    scope: KeyScope,
    /// Whether its mail stays in Mailjet's sandbox.
    test: bool,
    /// What people call it.
    #[schema(required)]
    name: Option<String>,
    /// Since when it exists.
    created_at: Timestamp,
    /// When it was last used, within about a minute.
    #[schema(required)]
    last_used_at: Option<Timestamp>,
    /// Since when it is refused.
    #[schema(required)]
    revoked_at: Option<Timestamp>,
}

impl From<KeyInfo> for KeyRow {
    fn from(key: KeyInfo) -> Self {
        let KeyInfo { id, scope, test, name, created_at, last_used_at, revoked_at } = key;
        let (key_id, scope) = (id.to_string(), scope.into());
        Self { key_id, scope, test, name, created_at, last_used_at, revoked_at }
    }
}

#[derive(OpenApi)]
#[openapi(paths(create, list, revoke))]
pub(super) struct Docs;

/// Creates an API key.
///
/// The answer is the only one that ever shows the key. A tenant has at most 100 that are not revoked.
#[utoipa::path(
    post, operation_id = "createKey", path = "/v1/keys", tag = "API keys",
    request_body(content = Option<KeyRequest>, content_type = "application/json"),
    responses((status = 200, description = "The new key.", body = CreatedKey), Usual, Invalid, Conflict),
)]
pub(super) async fn create(
    request: HttpRequest,
    payload: Payload,
    store: Data<Store>,
) -> Result<Json<CreatedKey>, Problem> {
    let caller = caller(&request, Scope::Manage).await?;
    let body = body::read(&request, payload, body::MANAGE).await?;
    let KeyRequest { scope, test, name } = parse(&body)?;
    let new = NewKey { scope, test, name: name.as_ref() };
    let created = ask(api_keys::create(&store, caller.tenant, new, caller.actor())).await?;
    let created = created.ok_or_else(|| {
        Problem::new(Code::Conflict, format!("There are {MOST_LIVE} live keys already; revoke one first."))
    })?;
    Ok(Json(CreatedKey {
        key_id: created.key.id.to_string(),
        api_key: created.key.reveal(),
        scope: scope.into(),
        test,
        name: name.map(|name| name.to_string()),
        created_at: created.created_at,
    }))
}

/// Lists the API keys, newest first.
///
/// Revoked ones are listed as well; no answer holds a secret.
#[utoipa::path(
    get, operation_id = "listKeys", path = "/v1/keys", tag = "API keys",
    params(
        ("limit" = Option<u16>, Query, description = "Keys of a page.", minimum = 1, maximum = 500),
        (
            "cursor" = Option<String>, Query, format = "cursor",
            description = "The `nextCursor` of the page before."
        ),
    ),
    responses((status = 200, description = "A page of keys.", body = Page<KeyRow>), Usual, InvalidQuery),
)]
pub(super) async fn list(request: HttpRequest, store: Data<Store>) -> Result<Json<Page<KeyRow>>, Problem> {
    let caller = caller(&request, Scope::Manage).await?;
    let mut parameters = Parameters::of(&request);
    let after = parameters.cursor(place);
    let limit = parameters.limit();
    parameters.finish()?;
    let most = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let mut rows = ask(api_keys::list(&store, caller.tenant, after, most)).await?;
    let more = cut(&mut rows, limit);
    Ok(Json(page(rows, more, |row| format!("{} {}", row.created_at, row.id), KeyRow::from)))
}

/// Revokes an API key.
///
/// Every process refuses it within 5 seconds. A key may revoke itself; an operator can always make another.
#[utoipa::path(
    delete, operation_id = "revokeKey", path = "/v1/keys/{keyId}", tag = "API keys",
    params(("keyId" = String, Path, description = "The key's public part.", pattern = "^[0-9a-f]{8}$")),
    responses((status = 204, description = "It is revoked."), Usual, Missing),
)]
pub(super) async fn revoke(
    request: HttpRequest,
    path: Path<String>,
    store: Data<Store>,
) -> Result<HttpResponse, Problem> {
    let caller = caller(&request, Scope::Manage).await?;
    let id: KeyId = path.parse().map_err(|_| Problem::no_such("key"))?;
    if ask(api_keys::revoke(&store, Some(caller.tenant), id, caller.actor())).await? {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(Problem::no_such("key"))
    }
}

/// The place that a cursor of this list leads to. No key is older than the epoch, and not every earlier time is one that
/// the database can read.
fn place(cursor: &str) -> Option<Place> {
    let (created_at, id) = cursor.split_once(' ')?;
    let created_at = created_at.parse().ok().filter(|at| *at >= Timestamp::UNIX_EPOCH)?;
    Some(Place { created_at, id: id.parse().ok()? })
}

fn parse(body: &[u8]) -> Result<KeyRequest, Problem> {
    let mut new = KeyRequest { scope: Scope::Manage, test: false, name: None };
    if body.trim_ascii().is_empty() {
        return Ok(new);
    }
    let object = match body::parse(body)? {
        Value::Object(object) => object,
        Value::Null => return Ok(new),
        _ => {
            let fault = Fault { pointer: String::new(), detail: "is not an object".to_owned() };
            return Err(Problem::invalid(vec![fault]));
        }
    };
    let mut faults = Vec::new();
    for (name, value) in object {
        let read = match (name.as_str(), &value) {
            ("scope", Value::String(text)) => {
                text.parse().map(|scope| new.scope = scope).map_err(|_| "is not manage or send".to_owned())
            }
            ("scope", _) => Err("is not manage or send".to_owned()),
            ("test", Value::Bool(test)) => {
                new.test = *test;
                Ok(())
            }
            ("test", _) => Err("is not true or false".to_owned()),
            ("name", Value::Null) => Ok(()),
            ("name", Value::String(text)) => {
                KeyName::read(text).map(|name| new.name = name).map_err(|fault| fault.to_string())
            }
            ("name", _) => Err("is not a text".to_owned()),
            _ => Err("is not a field that is known here".to_owned()),
        };
        faults.extend(read.err().map(|detail| Fault { pointer: pointer(&name), detail }));
    }
    if faults.is_empty() { Ok(new) } else { Err(Problem::invalid(faults)) }
}

/// A member of the body as a JSON pointer (RFC 6901, section 3).
fn pointer(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(body: &str) -> Problem {
        parse(body.as_bytes()).unwrap_err()
    }

    #[test]
    fn everything_may_be_left_out() {
        let usual = KeyRequest { scope: Scope::Manage, test: false, name: None };
        for body in ["", " \n", "null", "{}", r#"{"name": " "}"#] {
            assert_eq!(parse(body.as_bytes()), Ok(usual.clone()), "{body}");
        }
        let body = br#"{"scope": "send", "test": true, "name": " Shop "}"#;
        let name = KeyName::read("Shop").unwrap();
        assert_eq!(parse(body), Ok(KeyRequest { scope: Scope::Send, test: true, name }));
    }

    #[test]
    fn every_fault_is_named() {
        let fault = |pointer: &str, detail: &str| Fault { pointer: pointer.into(), detail: detail.into() };
        assert_eq!(wrong("[]"), Problem::invalid(vec![fault("", "is not an object")]));
        let body = r#"{"Scope/~": 1, "name": "a\u0000", "scope": "root", "test": "yes"}"#;
        let expected = vec![
            fault("/Scope~1~0", "is not a field that is known here"),
            fault("/name", "holds a control character"),
            fault("/scope", "is not manage or send"),
            fault("/test", "is not true or false"),
        ];
        assert_eq!(wrong(body), Problem::invalid(expected));
        assert_eq!(
            wrong(r#"{"scope": null}"#),
            Problem::invalid(vec![fault("/scope", "is not manage or send")])
        );
    }

    #[test]
    fn cursors_lead_to_places_that_the_database_can_read() {
        let at = place("2026-11-21T20:00:00.123456Z 0a1b2c3d").unwrap();
        assert_eq!((at.created_at.as_microsecond() % 1_000_000, at.id), (123_456, KeyId(0x0a1b_2c3d)));
        for junk in ["", "2026-11-21T20:00:00Z", "-009999-01-03T00:00:00Z 0a1b2c3d", "now 0a1b2c3d"] {
            assert_eq!(place(junk), None, "{junk}");
        }
    }
}
