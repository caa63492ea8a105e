//! Sending domains that workers look at by themselves.

use serde_json::{Value, json};

use crate::domains::{add, audit, everything, path, statuses};
use crate::harness::{Raven, Tenant, wait::until};

/// Looks follow each other so closely that a test sees many, and go on for as long as it takes.
const OFTEN: [(&str, &str); 3] = [
    ("RAVEN_DOMAIN_CHECK", "300ms"),
    ("RAVEN_DOMAIN_CHECK_SOON_FOR", "1h"),
    ("RAVEN_DOMAIN_CHECK_LATER", "300ms"),
];

async fn seen(tenant: &Tenant, domain: &Value, passes: impl Fn(&Value) -> bool) -> Value {
    let path = path(domain);
    until("a look at the domain", async || tenant.get(&path).await.expect(200), passes).await
}

async fn checks(raven: &Raven, name: &str) -> u64 {
    raven.sim.dns(name).await["checks"].as_u64().expect("a number")
}

#[tokio::test]
async fn a_worker_finds_the_third_record_and_two_are_not_enough() {
    let mut raven = Raven::without_worker("a_worker_finds_the_third_record_and_two_are_not_enough").await;
    let tenant = raven.tenant().await;
    let domain = add(&tenant, "shop.example").await;
    raven.start_worker_with(&OFTEN).await;
    for (missing, two) in [
        (0, json!({"ownership": false, "dkim": true, "spf": true})),
        (1, json!({"ownership": true, "dkim": false, "spf": true})),
        (2, json!({"ownership": true, "dkim": true, "spf": false})),
    ] {
        raven.sim.publish("shop.example", &two).await;
        let mut expected = vec!["ok".to_owned(); 3];
        "pending".clone_into(&mut expected[missing]);
        seen(&tenant, &domain, |domain| statuses(domain) == expected).await;
        // However often it is looked at.
        let before = checks(&raven, "shop.example").await;
        until("more looks", async || checks(&raven, "shop.example").await, |now| *now > before + 2).await;
        let domain = tenant.get(&path(&domain)).await.expect(200);
        assert_eq!((&domain["status"], &domain["verifiedAt"]), (&json!("pending"), &Value::Null));
    }
    raven.sim.publish("shop.example", &json!({"spf": true})).await;
    let verified = seen(&tenant, &domain, |domain| domain["status"] == "verified").await;
    assert_eq!(statuses(&verified), ["ok"; 3]);
    assert!(verified["verifiedAt"].is_string(), "{verified}");

    raven.sim.publish("shop.example", &json!({"spf": false, "otherSpf": true})).await;
    let lapsed = seen(&tenant, &domain, |domain| domain["status"] == "pending").await;
    assert_eq!((statuses(&lapsed)[2].as_str(), &lapsed["verifiedAt"]), ("error", &Value::Null));
    raven.sim.publish("shop.example", &json!({"spf": true})).await;
    seen(&tenant, &domain, |domain| domain["status"] == "verified").await;
    let entry = |action: &str, detail: Value| ("worker".to_owned(), action.to_owned(), detail);
    let log = audit(&tenant).await;
    let expected = [
        entry("domain.verified", Value::Null),
        entry("domain.lapsed", json!("spf")),
        entry("domain.verified", Value::Null),
    ];
    assert_eq!(log[..3], expected);
    assert_eq!(log.len(), 4, "one entry for each change: {log:?}");
}

/// Notes every turn that is taken: when the domain was due, and when it was taken.
const NOTE_TURNS: &str = "
    create table turns (number bigserial, domain text, due timestamptz, taken timestamptz);
    create function note_turn() returns trigger language plpgsql as $$
    begin
        insert into turns (domain, due, taken) values (old.domain, old.due_at, new.look_began_at);
        return null;
    end $$;
    create trigger turn_taken after update of look_began_at on domains for each row execute function note_turn();";

#[tokio::test]
async fn three_workers_together_look_once_in_a_period() {
    let mut raven = Raven::without_worker("three_workers_together_look_once_in_a_period").await;
    let tenant = raven.tenant().await;
    let names: Vec<String> = (0..4).map(|number| format!("shop{number}.example")).collect();
    let session = raven.database.session().await;
    session.client.batch_execute(NOTE_TURNS).await.unwrap();
    for name in &names {
        add(&tenant, name).await;
    }
    for _ in 0..3 {
        raven.start_worker_with(&OFTEN).await;
    }
    for name in &names {
        until("several periods", async || checks(&raven, name).await, |checks| *checks >= 8).await;
    }
    // All at once: what the end of one cuts off is not for another to take up.
    for worker in &mut raven.workers {
        worker.ask_to_end();
    }
    for worker in &mut raven.workers {
        assert!(worker.terminate().await.success());
    }
    let early = "select count(*) from turns where taken < due";
    assert_eq!(
        session.client.query_one(early, &[]).await.unwrap().get::<_, i64>(0),
        0,
        "none before it was due"
    );
    let close = "select count(*) from (
            select taken - lag(taken) over (partition by domain order by number) as distance from turns) pairs
        where distance < interval '300 ms'";
    assert_eq!(
        session.client.query_one(close, &[]).await.unwrap().get::<_, i64>(0),
        0,
        "none twice in a period"
    );
    // What was due after a turn that ended was due a period after it began, however long a look may take.
    let late = "select count(*) from (
            select due - lag(taken) over (partition by domain order by number) as distance from turns) pairs
        where distance <> interval '300 ms'";
    assert_eq!(
        session.client.query_one(late, &[]).await.unwrap().get::<_, i64>(0),
        0,
        "none put off for longer"
    );
    // Each turn is one check at Mailjet, but for the last of each worker, which its end may have cut off.
    let (mut taken, mut checked) = (0, 0);
    for name in &names {
        let count = "select count(*) from turns where domain = $1";
        let turns: i64 = session.client.query_one(count, &[name]).await.unwrap().get(0);
        let checks = i64::try_from(checks(&raven, name).await).unwrap();
        assert!(checks <= turns, "{name}: {checks} checks in {turns} turns");
        (taken, checked) = (taken + turns, checked + checks);
    }
    assert!(taken - checked <= 3, "{checked} checks in {taken} turns");
}

#[tokio::test]
async fn while_mailjet_is_away_nothing_is_half_made_and_nothing_is_forgotten() {
    let mut raven =
        Raven::without_worker("while_mailjet_is_away_nothing_is_half_made_and_nothing_is_forgotten").await;
    let tenant = raven.tenant().await;
    let body = json!({"domain": "shop.example"});
    raven.proxies.mailjet.cut();
    let refused = tenant.post("/v1/domains", &body).await;
    refused.problem(503, "provider_unavailable");
    assert!(!refused.header("retry-after").is_empty(), "{refused:?}");
    assert_eq!(tenant.get("/v1/domains").await.expect(200)["data"], json!([]));
    raven.proxies.mailjet.heal();
    let domain = add(&tenant, "shop.example").await;

    raven.sim.publish("shop.example", &everything()).await;
    raven.start_worker_with(&OFTEN).await;
    seen(&tenant, &domain, |domain| domain["status"] == "verified").await;
    raven.proxies.mailjet.cut();
    let fault = seen(&tenant, &domain, |domain| domain["error"]["code"] == "unavailable").await;
    assert_eq!((&fault["status"], statuses(&fault)), (&json!("verified"), vec!["ok".to_owned(); 3]));
    tenant.post(&format!("{}/check", path(&domain)), &Value::Null).await.problem(503, "provider_unavailable");
    assert_eq!(add(&tenant, "shop.example").await["id"], domain["id"], "what is known needs no Mailjet");
    tenant.delete(&path(&domain)).await.problem(503, "provider_unavailable");
    raven.proxies.mailjet.heal();
    let back = seen(&tenant, &domain, |domain| domain["error"].is_null()).await;
    assert_eq!(back["status"], "verified");
    let told = "a sending domain cannot be looked at";
    assert_eq!(raven.workers[0].log().matches(told).count(), 1, "once for the change, not for each turn");
}

#[tokio::test]
async fn another_account_is_looked_at_without_waiting_for_the_turn() {
    let mut raven = Raven::without_worker("another_account_is_looked_at_without_waiting_for_the_turn").await;
    let mut tenant = raven.tenant().await;
    let domain = add(&tenant, "shop.example").await;
    raven.sim.publish("shop.example", &everything()).await;
    // Once verified, its own turn does not come in this test.
    let settings = [("RAVEN_DOMAIN_CHECK", "300ms"), ("RAVEN_DOMAIN_CHECK_LATER", "1h")];
    raven.start_worker_with(&settings).await;
    seen(&tenant, &domain, |domain| domain["status"] == "verified").await;
    let deleted = tenant.delete("/v1/providers/mailjet").await;
    assert_eq!(deleted.status, 204);
    let without = seen(&tenant, &domain, |domain| domain["error"]["code"] == "no_account").await;
    assert!(without["error"]["message"].as_str().unwrap().contains("/v1/providers/mailjet"), "{without}");
    tenant.account.0 = format!("{}other", tenant.account.0);
    raven.sim.publish("shop.example", &json!({"ownership": false})).await;
    tenant.set_provider().await;
    // What the first account has proved says nothing of the second.
    let other = seen(&tenant, &domain, |domain| domain["error"].is_null()).await;
    assert_eq!((&other["status"], statuses(&other)[0].as_str()), (&json!("pending"), "pending"));
    raven.sim.publish("shop.example", &json!({"ownership": true})).await;
    seen(&tenant, &domain, |domain| domain["status"] == "verified").await;
}
