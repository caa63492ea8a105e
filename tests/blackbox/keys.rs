//! API keys over HTTP.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    Raven, Tenant,
    http::{self, Reply},
    plain,
    wait::until,
};

/// Makes a key, which must not be in any log from then on.
async fn make(raven: &Raven, tenant: &Tenant, body: &Value) -> (String, Tenant) {
    let made = tenant.post("/v1/keys", body).await.expect(200);
    let key = made["apiKey"].as_str().unwrap();
    raven.guard(key);
    (made["keyId"].as_str().unwrap().to_owned(), tenant.with_key(key))
}

async fn list(tenant: &Tenant, query: &str) -> (Vec<Value>, Value) {
    let answer = tenant.get(&format!("/v1/keys{query}")).await.expect(200);
    (answer["data"].as_array().unwrap().clone(), answer["nextCursor"].clone())
}

async fn revoke(tenant: &Tenant, id: &str) -> Reply {
    http::send(tenant.request(Method::DELETE, &format!("/v1/keys/{id}"))).await
}

#[tokio::test]
async fn a_key_is_made_used_listed_and_revoked() {
    let mut raven = Raven::without_worker("a_key_is_made_used_listed_and_revoked").await;
    let second = raven.start_ingest().await;
    let tenant = raven.bare_tenant().await;
    let body = json!({"scope": "send", "test": true, "name": " Shop, live "});
    let made = tenant.post("/v1/keys", &body).await.expect(200);
    let key = made["apiKey"].as_str().unwrap();
    raven.guard(key);
    let id = made["keyId"].as_str().unwrap();
    assert!(key.starts_with(&format!("rk_test_{id}_")), "{made}");
    assert_eq!(
        (&made["scope"], &made["test"], &made["name"]),
        (&json!("send"), &json!(true), &json!("Shop, live"))
    );
    assert_eq!(made.as_object().unwrap().len(), 6, "{made}");

    let new = tenant.with_key(key);
    let new_there = new.at(&second);
    new.send_to("ann@example.com").await;
    new_there.send_to("bob@example.com").await;
    new.get("/v1/keys").await.problem(403, "forbidden");

    let used = async || list(&tenant, "").await.0;
    let rows = until("its use", used, |rows| rows[0]["lastUsedAt"].is_string()).await;
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert_eq!((&rows[0]["keyId"], &rows[0]["createdAt"]), (&made["keyId"], &made["createdAt"]));
    assert_eq!((&rows[1]["scope"], &rows[1]["name"]), (&json!("manage"), &Value::Null));
    let text = tenant.get("/v1/keys").await.text;
    for secret in [key, &tenant.key] {
        assert!(!text.contains(secret.rsplit('_').next().unwrap()), "a key is shown once");
    }

    assert_eq!(revoke(&tenant, id).await.status, 204);
    for used in [&new, &new_there] {
        let send = async || used.post("/v1/messages", &plain("a@example.com")).await;
        until("the key to be refused", send, |reply| reply.status == 401).await;
    }
    revoke(&tenant, id).await.problem(404, "not_found");
    let (rows, _) = list(&tenant, "").await;
    assert!(rows[0]["revokedAt"].is_string() && rows[1]["revokedAt"].is_null(), "{rows:?}");
    tenant.at(&second).send_to("cid@example.com").await;

    let log = tenant.get("/v1/audit-log").await.expect(200);
    let entry = |place: usize| (log["data"][place]["action"].clone(), log["data"][place]["subject"].clone());
    assert_eq!([entry(0), entry(1)], [(json!("key.revoked"), json!(id)), (json!("key.created"), json!(id))]);
}

/// The statement that waits for a lock, and since when: as long as it is the same, whoever sent it is busy.
const WAITING: &str = "select pid || ' since ' || query_start from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'";

#[tokio::test]
async fn a_revocation_does_not_wait_behind_requests() {
    let mut raven = Raven::without_worker("a_revocation_does_not_wait_behind_requests").await;
    let (busy, revoked) = (raven.bare_tenant().await, raven.bare_tenant().await);
    let url = raven.start_ingest_with(&[("RAVEN_DATABASE_CONNECTIONS", "1")]).await;
    let (busy, revoked) = (busy.at(&url), revoked.at(&url));
    let send = async || revoked.post("/v1/messages", &plain("ann@example.com")).await;
    send().await.expect(200);
    busy.get("/v1/audit-log").await.expect(200);
    // Within a transaction Postgres goes on telling what it saw first.
    let (mut session, onlooker) = (raven.database.session().await, raven.database.session().await);
    let hold = session.client.transaction().await.unwrap();
    hold.batch_execute("lock table suppressions in access exclusive mode").await.unwrap();
    let waiting = async || {
        let row = onlooker.client.query_opt(WAITING, &[]).await.unwrap();
        row.map(|row| row.get::<_, String>(0))
    };
    // One look may see that a statement waits and still the beginning of the one before.
    let waiting_still = async || {
        let (one, other) = (waiting().await, waiting().await);
        one.filter(|one| other.as_ref() == Some(one))
    };
    let revoke = async {
        let before = until("the only connection to wait", waiting_still, Option::is_some).await;
        let id = &revoked.key["rk_live_".len()..][..8];
        let done = raven.cli(&["key", "revoke", id, "--json"], "").await;
        assert!(done.status.success(), "{done:?}");
        until("the key to be refused", send, |reply| reply.status != 200).await.problem(401, "unauthorized");
        assert_eq!(waiting().await, before, "the connection is busy all the time");
    };
    let (stuck, ()) = tokio::join!(busy.get("/v1/suppressions"), revoke);
    stuck.problem(503, "database_unavailable");
}

#[tokio::test]
async fn a_key_of_another_tenant_is_not_there() {
    let raven = Raven::without_worker("a_key_of_another_tenant_is_not_there").await;
    let (tenant, stranger) = (raven.bare_tenant().await, raven.bare_tenant().await);
    let (id, of_tenant) = make(&raven, &tenant, &json!({})).await;
    revoke(&stranger, &id).await.problem(404, "not_found");
    for unknown in ["ffffffff", "FFFFFFFF", "0", "0a1b2c3d5", "%00", "a%2Fb", "*", "é", "null"] {
        revoke(&stranger, unknown).await.problem(404, "not_found");
    }
    of_tenant.get("/v1/keys").await.expect(200);
    let (rows, _) = list(&stranger, "").await;
    assert!(rows.len() == 1 && rows[0]["keyId"] != *id, "{rows:?}");
    // A key may revoke itself.
    assert_eq!(revoke(&of_tenant, &id).await.status, 204);
}

#[tokio::test]
async fn requests_for_keys_are_read_strictly() {
    let raven = Raven::without_worker("requests_for_keys_are_read_strictly").await;
    let tenant = raven.bare_tenant().await;
    let post =
        async |body: &'static [u8]| http::send(tenant.request(Method::POST, "/v1/keys").body(body)).await;
    for usual in [&b""[..], b" \n", b"{}", b"null", br#"{"name": null}"#] {
        let made = post(usual).await.expect(200);
        raven.guard(made["apiKey"].as_str().unwrap());
        assert_eq!(
            (&made["scope"], &made["test"], &made["name"]),
            (&json!("manage"), &json!(false), &Value::Null)
        );
    }
    let problem = post(br#"{"scope": "root", "test": 1, "name": "a\u0000b", "Name": "x"}"#).await;
    let problem = problem.problem(422, "validation_failed");
    let mut pointers: Vec<&str> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| fault["pointer"].as_str().unwrap())
        .collect();
    pointers.sort_unstable();
    assert_eq!(pointers, ["/Name", "/name", "/scope", "/test"]);
    let long = json!({"name": "é".repeat(101)});
    tenant.post("/v1/keys", &long).await.problem(422, "validation_failed");
    for body in [&b"[]"[..], b"7", br#"{"scope": null}"#] {
        post(body).await.problem(422, "validation_failed");
    }
    for body in [&b"{"[..], b"\xff", b"\0"] {
        post(body).await.problem(400, "malformed_json");
    }
    for query in
        ["?limit=0", "?cursor=junk", "?scope=send", "?cursor=LTAwOTk5OS0wMS0wM1QwMDowMDowMFogMGExYjJjM2Q"]
    {
        tenant.get(&format!("/v1/keys{query}")).await.problem(422, "validation_failed");
    }
    let listed = list(&tenant, "").await.0.len();
    assert_eq!(listed, 6, "what was refused made none");
}

#[tokio::test]
async fn a_tenant_has_a_hundred_live_keys_and_lists_them_in_pages() {
    let raven = Raven::without_worker("a_tenant_has_a_hundred_live_keys_and_lists_them_in_pages").await;
    let (tenant, other) = (raven.bare_tenant().await, raven.bare_tenant().await);
    let mut made = vec![tenant.key["rk_live_".len()..][..8].to_owned()];
    for _ in 1..99 {
        made.push(make(&raven, &tenant, &Value::Null).await.0);
    }
    // Two at once for the last place.
    let body = json!({});
    let (one, two) = tokio::join!(tenant.post("/v1/keys", &body), tenant.post("/v1/keys", &body));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    let (good, refused) = if one.status == 200 { (one, two) } else { (two, one) };
    refused.problem(409, "conflict");
    let good = good.json();
    raven.guard(good["apiKey"].as_str().unwrap());
    made.push(good["keyId"].as_str().unwrap().to_owned());
    let by_hand = raven.cli(&["key", "create", "--tenant", &tenant.id, "--json"], "").await;
    assert!(!by_hand.status.success() && by_hand.stderr.contains("100 keys"), "{by_hand:?}");
    make(&raven, &other, &json!({})).await;

    let (mut seen, mut query) = (Vec::new(), "?limit=30".to_owned());
    loop {
        let (rows, next) = list(&tenant, &query).await;
        seen.extend(rows.iter().map(|row| row["keyId"].as_str().unwrap().to_owned()));
        let Some(next) = next.as_str() else { break };
        assert_eq!(rows.len(), 30);
        query = format!("?limit=30&cursor={next}");
    }
    made.reverse();
    assert_eq!(seen, made, "newest first, each once");

    assert_eq!(revoke(&tenant, &made[50]).await.status, 204);
    make(&raven, &tenant, &json!({})).await;
}

#[tokio::test]
async fn a_key_has_a_name_on_the_command_line_too() {
    let raven = Raven::without_worker("a_key_has_a_name_on_the_command_line_too").await;
    let tenant = raven.bare_tenant().await;
    let create = ["key", "create", "--tenant", &tenant.id, "--json", "--name"];
    let named = async |name: &str| raven.cli(&[&create[..], &[name]].concat(), "").await;
    let made = named("Back office").await.json();
    raven.guard(made["apiKey"].as_str().unwrap());
    assert_eq!(made["name"], "Back office");
    let rows = raven.cli(&["key", "list", "--tenant", &tenant.id, "--json"], "").await.json();
    assert_eq!((&rows["data"][0]["keyId"], &rows["data"][0]["name"]), (&made["keyId"], &made["name"]));
    let table = raven.cli(&["key", "list", "--tenant", &tenant.id], "").await;
    assert!(table.stdout.contains("Back office"), "{table:?}");
    let refused = named("a\nb").await;
    assert!(!refused.status.success() && refused.stderr.contains("--name"), "{refused:?}");
}
