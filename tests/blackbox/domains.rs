//! Sending domains on demand: what is asked for, answered, refused, and left behind at Mailjet.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Raven, Tenant, http};

/// All that Mailjet asks for.
pub(crate) fn everything() -> Value {
    json!({"ownership": true, "dkim": true, "spf": true})
}

/// Adds a domain, and answers it.
pub(crate) async fn add(tenant: &Tenant, name: &str) -> Value {
    tenant.post("/v1/domains", &json!({ "domain": name })).await.expect(200)
}

/// The path of a domain.
pub(crate) fn path(domain: &Value) -> String {
    format!("/v1/domains/{}", domain["id"].as_str().unwrap_or_else(|| panic!("no id: {domain}")))
}

/// The status of each record, in the order ownership, DKIM, SPF.
pub(crate) fn statuses(domain: &Value) -> Vec<String> {
    let records = domain["records"].as_array().unwrap_or_else(|| panic!("no records: {domain}"));
    let purposes: Vec<&Value> = records.iter().map(|record| &record["purpose"]).collect();
    assert_eq!(purposes, ["ownership", "dkim", "spf"], "{domain}");
    records.iter().map(|record| record["status"].as_str().expect("a status").to_owned()).collect()
}

async fn check(tenant: &Tenant, domain: &Value) -> Value {
    tenant.post(&format!("{}/check", path(domain)), &Value::Null).await.expect(200)
}

/// The state of the sender of a whole domain at Mailjet, if there is one.
async fn sender(raven: &Raven, tenant: &Tenant, name: &str) -> Option<String> {
    let query = format!("sender?Domain={name}&ShowDeleted=true");
    let rows = raven.sim.rest(&tenant.account, Method::GET, &query, &Value::Null).await.expect(200);
    let row = rows["Data"].as_array()?.iter().find(|row| row["Email"] == format!("*@{name}"))?.clone();
    row["Status"].as_str().map(str::to_owned)
}

/// What the audit log says of domains, newest first, as actor, action and detail.
pub(crate) async fn audit(tenant: &Tenant) -> Vec<(String, String, Value)> {
    let log = tenant.get("/v1/audit-log").await.expect(200);
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let entries = log["data"].as_array().expect("a list").iter();
    let entries = entries.filter(|entry| text(&entry["action"]).starts_with("domain."));
    entries.map(|entry| (text(&entry["actor"]), text(&entry["action"]), entry["detail"].clone())).collect()
}

#[tokio::test]
async fn a_domain_is_added_once_with_three_records_to_publish() {
    let raven = Raven::without_worker("a_domain_is_added_once_with_three_records_to_publish").await;
    let tenant = raven.tenant().await;
    let domain = add(&tenant, "Bücher.Example").await;
    assert_eq!(domain["domain"], "xn--bcher-kva.example");
    assert_eq!(
        (&domain["status"], &domain["verifiedAt"], &domain["error"]),
        (&json!("pending"), &Value::Null, &Value::Null)
    );
    assert_eq!(statuses(&domain), ["pending"; 3]);
    let [ownership, dkim, spf] = [0, 1, 2].map(|place| domain["records"][place].clone());
    for record in [&ownership, &dkim, &spf] {
        assert_eq!(record["type"], "TXT");
        assert!(record["name"].as_str().unwrap().ends_with("xn--bcher-kva.example"), "{record}");
        assert!(!record["value"].as_str().unwrap().is_empty(), "{record}");
    }
    assert!(ownership["name"].as_str().unwrap().starts_with("mailjet._"), "{ownership}");
    assert_eq!(dkim["name"], "mailjet._domainkey.xn--bcher-kva.example");
    assert!(dkim["value"].as_str().unwrap().starts_with("k=rsa; p="), "{dkim}");
    assert_eq!((&spf["name"], &spf["value"]), (&domain["domain"], &json!("include:spf.mailjet.com")));
    assert_eq!(spf["valueIfNone"], "v=spf1 include:spf.mailjet.com ?all");

    let again = join_all((0..5).map(|_| add(&tenant, "xn--bcher-kva.EXAMPLE"))).await;
    assert!(again.iter().all(|other| *other == domain), "{again:#?}");
    assert_eq!(tenant.get(&path(&domain)).await.expect(200), domain);
    add(&tenant, "another.example").await;
    let page = tenant.get("/v1/domains?limit=1").await.expect(200);
    assert_eq!(page["data"][0]["domain"], "another.example");
    let rest = format!("/v1/domains?cursor={}", page["nextCursor"].as_str().unwrap());
    let rest = tenant.get(&rest).await.expect(200);
    assert_eq!((&rest["data"], &rest["nextCursor"]), (&json!([domain]), &Value::Null));
    let added: Vec<_> = audit(&tenant).await;
    assert_eq!(added.len(), 2, "once for each: {added:?}");
    assert!(added.iter().all(|(actor, action, _)| action == "domain.added" && tenant.key.contains(actor)));
}

#[tokio::test]
async fn a_check_answers_what_is_so_now_and_many_at_once_are_few_at_mailjet() {
    let raven =
        Raven::without_worker("a_check_answers_what_is_so_now_and_many_at_once_are_few_at_mailjet").await;
    let tenant = raven.tenant().await;
    let domain = add(&tenant, "shop.example").await;
    raven.sim.publish("shop.example", &json!({"ownership": true, "wrongDkim": true, "otherSpf": true})).await;
    let found = check(&tenant, &domain).await;
    assert_eq!(
        (&found["status"], statuses(&found)),
        (&json!("pending"), ["ok", "error", "error"].map(str::to_owned).to_vec())
    );
    assert!(found["records"][2]["found"][0].as_str().unwrap().starts_with("v=spf1 "), "{found}");
    assert!(found["records"][1]["reason"].is_string(), "{found}");
    assert!(found["lastCheckedAt"].is_string(), "{found}");

    raven.sim.publish("shop.example", &json!({"wrongDkim": false, "dkim": true, "spf": true})).await;
    let before = raven.sim.dns("shop.example").await["checks"].as_u64().unwrap();
    let answers = join_all((0..20).map(|_| check(&tenant, &domain))).await;
    for answer in &answers {
        assert_eq!((&answer["status"], statuses(answer)), (&json!("verified"), vec!["ok".to_owned(); 3]));
        assert!(answer["verifiedAt"].is_string(), "{answer}");
    }
    let looks = raven.sim.dns("shop.example").await["checks"].as_u64().unwrap() - before;
    assert!((1..20).contains(&looks), "{looks} looks for twenty questions");

    raven.sim.publish("shop.example", &json!({"dkim": false})).await;
    let lapsed = check(&tenant, &domain).await;
    assert_eq!((&lapsed["status"], &lapsed["verifiedAt"]), (&json!("pending"), &Value::Null));
    let actor = audit(&tenant).await[2].0.clone();
    let expected = [
        (actor.clone(), "domain.lapsed".to_owned(), json!("dkim")),
        (actor.clone(), "domain.verified".to_owned(), Value::Null),
        (actor, "domain.added".to_owned(), Value::Null),
    ];
    assert_eq!(audit(&tenant).await, expected);
}

#[tokio::test]
async fn senders_at_mailjet_are_taken_revived_and_deleted() {
    let raven = Raven::without_worker("senders_at_mailjet_are_taken_revived_and_deleted").await;
    let tenant = raven.tenant().await;
    let rest =
        async |method, path: &str, body: Value| raven.sim.rest(&tenant.account, method, path, &body).await;
    rest(Method::POST, "sender", json!({"Email": "*@revived.example"})).await.expect(201);
    rest(Method::DELETE, "sender/*@revived.example", Value::Null).await.expect(204);
    rest(Method::POST, "sender", json!({"Email": "*@taken.example"})).await.expect(201);
    rest(Method::POST, "sender", json!({"Email": "ann@taken.example"})).await.expect(201);
    assert_eq!(sender(&raven, &tenant, "revived.example").await.as_deref(), Some("Deleted"));
    let revived = add(&tenant, "revived.example").await;
    assert_eq!(sender(&raven, &tenant, "revived.example").await.as_deref(), Some("Inactive"));
    let taken = add(&tenant, "taken.example").await;
    assert_eq!(sender(&raven, &tenant, "taken.example").await.as_deref(), Some("Inactive"));

    // Somebody deletes it by hand: the next look brings it back.
    rest(Method::DELETE, "sender/*@revived.example", Value::Null).await.expect(204);
    raven.sim.publish("revived.example", &everything()).await;
    assert_eq!(check(&tenant, &revived).await["status"], "verified");
    assert_eq!(sender(&raven, &tenant, "revived.example").await.as_deref(), Some("Active"));

    for domain in [&revived, &taken] {
        assert_eq!(tenant.delete(&path(domain)).await.status, 204);
        assert_eq!(
            sender(&raven, &tenant, domain["domain"].as_str().unwrap()).await.as_deref(),
            Some("Deleted")
        );
        tenant.get(&path(domain)).await.problem(404, "not_found");
        tenant.delete(&path(domain)).await.problem(404, "not_found");
    }
    let kept = rest(Method::GET, "sender/ann@taken.example", Value::Null).await.expect(200);
    assert_ne!(kept["Data"][0]["Status"], "Deleted", "an address of its own stays");

    let gone = add(&tenant, "gone.example").await;
    rest(Method::DELETE, "sender/*@gone.example", Value::Null).await.expect(204);
    assert_eq!(tenant.delete(&path(&gone)).await.status, 204, "it is gone at Mailjet already");
    let orphan = add(&tenant, "orphan.example").await;
    assert_eq!(tenant.delete("/v1/providers/mailjet").await.status, 204);
    assert_eq!(tenant.delete(&path(&orphan)).await.status, 204, "there is no account any more");
    assert_eq!(audit(&tenant).await.iter().filter(|(_, action, _)| action == "domain.removed").count(), 4);
}

#[tokio::test]
async fn tenants_see_their_own_domains_only() {
    let raven = Raven::without_worker("tenants_see_their_own_domains_only").await;
    let (ours, mut theirs) = (raven.tenant().await, raven.bare_tenant().await);
    let body = json!({"domain": "shop.example"});
    theirs.post("/v1/domains", &body).await.problem(409, "conflict");
    assert_eq!(theirs.get("/v1/domains").await.expect(200)["data"], json!([]));
    // Both send with the same account.
    theirs.account = ours.account.clone();
    theirs.set_provider().await;
    let (mine, other) = (add(&ours, "shop.example").await, add(&theirs, "shop.example").await);
    assert_ne!(mine["id"], other["id"]);
    for (method, end) in [(Method::GET, ""), (Method::DELETE, ""), (Method::POST, "/check")] {
        let request = ours.request(method, &format!("{}{end}", path(&other)));
        http::send(request).await.problem(404, "not_found");
    }
    assert_eq!(ours.get("/v1/domains").await.expect(200)["data"], json!([mine]));
    assert_eq!(ours.delete(&path(&mine)).await.status, 204);
    let left = sender(&raven, &theirs, "shop.example").await;
    assert_eq!(left.as_deref(), Some("Inactive"), "the other tenant sends by it");
    assert_eq!(theirs.delete(&path(&other)).await.status, 204);
    assert_eq!(sender(&raven, &theirs, "shop.example").await.as_deref(), Some("Deleted"));

    let id = ours.id.as_str();
    let key = raven.cli(&["key", "create", "--tenant", id, "--scope", "send", "--json"], "").await.json();
    let sender = ours.with_key(key["apiKey"].as_str().unwrap());
    raven.guard(&sender.key);
    sender.get("/v1/domains").await.problem(403, "forbidden");
    sender.post("/v1/domains", &body).await.problem(403, "forbidden");
}

#[tokio::test]
async fn what_is_no_domain_is_refused_with_every_fault() {
    let raven = Raven::without_worker("what_is_no_domain_is_refused_with_every_fault").await;
    let tenant = raven.tenant().await;
    let long = format!("{}.example", vec!["a".repeat(60); 5].join("."));
    for name in [
        json!("shop.example."),
        json!("localhost"),
        json!("192.0.2.1"),
        json!("*.shop.example"),
        json!("a b.example"),
        json!("ann@shop.example"),
        json!("shop..example"),
        json!("exa\0mple.example"),
        json!("https://shop.example"),
        json!(""),
        json!(long),
        json!(null),
        json!(7),
        json!(["shop.example"]),
        json!({"name": "shop.example"}),
    ] {
        let problem =
            tenant.post("/v1/domains", &json!({ "domain": name })).await.problem(422, "validation_failed");
        assert_eq!(problem["errors"][0]["pointer"], "/domain", "{name}: {problem}");
    }
    let problem = tenant.post("/v1/domains", &json!({"Domain": "shop.example", "spf": true})).await;
    let problem = problem.problem(422, "validation_failed");
    let pointers: Vec<&Value> =
        problem["errors"].as_array().unwrap().iter().map(|error| &error["pointer"]).collect();
    assert_eq!(pointers, ["/Domain", "/spf", "/domain"]);
    tenant.post("/v1/domains", &json!("shop.example")).await.problem(422, "validation_failed");
    let broken = tenant.request(Method::POST, "/v1/domains").body("{");
    http::send(broken).await.problem(400, "malformed_json");
    tenant.get("/v1/domains?limit=0&after=x").await.problem(422, "validation_failed");
    tenant.get("/v1/domains?cursor=AAA").await.problem(422, "validation_failed");
    tenant.get("/v1/domains/shop.example").await.problem(404, "not_found");
    tenant.post("/v1/domains/%00/check", &Value::Null).await.problem(404, "not_found");
    assert_eq!(tenant.get("/v1/domains").await.expect(200)["data"], json!([]));
}

#[tokio::test]
async fn the_command_line_does_the_same() {
    let raven = Raven::without_worker("the_command_line_does_the_same").await;
    let tenant = raven.tenant().await;
    let run = async |arguments: &[&str]| {
        let all = [&["domain"], arguments, &["--tenant", tenant.id.as_str()]].concat();
        raven.cli(&all, "").await
    };
    let added = run(&["add", "Shop.Example", "--json"]).await.json();
    assert_eq!((&added["domain"], &added["status"]), (&json!("shop.example"), &json!("pending")));
    assert_eq!(statuses(&added), ["pending"; 3]);
    assert_eq!(tenant.get(&path(&added)).await.expect(200)["records"], added["records"]);
    raven.sim.publish("shop.example", &everything()).await;
    assert_eq!(run(&["check", "shop.example", "--json"]).await.json()["status"], "verified");
    let shown = run(&["show", "shop.example"]).await;
    for text in ["verified", "include:spf.mailjet.com", "mailjet._domainkey.shop.example", "k=rsa; p="] {
        assert!(shown.stdout.contains(text), "{text}: {shown:?}");
    }
    let list = run(&["list", "--json"]).await.json();
    assert_eq!((&list["data"][0]["domain"], &list["data"][1]), (&json!("shop.example"), &Value::Null));
    assert_eq!(run(&["remove", "shop.example", "--json"]).await.json()["removed"], true);
    let missing = run(&["show", "shop.example"]).await;
    assert!(
        !missing.status.success() && missing.stderr.contains("has no domain shop.example"),
        "{missing:?}"
    );
    let wrong = run(&["add", "localhost"]).await;
    assert!(!wrong.status.success() && wrong.stderr.contains("two labels"), "{wrong:?}");
    assert!(audit(&tenant).await.iter().all(|(actor, ..)| actor == "cli"));
}
