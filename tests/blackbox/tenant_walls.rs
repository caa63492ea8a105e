//! Between tenants stand walls: every operation that the API's own document lists is tried with another tenant's key,
//! ids, cursors and words, with keys that cover less, and without any.

mod document;
mod seed;

use std::collections::BTreeMap;

use reqwest::{Method, header::AUTHORIZATION};
use serde_json::{Value, json};

use self::document::{Operation, operations};
use self::seed::{ADDRESS, DOMAIN, IDEMPOTENCY_KEY, SUPPRESSED, TAG, Things, seed};
use crate::harness::{
    Copy, Raven, Tenant,
    http::{self, Reply},
    leak::Detector,
    plain,
    wait::until,
};

/// What needs no key. The door for webhooks is closed by a token once a tenant has one.
const OPEN: [&str; 6] =
    ["getDocs", "getHealth", "getMetrics", "getOpenApi", "getReadiness", "receiveWebhook"];
/// What a key of scope `send` covers.
const SENDING: [&str; 8] = [
    "cancelMessage",
    "followEvents",
    "getMessage",
    "listMessageEvents",
    "listMessages",
    "retryMessage",
    "sendBatch",
    "sendMessage",
];
/// What a stranger calls people and domains of their own.
const STRANGE: (&str, &str) = ("somebody@stranger.example", "stranger.example");
/// The same, where the other tenant's words are said.
const NAMED: (&str, &str) = (ADDRESS, DOMAIN);

async fn call(tenant: &Tenant, operation: &Operation, path: &str, body: String) -> Reply {
    http::send(tenant.request(operation.method.clone(), path).body(body)).await
}

/// Everything that a tenant can read, by path. When a key was last used is no part of it.
async fn view(things: &Things, operations: &[Operation]) -> BTreeMap<String, String> {
    let mut view = BTreeMap::new();
    for operation in operations.iter().filter(|one| one.method == Method::GET && !one.open) {
        for path in operation.with_own(things) {
            let reply = things.tenant.get(&path).await;
            assert_eq!(reply.status, 200, "{path}: {reply:?}");
            let mut text = reply.text;
            if path == "/v1/keys" {
                let mut keys: Value = serde_json::from_str(&text).unwrap();
                for row in keys["data"].as_array_mut().unwrap() {
                    row["lastUsedAt"] = Value::Null;
                }
                text = keys.to_string();
            }
            view.insert(path, text);
        }
    }
    view
}

/// What the database holds of a tenant, by table.
async fn rows(raven: &Raven, things: &Things) -> BTreeMap<String, Option<String>> {
    let session = raven.database.session().await;
    let tables = "select c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
        join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
        where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition";
    let owner: uuid::Uuid = things.tenant.id.parse().unwrap();
    let mut all = BTreeMap::new();
    for row in session.client.query(tables, &[]).await.unwrap() {
        let table: String = row.get(0);
        let query = format!(
            "select string_agg(row, E'\\n' order by row)
             from (select (to_jsonb(t) - 'last_used_at')::text as row from {table} t where tenant_id = $1) rows"
        );
        let found = session.client.query_one(&query, &[&owner]).await.unwrap();
        all.insert(table, found.get(0));
    }
    assert!(all.len() >= 12, "{:?}", all.keys());
    all
}

/// Fails where an answer holds anything that these look for.
fn shows_nothing(detectors: &[&Detector], what: &str, reply: &Reply) {
    let text = format!("{:?} {}", reply.headers, reply.text);
    for detector in detectors {
        let found = detector.found(text.as_bytes());
        assert!(found.is_empty(), "{what} shows {found:?}: {reply:?}");
    }
}

fn refused(what: &str, reply: &Reply) {
    assert!([401, 403, 404].contains(&reply.status), "{what}: {reply:?}");
}

/// Another tenant, which has a little of everything.
async fn stranger(raven: &Raven) -> Tenant {
    let stranger = raven.tenant().await;
    let (_, copy) = stranger.silent("bystander").await;
    stranger.tell(&[copy.sent(1), copy.open(2)]).await;
    stranger.post("/v1/suppressions", &json!({"email": "own@stranger.example"})).await.expect(200);
    stranger.drained().await;
    stranger
}

#[tokio::test]
async fn nobody_sees_or_moves_anything_beyond_the_wall() {
    let mut raven = Raven::start("nobody_sees_or_moves_anything_beyond_the_wall").await;
    let things = seed(&raven).await;
    let all = operations(&raven).await;
    let stranger = stranger(&raven).await;
    // From here on nothing moves by itself.
    raven.workers[0].terminate().await;
    let before = (view(&things, &all).await, rows(&raven, &things).await);
    let (secrets, words) = (things.secrets(), things.words());
    // What is looked for is there to be found.
    let visible = before.0.values().map(String::as_str).collect::<String>();
    for (what, detector, least) in [("secrets", &secrets, 14), ("words", &words, 4)] {
        assert!(detector.found(visible.as_bytes()).len() >= least, "{what} are not even seen by their owner");
    }

    let strict = [&secrets, &words];
    for operation in all.iter().filter(|one| !one.open || one.id == "receiveWebhook") {
        let own = operation.body(STRANGE);
        if operation.names_a_thing(&things) {
            for path in operation.with_any(&things) {
                let what = format!("{} {path}", operation.method);
                let reply = call(&stranger, operation, &path, own.clone()).await;
                refused(&what, &reply);
                shows_nothing(&[&secrets], &what, &reply);
            }
        } else {
            lists(&stranger, operation, &things, &strict).await;
            let path = &operation.with_own(&things)[0];
            let reply = call(&stranger, operation, path, own).await;
            assert!(reply.status < 500, "{path}: {reply:?}");
            shows_nothing(&strict, path, &reply);
        }
    }
    for operation in all.iter().filter(|one| !one.open && !one.names_a_thing(&things)) {
        let path = &operation.with_own(&things)[0];
        let request = stranger.request(operation.method.clone(), path).body(operation.body(NAMED));
        let reply = http::send(request.header("idempotency-key", IDEMPOTENCY_KEY)).await;
        assert!(reply.status < 500, "{path}: {reply:?}");
        shows_nothing(&[&secrets], path, &reply);
    }
    let after = (view(&things, &all).await, rows(&raven, &things).await);
    assert_eq!(after, before);
    what_comes_later(&mut raven, &things, &stranger, &before.0).await;
}

/// A list asked for with the other tenant's cursors and words.
async fn lists(stranger: &Tenant, operation: &Operation, things: &Things, strict: &[&Detector]) {
    let path = &operation.with_own(things)[0];
    for name in &operation.query {
        let values = match name.as_str() {
            "cursor" | "after" => {
                let page = things.tenant.get(&format!("{path}?limit=1")).await.expect(200);
                let cursor = page["nextCursor"].as_str();
                vec![cursor.unwrap_or_else(|| panic!("{path}: too little to have a cursor")).to_owned()]
            }
            "to" | "recipient" | "email" => vec![ADDRESS.replace('+', "%2B"), SUPPRESSED.to_owned()],
            "tag" => vec![TAG.to_owned()],
            "status" => ["delivered", "scheduled", "canceled"].map(str::to_owned).into(),
            "type" => ["delivered", "click"].map(str::to_owned).into(),
            "action" => ["key.created", "domain.added"].map(str::to_owned).into(),
            "reason" => vec!["manual".to_owned()],
            "since" => vec!["2000-01-01T00:00:00Z".to_owned()],
            "until" => vec!["9000-01-01T00:00:00Z".to_owned()],
            "limit" => vec!["500".to_owned()],
            other => {
                panic!("{path} has the parameter {other}: say here what of another tenant's it may name")
            }
        };
        for value in values {
            let path = format!("{path}?{name}={value}");
            let reply = call(stranger, operation, &path, String::new()).await;
            assert_eq!(reply.status, 200, "{path}: {reply:?}");
            shows_nothing(strict, &path, &reply);
            if ["to", "recipient", "email", "tag"].contains(&name.as_str()) {
                assert_eq!(reply.json()["data"], json!([]), "{path}");
            }
        }
    }
}

/// Once a worker runs again, what the stranger has asked for happens to the stranger alone.
async fn what_comes_later(
    raven: &mut Raven,
    things: &Things,
    stranger: &Tenant,
    before: &BTreeMap<String, String>,
) {
    stranger.set_provider().await;
    let same_key = stranger.request(Method::POST, "/v1/messages").header("idempotency-key", IDEMPOTENCY_KEY);
    let clash = http::send(same_key.json(&plain("silent+own@example.com"))).await;
    clash.problem(409, "idempotency_mismatch");
    raven.start_worker().await;
    let teller = raven.tenant().await;
    tell_of_others(&teller, &things.copy).await;
    // What the stranger has sent stood before this in the queue.
    teller.silent("last").await;
    for (path, text) in before {
        // Of its domains a worker sees to it that they are looked at.
        if ["/v1/messages", "/v1/events", "/v1/suppressions"].iter().any(|one| path.starts_with(one)) {
            assert_eq!(things.tenant.get(path).await.text, *text, "{path}");
        }
    }
}

/// At one's own door events can be told of anybody's mail; they are kept, and find nothing beyond the wall.
async fn tell_of_others(teller: &Tenant, known: &Copy) {
    let by_number = Copy { custom_id: String::new(), guid: String::new(), ..known.clone() };
    let by_guid = Copy { custom_id: String::new(), number: 77, ..known.clone() };
    teller.tell(&[known.hard_bounce(4), by_number.spam(5), by_guid.unsub(6)]).await;
    teller.drained().await;
    let events = teller.feed("limit=500").await.0;
    let taken: Vec<&Value> = events.iter().filter(|event| event["recipient"] == ADDRESS).collect();
    assert_eq!(taken.len(), 3, "{events:?}");
    assert!(taken.iter().all(|event| event["messageId"].is_null()), "found beyond the wall: {taken:?}");
}

#[tokio::test]
async fn a_lesser_key_opens_nothing_more() {
    let mut raven = Raven::start("a_lesser_key_opens_nothing_more").await;
    let things = seed(&raven).await;
    let all = operations(&raven).await;
    raven.workers[0].terminate().await;
    let mut open: Vec<&str> = all.iter().filter(|one| one.open).map(|one| one.id.as_str()).collect();
    open.sort_unstable();
    assert_eq!(open, OPEN, "what is open to everybody");
    let made = things.tenant.post("/v1/keys", &json!({"name": "key-name-cleopatra"})).await.expect(200);
    let (id, revoked) = (made["keyId"].as_str().unwrap(), made["apiKey"].as_str().unwrap());
    raven.guard(revoked);
    let revoke = things.tenant.request(Method::DELETE, &format!("/v1/keys/{id}"));
    assert_eq!(http::send(revoke).await.status, 204);
    let revoked = things.tenant.with_key(revoked);
    until("the key to be refused", async || revoked.get("/v1/messages").await, |reply| reply.status == 401)
        .await;
    let (head, tail) = things.tenant.key.split_at(20);
    let guessed = format!("{head}{}", tail.chars().rev().collect::<String>());
    let unknown = "rk_live_00000000_".to_owned() + &things.tenant.key["rk_live_00000000_".len()..];
    let before = rows(&raven, &things).await;

    let secrets = things.secrets();
    for key in ["", "nonsense", &unknown, &guessed, &revoked.key] {
        let nobody = things.tenant.with_key(key);
        for operation in &all {
            for path in operation.with_own(&things) {
                let what = format!("{} {path} with the key {key:?}", operation.method);
                let reply = call(&nobody, operation, &path, operation.body(STRANGE)).await;
                let expected = if operation.open && operation.id != "receiveWebhook" { 200 } else { 401 };
                assert_eq!(reply.status, expected, "{what}: {reply:?}");
                shows_nothing(&[&secrets], &what, &reply);
            }
        }
    }
    let sender = things.tenant.with_key(&things.sender);
    for operation in all.iter().filter(|one| !one.open && !SENDING.contains(&one.id.as_str())) {
        for path in operation.with_own(&things) {
            let reply = call(&sender, operation, &path, operation.body(STRANGE)).await;
            reply.problem(403, "forbidden");
        }
    }
    assert_eq!(rows(&raven, &things).await, before);
}

#[tokio::test]
async fn a_token_opens_its_own_door_only() {
    let raven = Raven::start("a_token_opens_its_own_door_only").await;
    let (things, other) = (seed(&raven).await, raven.bare_tenant().await);
    let made = other.post("/v1/webhook-tokens", &Value::Null).await.expect(200);
    let token = made["token"].as_str().unwrap().to_owned();
    raven.guard(&token);
    let doors = [(&things.tenant, &things.token, &token), (&other, &token, &things.token)];
    for (tenant, own, strange) in doors {
        for (token, expected) in [(own, 200), (strange, 401), (&other.key, 401)] {
            let mut query = tenant.webhook_url();
            query.query_pairs_mut().append_pair("token", token);
            let basic = http::client().post(tenant.webhook_url()).basic_auth("mailjet", Some(token));
            let bearer =
                http::client().post(tenant.webhook_url()).header(AUTHORIZATION, format!("Bearer {token}"));
            for (request, expected) in
                [(http::client().post(query), expected), (basic, expected), (bearer, 401)]
            {
                let reply = http::send(request.body("[]")).await;
                assert_eq!(reply.status, expected, "{reply:?}");
            }
        }
    }
}
