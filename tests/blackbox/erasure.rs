//! Erasing a person.

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Copy, Raven, Tenant, http, plain, wait::until};

/// Whom the tests erase. Nobody else's data holds the first word.
const ADA: &str = "silent+lovelace@example.com";

async fn erase(tenant: &Tenant, body: &Value) -> Value {
    tenant.post("/v1/erasures", body).await.expect(200)
}

fn numbers(answer: &Value) -> [u64; 7] {
    ["messages", "canceled", "later", "pending", "events", "auditEntries", "suppressions"]
        .map(|name| answer[name].as_u64().unwrap_or_else(|| panic!("{name}: {answer}")))
}

/// The tables in which anything still holds this word, wherever it stands and however it is written.
async fn holding(raven: &Raven, word: &str) -> Vec<String> {
    let session = raven.database.session().await;
    let tables = "select c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition order by 1";
    let mut found = Vec::new();
    let hex = word.bytes().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    for row in session.client.query(tables, &[]).await.unwrap() {
        let table: String = row.get(0);
        let query = format!("select count(*) from {table} t where t::text ilike $1 or t::text ilike $2");
        let patterns = [format!("%{word}%"), format!("%{hex}%")];
        let count = session.client.query_one(&query, &[&patterns[0], &patterns[1]]).await.unwrap();
        if count.get::<_, i64>(0) > 0 {
            found.push(table);
        }
    }
    found
}

/// A mail to these people, full of what tells of one.
fn telling(to: &Value) -> Value {
    json!({
        "to": to, "subject": "Dear Lovelace", "bodyText": "Dear Lovelace", "bodyHtml": "<p>Lovelace</p>",
        "variables": {"name": "Lovelace"}, "metadata": {"customer": "Lovelace"}, "tags": ["welcome"],
        "headers": {"X-Name": "Lovelace"},
        "attachments": [{"filename": "lovelace.txt", "contentType": "text/plain", "content": "TG92ZWxhY2U="}],
    })
}

fn ada() -> Value {
    json!({"email": ADA, "name": "Ada Lovelace"})
}

async fn schedule(tenant: &Tenant, to: &Value) -> String {
    let mut message = telling(to);
    message["scheduledAt"] = json!(Timestamp::now() + SignedDuration::from_hours(1));
    let answer = tenant.post("/v1/messages", &message).await.expect(200);
    let id = answer["id"].as_str().unwrap().to_owned();
    tenant.settled(&id, "scheduled").await;
    id
}

async fn sql(raven: &Raven, text: &str) {
    raven.database.session().await.client.batch_execute(text).await.unwrap();
}

#[tokio::test]
async fn nothing_is_left_of_a_person_and_everything_goes_on() {
    let raven = Raven::start("nothing_is_left_of_a_person_and_everything_goes_on").await;
    let (tenant, other) = (raven.tenant().await, raven.tenant().await);
    let alone = tenant.send(&telling(&ada())).await;
    let copy = Copy::of(&tenant.settled(&alone, "sent").await, 0);
    let both = tenant.send(&telling(&json!(["silent+bob@example.com", ada()]))).await;
    let bobs = tenant.settled(&both, "sent").await;
    let (bob, her) = (Copy::of(&bobs, 0), Copy::of(&bobs, 1));
    let click = copy.event("click", 5, &json!({"url": "https://shop.example/lovelace", "ip": "192.0.2.7"}));
    let untimed = json!({"event": "open", "email": ADA.to_uppercase(), "MessageID": copy.number});
    let stranger = json!({"event": "sent", "email": ADA, "time": 1_767_225_600, "MessageID": 42});
    let told = [copy.sent(1), copy.open(2), click, untimed, stranger, her.hard_bounce(3), bob.sent(4)];
    tenant.tell(&told).await;
    tenant.told(&both, &["hard_bounce", "delivered"]).await;
    tenant.told(&alone, &["delivered", "open", "click", "open"]).await;
    // By hand, so that the audit log names her.
    tenant.post("/v1/suppressions", &json!({"email": "Silent+Lovelace@Example.com"})).await.expect(200);
    let elsewhere = other.send_to("silent+byron@example.com").await;
    other.settled(&elsewhere, "sent").await;
    let (statuses, feed) = (tenant.message(&both).await["status"].clone(), tenant.feed("limit=500").await.0);

    let unknown = erase(&other, &json!({"email": ADA})).await;
    assert_eq!((numbers(&unknown), &unknown["complete"]), ([0; 7], &json!(true)), "another tenant's person");
    let done = erase(&tenant, &json!({"email": "SILENT+LOVELACE@example.com"})).await;
    assert_eq!((numbers(&done), &done["complete"]), ([2, 0, 0, 0, 6, 1, 0], &json!(true)), "{done}");
    assert_eq!(holding(&raven, "lovelace").await, ["suppressions"], "kept, so that nobody writes to her");
    let kept = |answer: &Value| answer["kept"].as_array().unwrap().len();
    let freed = erase(&tenant, &json!({"email": ADA, "keepSuppression": false})).await;
    assert_eq!((numbers(&freed), kept(&freed) + 1), ([0, 0, 0, 0, 0, 0, 1], kept(&done)), "{freed}");
    assert_eq!(holding(&raven, "lovelace").await, Vec::<String>::new());
    let log = tenant.get("/v1/audit-log?action=person.erased").await.expect(200);
    assert_eq!((&log["data"][0]["subject"], &log["data"][1]["subject"]), (&freed["id"], &done["id"]));

    read_all(&tenant, [&alone, &both], &statuses).await;
    let ids = |feed: &[Value]| feed.iter().map(|event| event["id"].clone()).collect::<Vec<_>>();
    let after = tenant.feed("limit=500").await.0;
    assert_eq!(ids(&after), ids(&feed));
    let read_again = ["events", "renormalise", "--since", "2025-12-01", "--json"];
    let read_again = raven.cli(&read_again, "").await.json();
    assert_eq!((&read_again["read"], &read_again["changed"]), (&json!(1), &json!(0)), "{read_again}");
    tenant.tell(&told).await;
    tenant.drained().await;
    let repeated = tenant.feed("limit=500").await.0;
    assert_eq!(repeated.len(), feed.len() + 1, "a marker and nothing else");
    assert_eq!(holding(&raven, "lovelace").await, Vec::<String>::new());
    // What comes later still finds its message; only its own line tells of her, until the next erasure.
    tenant.tell(&[her.spam(9)]).await;
    tenant.told(&both, &["hard_bounce", "delivered", "spam_complaint"]).await;
    let message = tenant.settled(&both, "complained").await;
    let hers = message["recipients"].as_array().unwrap().iter().find(|row| row["status"] == "complained");
    assert!(hers.is_some_and(|row| row["email"].as_str().unwrap().starts_with("erased-")), "{message}");
    let last = erase(&tenant, &json!({"email": ADA, "keepSuppression": false})).await;
    assert_eq!(numbers(&last), [0, 0, 0, 0, 1, 0, 1], "{last}");
}

/// Every way of reading.
async fn read_all(tenant: &Tenant, ids: [&str; 2], status: &Value) {
    let [alone, both] = ids;
    let message = tenant.message(alone).await;
    assert_eq!(message["to"], json!([{"email": "erased-0@erased.invalid"}]), "{message}");
    assert_eq!([&message["subject"], &message["metadata"]], [&Value::Null, &Value::Null], "{message}");
    assert_eq!(message["recipients"][0]["email"], "erased-0@erased.invalid");
    assert!(message["recipients"][0]["providerMessageId"].is_string(), "ids stay: {message}");
    let message = tenant.message(both).await;
    assert_eq!(message["status"], *status);
    assert_eq!(message["to"][0]["email"], "silent+bob@example.com", "{message}");
    assert_eq!(message["recipients"][1]["status"], "bounced", "{message}");
    for query in ["", "?status=bounced", "?tag=welcome", "?to=erased-1@erased.invalid"] {
        let page = tenant.get(&format!("/v1/messages{query}")).await.expect(200);
        let found = page["data"].as_array().unwrap().iter().any(|row| row["id"] == both);
        assert!(found, "{query}: {page}");
    }
    let gone = tenant.get(&format!("/v1/messages?to={}", ADA.replace('+', "%2B"))).await.expect(200);
    assert_eq!(gone["data"], json!([]));
    let bounce = tenant.events(both).await.into_iter().find(|event| event["type"] == "hard_bounce").unwrap();
    assert_eq!(bounce["recipient"], "erased-1@erased.invalid", "{bounce}");
    assert_eq!([&bounce["reason"], &bounce["raw"]], [&Value::Null, &json!({"erased": true})]);
    for (id, what) in [(alone, "cancel"), (alone, "retry"), (both, "retry")] {
        let path = format!("/v1/messages/{id}/{what}");
        http::send(tenant.request(Method::POST, &path)).await.problem(409, "conflict");
    }
}

#[tokio::test]
async fn what_is_still_to_be_sent_goes_to_others_only() {
    let raven = Raven::start("what_is_still_to_be_sent_goes_to_others_only").await;
    let mut raven = raven;
    let tenant = raven.tenant().await;
    tenant.post("/v1/suppressions", &json!({"email": "eve@example.com"})).await.expect(200);
    let alone = schedule(&tenant, &ada()).await;
    let both = schedule(&tenant, &json!([ada(), "silent+bob@example.com"])).await;
    let done = erase(&tenant, &json!({"email": ADA})).await;
    assert_eq!((numbers(&done), &done["complete"]), ([2, 1, 1, 0, 0, 0, 0], &json!(true)), "{done}");
    assert_eq!(tenant.message(&alone).await["status"], "canceled");
    let waiting = tenant.message(&both).await;
    assert_eq!((&waiting["status"], &waiting["subject"]), (&json!("scheduled"), &json!("Dear Lovelace")));
    assert_eq!(holding(&raven, "silent+lovelace").await, Vec::<String>::new(), "the address is gone at once");

    sql(&raven, "update messages set due_at = now() where due_at is not null").await;
    let sent = tenant.settled(&both, "sent").await;
    assert_eq!(sent["recipients"][0]["status"], "suppressed", "{sent}");
    let copies = raven.sim.copies(&both).await;
    assert_eq!((copies.len(), raven.sim.copies(&alone).await.len()), (1, 0), "{copies:?}");
    assert!(copies[0].to_string().contains("silent+bob"), "{copies:?}");

    raven.workers[0].terminate().await;
    sql(&raven, "delete from chores").await;
    raven.start_worker_with(&[("RAVEN_RETENTION_EVERY", "500ms")]).await;
    until("the content to go", async || holding(&raven, "lovelace").await, Vec::is_empty).await;
    assert_eq!(tenant.message(&both).await["subject"], Value::Null);
}

#[tokio::test]
async fn what_is_being_sent_is_pending() {
    let raven = Raven::without_worker("what_is_being_sent_is_pending").await;
    let mut raven = raven;
    raven.start_worker().await;
    let tenant = raven.tenant().await;
    let id = tenant.send(&telling(&ada())).await;
    let copy = Copy::of(&tenant.settled(&id, "sent").await, 0);
    tenant.tell(&[copy.open(1)]).await;
    tenant.told(&id, &["open"]).await;
    let key = "an order of Lovelace's";
    let again = || tenant.request(Method::POST, "/v1/messages").header("idempotency-key", key);
    let repeat = http::send(again().json(&plain(ADA))).await.expect(200);
    let repeat = repeat["id"].as_str().unwrap().to_owned();
    tenant.settled(&repeat, "sent").await;
    sql(&raven, "update messages set status = 20; update recipients set status = 20").await;
    let body = json!({"email": ADA});
    let first = erase(&tenant, &body).await;
    assert_eq!((numbers(&first), &first["complete"]), ([0, 0, 0, 2, 0, 0, 0], &json!(false)), "{first}");
    assert_eq!(tenant.message(&id).await["subject"], "Dear Lovelace");
    sql(&raven, "update messages set status = 30; update recipients set status = 30").await;
    let second = raven.cli(&["erase", ADA, "--tenant", &tenant.id, "--json"], "").await.json();
    assert_eq!((numbers(&second), &second["complete"]), ([2, 0, 0, 0, 1, 0, 0], &json!(true)), "{second}");
    assert!(second["kept"].as_array().unwrap().len() >= 7);
    assert_eq!(holding(&raven, "lovelace").await, Vec::<String>::new());
    // Failed, and without a body: nothing is left to try again.
    let retry = http::send(tenant.request(Method::POST, &format!("/v1/messages/{id}/retry"))).await;
    let why = retry.problem(409, "conflict")["detail"].as_str().unwrap().to_owned();
    assert!(why.contains("aged out") || why.contains("erased"), "{why}");
    raven.restart_ingest().await;
    let repeated = http::send(again().json(&plain(ADA))).await;
    assert_eq!(repeated.expect(200)["id"], json!(repeat), "the key still means the same message");
    assert_eq!(repeated.header("idempotent-replayed"), "true");
}

#[tokio::test]
async fn a_wrong_request_erases_nobody() {
    let raven = Raven::without_worker("a_wrong_request_erases_nobody").await;
    let tenant = raven.bare_tenant().await;
    for wrong in [
        json!([]),
        json!({}),
        json!({"email": null}),
        json!({"email": "nobody"}),
        json!({"email": "a\u{0}@example.com"}),
        json!({"email": "a@example.com", "keepSuppression": null}),
        json!({"email": "a@example.com", "keepSupression": false}),
    ] {
        let problem = tenant.post("/v1/erasures", &wrong).await.problem(422, "validation_failed");
        assert_eq!(problem["errors"].as_array().unwrap().len(), 1, "{problem}");
    }
    let all = tenant.post("/v1/erasures", &json!({"a/b": 1, "email": 5, "keepSuppression": 0})).await;
    let all = all.problem(422, "validation_failed");
    let pointers: Vec<&str> =
        all["errors"].as_array().unwrap().iter().map(|fault| fault["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/a~1b", "/email", "/keepSuppression"]);
    tenant.with_key("").post("/v1/erasures", &json!({"email": ADA})).await.problem(401, "unauthorized");
    tenant.get("/v1/erasures").await.problem(405, "method_not_allowed");
    assert_eq!(tenant.get("/v1/audit-log?action=person.erased").await.expect(200)["data"], json!([]));
    let wrong = raven.cli(&["erase", "nobody", "--tenant", &tenant.id], "").await;
    assert!(wrong.stderr.contains("is not an e-mail address"), "{wrong:?}");
}
