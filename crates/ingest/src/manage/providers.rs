//! `/v1/providers/mailjet`: whose account sends for the tenant.

use actix_web::web::{Data, Json, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use domain::Mailbox;
use domain::api_key::Scope;
use jiff::Timestamp;
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;
use serde::Serialize;
use serde_json::{Map, Value};
use store::providers::{self, MAILJET, NewProvider, Provider, masked};
use store::{Keyring, Store};
use utoipa::{OpenApi, ToSchema};

use crate::auth::caller;
use crate::body;
use crate::database::ask;
use crate::openapi::words::ProviderName;
use crate::problem::{Code, Fault, Problem};
use crate::refusals::{Invalid, Missing, Stranger, Usual};

/// An account as it is answered.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProviderAccount)]
pub(super) struct Account {
    #[schema(value_type = ProviderName)]
    provider: &'static str,
    /// The sender of messages that name none.
    #[schema(example = "hello@example.com")]
    from_email: String,
    /// The name beside it.
    #[schema(required, example = "Our shop")]
    from_name: Option<String>,
    /// The public half of the credentials, but for its end masked.
    #[schema(example = "****cdef")]
    api_key: String,
    /// The secret half, likewise.
    #[schema(example = "****cdef")]
    api_secret: String,
    /// When it was last changed.
    #[serde(rename = "updatedAt")]
    updated_at: Timestamp,
}

/// An account to send with. All names may be in camel case as well, such as `fromEmail`.
#[derive(serde::Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "from_email": "hello@example.com", "from_name": "Our shop", "api_key": "0123456789abcdef", "api_secret": "fedcba9876543210"
}))]
#[expect(dead_code, reason = "it only describes what `parse` reads")]
struct NewAccount {
    /// The sender of messages that name none.
    #[schema(format = "email")]
    from_email: String,
    /// The name beside it.
    #[schema(pattern = r"^[^\u0000-\u001F\u007F-\u009F]*$")]
    from_name: Option<String>,
    /// The public half of the credentials.
    #[schema(
        pattern = r"^[^\u0000-\u001F\u007F-\u009F]*[^\s\u0000-\u001F\u007F-\u009F][^\u0000-\u001F\u007F-\u009F]*$"
    )]
    api_key: String,
    /// The secret half. It is sealed before it is stored, and never shown again.
    #[schema(
        pattern = r"^[^\u0000-\u001F\u007F-\u009F]*[^\s\u0000-\u001F\u007F-\u009F][^\u0000-\u001F\u007F-\u009F]*$",
        format = "password"
    )]
    api_secret: String,
}

#[derive(OpenApi)]
#[openapi(paths(set, show, forget))]
pub(super) struct Docs;

impl From<Provider> for Account {
    fn from(provider: Provider) -> Self {
        Self {
            provider: MAILJET,
            from_email: provider.from_email,
            from_name: provider.from_name,
            api_key: masked(&provider.api_key),
            api_secret: masked(&provider.api_secret),
            updated_at: provider.updated_at,
        }
    }
}

pub(super) fn known(provider: &str) -> Result<(), Problem> {
    if provider == MAILJET {
        return Ok(());
    }
    Err(Problem::new(Code::UnknownProvider, "The only provider so far is mailjet."))
}

/// Sets the account that sends.
///
/// It takes the place of an earlier one, also for messages that wait.
#[utoipa::path(
    put, path = "/v1/providers/{provider}", tag = "Providers", operation_id = "setProvider",
    params(("provider" = ProviderName, Path, description = "Whose account it is.")),
    request_body(content = NewAccount, description = "At most 64 KiB."),
    responses((status = 200, description = "The account as it is now.", body = Account), Usual, Invalid, Stranger),
)]
pub(super) async fn set(
    request: HttpRequest,
    payload: Payload,
    path: Path<String>,
    store: Data<Store>,
    keyring: Data<Keyring>,
) -> Result<Json<Account>, Problem> {
    let caller = caller(&request, Scope::Manage).await?;
    known(&path)?;
    let body = body::json(&request, payload, body::MANAGE).await?;
    let new = parse(body).map_err(Problem::invalid)?;
    ask(providers::put(&store, &keyring, caller.tenant, &new, caller.actor())).await?;
    read(&store, &keyring, caller.tenant).await.map(Json)
}

/// Shows the account that sends.
#[utoipa::path(
    get, path = "/v1/providers/{provider}", tag = "Providers", operation_id = "getProvider",
    params(("provider" = ProviderName, Path, description = "Whose account it is.")),
    responses((status = 200, description = "The account.", body = Account), Usual, Missing, Stranger),
)]
pub(super) async fn show(
    request: HttpRequest,
    path: Path<String>,
    store: Data<Store>,
    keyring: Data<Keyring>,
) -> Result<Json<Account>, Problem> {
    let caller = caller(&request, Scope::Manage).await?;
    known(&path)?;
    read(&store, &keyring, caller.tenant).await.map(Json)
}

/// Forgets the account that sends.
///
/// Messages wait until there is another.
#[utoipa::path(
    delete, path = "/v1/providers/{provider}", tag = "Providers", operation_id = "deleteProvider",
    params(("provider" = ProviderName, Path, description = "Whose account it is.")),
    responses((status = 204, description = "It is forgotten."), Usual, Missing, Stranger),
)]
pub(super) async fn forget(
    request: HttpRequest,
    path: Path<String>,
    store: Data<Store>,
) -> Result<HttpResponse, Problem> {
    let caller = caller(&request, Scope::Manage).await?;
    known(&path)?;
    if ask(providers::delete(&store, caller.tenant, caller.actor())).await? {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(Problem::no_such("provider"))
    }
}

async fn read(store: &Store, keyring: &Keyring, tenant: domain::TenantId) -> Result<Account, Problem> {
    let account = ask(providers::get(store, keyring, tenant)).await?;
    account.map(Account::from).ok_or_else(|| Problem::no_such("provider"))
}

/// Both spellings of each name are read, snake and camel.
fn parse(body: Value) -> Result<NewProvider, Vec<Fault>> {
    let Value::Object(mut object) = body else {
        return Err(vec![Fault { pointer: String::new(), detail: "is not an object".to_owned() }]);
    };
    let mut faults = Vec::new();
    let from_email = text(&mut object, ["from_email", "fromEmail"], true, &mut faults);
    let from_name = text(&mut object, ["from_name", "fromName"], false, &mut faults);
    let api_key = text(&mut object, ["api_key", "apiKey"], true, &mut faults);
    let api_secret = text(&mut object, ["api_secret", "apiSecret"], true, &mut faults);
    if let Some(email) = &from_email
        && let Err(fault) = Mailbox::new(email, from_name.as_deref())
    {
        faults.push(Fault { pointer: "/from_email".to_owned(), detail: fault.to_string() });
    }
    for name in object.keys() {
        faults.push(Fault {
            pointer: format!("/{name}"),
            detail: "is not a field that is known here".to_owned(),
        });
    }
    match (from_email, api_key, api_secret) {
        (Some(from_email), Some(api_key), Some(api_secret)) if faults.is_empty() => Ok(NewProvider {
            from_email,
            from_name,
            api_key: secret(api_key),
            api_secret: secret(api_secret),
        }),
        _ => Err(faults),
    }
}

/// Wipes the text that it is made of.
fn secret(text: String) -> SecretString {
    SecretString::from(Zeroizing::new(text).as_str())
}

fn text(
    object: &mut Map<String, Value>,
    [snake, camel]: [&str; 2],
    required: bool,
    faults: &mut Vec<Fault>,
) -> Option<String> {
    let value = object.remove(snake).or_else(|| object.remove(camel)).filter(|value| !value.is_null());
    let mut fault = |detail: &str| {
        faults.push(Fault { pointer: format!("/{snake}"), detail: detail.to_owned() });
        None
    };
    match value {
        Some(Value::String(text)) if text.chars().any(char::is_control) => fault("holds a control character"),
        Some(Value::String(text)) if !text.trim().is_empty() => {
            // It may be a secret, and what remains is a copy.
            Some(Zeroizing::new(text).trim().to_owned())
        }
        None | Some(Value::String(_)) => {
            if required {
                fault("is needed")
            } else {
                None
            }
        }
        Some(_) => fault("is not a text"),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;
    use serde_json::json;

    use super::*;

    #[test]
    fn both_spellings_are_read() {
        for body in [
            json!({"from_email": "a@b.co", "from_name": "A", "api_key": "k", "api_secret": "s"}),
            json!({"fromEmail": "a@b.co", "fromName": "A", "apiKey": "k", "apiSecret": "s"}),
        ] {
            let new = parse(body).unwrap();
            assert_eq!((new.from_email.as_str(), new.api_secret.expose_secret()), ("a@b.co", "s"));
        }
    }

    #[test]
    fn missing_credentials_are_named() {
        let faults = parse(json!({"from_email": "a@b.co", "api_key": "", "secret": "s"})).unwrap_err();
        let pointers: Vec<&str> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
        assert_eq!(pointers, ["/api_key", "/api_secret", "/secret"]);
    }
}
