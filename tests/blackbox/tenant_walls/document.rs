//! The operations of the API as its own document lists them, so that a route that is added later is tried as well.

use reqwest::Method;
use serde_json::{Value, json};

use super::seed::Things;
use crate::harness::{Raven, http};

/// One operation.
#[derive(Debug)]
pub(super) struct Operation {
    /// Its `operationId`.
    pub(super) id: String,
    pub(super) method: Method,
    /// Its path, with parameters in braces.
    pub(super) path: String,
    /// Whether the document says that it needs no key.
    pub(super) open: bool,
    /// The names of what its query may hold.
    pub(super) query: Vec<String>,
    /// Whether it takes a body.
    pub(super) takes_body: bool,
}

/// What a parameter in a path stands for.
enum Meaning {
    /// The same for all tenants.
    Common(&'static str),
    /// A thing of one tenant: those that belong here.
    Owned(Vec<String>),
}

/// All that the document lists; those that destroy come last.
pub(super) async fn operations(raven: &Raven) -> Vec<Operation> {
    let document = http::send(raven.request(Method::GET, "/openapi.json")).await.expect(200);
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, body) in item.as_object().expect("operations") {
            // A path item may hold more than methods; those are in lower case, and are all there is so far.
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method");
            assert!(
                ["GET", "POST", "PUT", "DELETE"].contains(&method.as_str()),
                "{method} {path}: unheard of"
            );
            all.push(Operation::new(method, path, body));
        }
    }
    assert!(all.len() > 35, "the document has {} operations", all.len());
    all.sort_by_key(|one| ["GET", "POST", "PUT", "DELETE"].map(|name| one.method != name));
    all
}

impl Operation {
    fn new(method: Method, path: &str, body: &Value) -> Self {
        let parameters = body["parameters"].as_array().cloned().unwrap_or_default();
        let named = |place: &str| {
            let here = parameters.iter().filter(|parameter| parameter["in"] == place);
            here.map(|parameter| parameter["name"].as_str().expect("a name").to_owned()).collect()
        };
        let security = body["security"].as_array();
        Self {
            id: body["operationId"].as_str().unwrap_or_else(|| panic!("{path} has no id")).to_owned(),
            open: security.is_some_and(|all| all.contains(&json!({}))),
            query: named("query"),
            takes_body: body["requestBody"].is_object(),
            path: path.to_owned(),
            method,
        }
    }

    /// Whether its path names a thing of one tenant.
    pub(super) fn names_a_thing(&self, things: &Things) -> bool {
        self.parameters(things).iter().any(|(_, meaning)| matches!(meaning, Meaning::Owned(_)))
    }

    /// Its paths with these things where they belong.
    pub(super) fn with_own(&self, things: &Things) -> Vec<String> {
        self.filled(things, |belonging| belonging)
    }

    /// Its paths with each of these things, whether it belongs there or not.
    pub(super) fn with_any(&self, things: &Things) -> Vec<String> {
        self.filled(things, |_| things.all())
    }

    fn filled(&self, things: &Things, choose: impl Fn(Vec<String>) -> Vec<String>) -> Vec<String> {
        let mut paths = vec![self.path.clone()];
        for (placeholder, meaning) in self.parameters(things) {
            let values = match meaning {
                Meaning::Common(value) => vec![value.to_owned()],
                Meaning::Owned(belonging) => choose(belonging),
            };
            let fill = |path: &String| {
                values.iter().map(|value| path.replace(&placeholder, value)).collect::<Vec<_>>()
            };
            paths = paths.iter().flat_map(fill).collect();
        }
        paths
    }

    /// The parameters in its path. One that nobody told this test about fails it.
    fn parameters(&self, things: &Things) -> Vec<(String, Meaning)> {
        let segments: Vec<&str> = self.path.split('/').collect();
        let pairs = segments.windows(2).filter(|pair| pair[1].starts_with('{'));
        pairs.map(|pair| (pair[1].to_owned(), self.meaning(pair[0], pair[1], things))).collect()
    }

    fn meaning(&self, before: &str, placeholder: &str, things: &Things) -> Meaning {
        match (before, placeholder) {
            ("providers" | "email", "{provider}") => Meaning::Common("mailjet"),
            ("{provider}", "{tenant}") => Meaning::Owned(vec![things.tenant.id.clone()]),
            ("messages", "{id}") => Meaning::Owned(things.messages.clone()),
            ("domains", "{id}") => Meaning::Owned(things.domains.clone()),
            ("webhook-tokens", "{id}") => Meaning::Owned(things.tokens.clone()),
            ("keys", "{keyId}") => Meaning::Owned(things.keys.clone()),
            ("suppressions", "{email}") => Meaning::Owned(things.suppressed.clone()),
            _ => panic!("{} has {placeholder}: say here whose it is", self.path),
        }
    }

    /// A good body for it. One that nobody told this test about fails it. `naming` are an address and a domain.
    pub(super) fn body(&self, (address, domain): (&str, &str)) -> String {
        let message = json!({"to": address, "subject": "From the other side", "bodyText": "Hello."});
        let body = match self.id.as_str() {
            _ if !self.takes_body => return String::new(),
            "importSuppressions" => return format!("email,reason\n{address},manual\n"),
            "receiveWebhook" => json!([]),
            "addDomain" => json!({ "domain": domain }),
            "erasePerson" | "addSuppression" => json!({ "email": address }),
            "createKey" => json!({"name": "From the other side"}),
            "sendMessage" => message,
            "sendBatch" => json!({ "messages": [message] }),
            "setProvider" => json!({
                "from_email": format!("hello@{domain}"), "from_name": "Other side",
                "api_key": "mjkey-of-the-other-side", "api_secret": "mjsecret-of-the-other-side",
            }),
            "registerWebhooks" => json!({}),
            other => panic!("{other} takes a body: say here which is good"),
        };
        body.to_string()
    }
}
