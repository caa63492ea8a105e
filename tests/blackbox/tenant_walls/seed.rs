//! A tenant that has something of everything, with words that nobody else uses.

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Copy, Raven, Tenant, http, leak::Detector, wait::until};

/// Whom this tenant writes to, and nobody else knows.
pub(super) const ADDRESS: &str = "silent+tutankhamun@nefertiti.example";
/// Who gets no more mail from it.
pub(super) const SUPPRESSED: &str = "hatshepsut@nefertiti.example";
/// Where it sends from.
pub(super) const DOMAIN: &str = "nefertiti-pharaohs.example";
/// How it labels its mail.
pub(super) const TAG: &str = "amenhotep-campaign";
/// What it calls one message.
pub(super) const IDEMPOTENCY_KEY: &str = "ramesses-order-17";

/// What a tenant has, each named as the API names it.
#[derive(Debug)]
pub(super) struct Things {
    pub(super) tenant: Tenant,
    /// Delivered with events, scheduled, and canceled.
    pub(super) messages: Vec<String>,
    /// The first of these as Mailjet knows it.
    pub(super) copy: Copy,
    pub(super) domains: Vec<String>,
    pub(super) tokens: Vec<String>,
    pub(super) events: Vec<String>,
    pub(super) keys: Vec<String>,
    pub(super) suppressed: Vec<String>,
    /// What stands in one of its webhook tokens.
    pub(super) token: String,
    /// A key of scope `send`.
    pub(super) sender: String,
}

impl Things {
    /// Everything that may stand in a path.
    pub(super) fn all(&self) -> Vec<String> {
        let kinds = [&self.messages, &self.domains, &self.tokens, &self.events, &self.keys, &self.suppressed];
        let ids = kinds.into_iter().flatten().cloned();
        ids.chain([self.tenant.id.clone()]).collect()
    }

    /// What no answer to another tenant may ever hold.
    pub(super) fn secrets(&self) -> Detector {
        let mut detector = Detector::new();
        for id in [&self.messages, &self.domains, &self.tokens, &self.events].into_iter().flatten() {
            detector.add(id, id);
        }
        for word in ["subject-cleopatra", "metadata-cleopatra", "click-cleopatra", "key-name-cleopatra"] {
            detector.add(word, word);
        }
        for id in &self.keys {
            detector.add(id, format!("\"keyId\":\"{id}\""));
        }
        detector.add("the sender's name", "from-name-cleopatra");
        detector.add("a further recipient", "silent+akhenaten@");
        detector.add("Mailjet's UUID", &self.copy.guid);
        detector.add("Mailjet's number", self.copy.number.to_string());
        detector
    }

    /// What another tenant may know, and finds nowhere until it has said it itself.
    pub(super) fn words(&self) -> Detector {
        let mut detector = Detector::new();
        for word in [ADDRESS, SUPPRESSED, DOMAIN, TAG] {
            detector.add(word, word);
        }
        detector.add("the tenant", &self.tenant.id);
        detector
    }
}

/// Makes such a tenant; a worker must run.
pub(super) async fn seed(raven: &Raven) -> Things {
    let tenant = raven.bare_tenant().await;
    let account = json!({
        "from_email": format!("hello@{DOMAIN}"), "from_name": "from-name-cleopatra",
        "api_key": tenant.account.0, "api_secret": tenant.account.1,
    });
    tenant.put("/v1/providers/mailjet", &account).await.expect(200);
    let (messages, copy) = messages(&tenant).await;
    tenant.post("/v1/suppressions", &json!({"email": SUPPRESSED})).await.expect(200);
    let second = json!({"email": format!("second.{SUPPRESSED}")});
    tenant.post("/v1/suppressions", &second).await.expect(200);
    let domains = [DOMAIN.to_owned(), format!("second.{DOMAIN}")];
    let domains = made(&tenant, "/v1/domains", domains.map(|name| json!({ "domain": name }))).await;
    let erased = json!({"email": "nobody@nefertiti.example"});
    tenant.post("/v1/erasures", &erased).await.expect(200);
    let sender = tenant.post("/v1/keys", &json!({"scope": "send", "name": "key-name-cleopatra"})).await;
    let sender = secret(raven, &sender.expect(200), "apiKey");
    // The door is closed last: what tells of this tenant's mail came in without a token.
    let made = tenant.post("/v1/webhook-tokens", &Value::Null).await.expect(200);
    tenant.post("/v1/providers/mailjet/webhooks", &json!({})).await.expect(200);
    // It was open before, as ingest remembers for a moment.
    until("the door to be closed", async || tenant.webhook("[]").await, |reply| reply.status == 401).await;
    let tokens = tenant.get("/v1/webhook-tokens").await.expect(200);
    let events = tenant.feed("limit=500").await.0;
    let keys = [&tenant.key, &sender].map(|key| key["rk_live_".len()..][..8].to_owned());
    Things {
        messages,
        copy,
        domains: ids(&domains),
        tokens: ids(tokens["data"].as_array().expect("a list")),
        events: ids(&events),
        keys: keys.into(),
        suppressed: vec![SUPPRESSED.to_owned()],
        token: secret(raven, &made, "token"),
        sender,
        tenant,
    }
}

async fn messages(tenant: &Tenant) -> (Vec<String>, Copy) {
    let mut mail = json!({
        "to": [ADDRESS, "silent+akhenaten@nefertiti.example"], "subject": "subject-cleopatra",
        "bodyText": "Hello.", "tags": [TAG], "metadata": {"order": "metadata-cleopatra"},
    });
    let request = tenant.request(Method::POST, "/v1/messages").json(&mail);
    let request = request.header("idempotency-key", IDEMPOTENCY_KEY);
    let sent = text(&http::send(request).await.expect(200)["id"]);
    let copy = Copy::of(&tenant.settled(&sent, "sent").await, 0);
    let click = json!({"url": "https://nefertiti.example/click-cleopatra"});
    tenant.tell(&[copy.sent(1), copy.open(2), copy.event("click", 3, &click)]).await;
    tenant.told(&sent, &["delivered", "open", "click"]).await;
    mail["scheduledAt"] = json!(Timestamp::now() + SignedDuration::from_hours(24));
    let [scheduled, canceled] = made(tenant, "/v1/messages", [mail.clone(), mail]).await;
    let [scheduled, canceled] = [text(&scheduled["id"]), text(&canceled["id"])];
    tenant.settled(&scheduled, "scheduled").await;
    tenant.settled(&canceled, "scheduled").await;
    tenant.post(&format!("/v1/messages/{canceled}/cancel"), &Value::Null).await.expect(200);
    (vec![sent, scheduled, canceled], copy)
}

async fn made<const N: usize>(tenant: &Tenant, path: &str, bodies: [Value; N]) -> [Value; N] {
    let mut rows = bodies;
    for row in &mut rows {
        *row = tenant.post(path, row).await.expect(200);
    }
    rows
}

fn ids(rows: &[Value]) -> Vec<String> {
    rows.iter().map(|row| text(&row["id"])).collect()
}

fn secret(raven: &Raven, made: &Value, name: &str) -> String {
    let secret = text(&made[name]);
    raven.guard(&secret);
    secret
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}
