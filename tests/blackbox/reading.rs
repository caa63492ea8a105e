//! Lists, page by page.

use serde_json::{Value, json};

use crate::harness::{Copy, Raven, Tenant};

/// Every row of a list, read in pages of this size.
async fn pages(tenant: &Tenant, path: &str, limit: usize) -> Vec<Value> {
    let mut rows = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = tenant.get(&format!("{path}?limit={limit}{cursor}")).await.expect(200);
        let data = page["data"].as_array().unwrap();
        assert!(data.len() <= limit, "{page}");
        rows.extend(data.iter().cloned());
        match &page["nextCursor"] {
            Value::String(next) => cursor = format!("&cursor={next}"),
            Value::Null => return rows,
            other => panic!("no cursor: {other}"),
        }
        assert!(rows.len() < 1_000, "the pages never end");
    }
}

#[tokio::test]
async fn events_are_read_in_pages() {
    let raven = Raven::start("events_are_read_in_pages").await;
    let tenant = raven.tenant().await;
    let id = tenant.send_to("silent@example.com").await;
    let copy = Copy::of(&tenant.settled(&id, "sent").await, 0);
    // Two of each second: a page may end between them.
    let opens: Vec<Value> =
        (0..14).map(|number| copy.event("click", number / 2, &json!({"url": number}))).collect();
    tenant.tell(&opens).await;
    tenant.told(&id, &["click"; 14]).await;
    let path = format!("/v1/messages/{id}/events");
    let whole = tenant.events(&id).await;
    for limit in [1, 3, 14, 500] {
        assert_eq!(pages(&tenant, &path, limit).await, whole, "pages of {limit}");
    }
    let times: Vec<&str> = whole.iter().map(|event| event["occurredAt"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[tokio::test]
async fn suppressions_are_read_in_pages() {
    let raven = Raven::without_worker("suppressions_are_read_in_pages").await;
    let tenant = raven.bare_tenant().await;
    for number in 0..7 {
        let reply =
            tenant.post("/v1/suppressions", &json!({"email": format!("r{number}@example.com")})).await;
        assert!(reply.status < 300, "{reply:?}");
    }
    let whole = pages(&tenant, "/v1/suppressions", 500).await;
    assert_eq!(whole.len(), 7);
    for limit in [1, 3, 7] {
        assert_eq!(pages(&tenant, "/v1/suppressions", limit).await, whole, "pages of {limit}");
    }
    let by_reason = tenant.get("/v1/suppressions?reason=hard_bounce").await.expect(200);
    assert_eq!(by_reason["data"], json!([]));
    for wrong in ["limit=0", "limit=501", "limit=many", "cursor=%21", "reason=whim", "colour=red"] {
        tenant.get(&format!("/v1/suppressions?{wrong}")).await.problem(422, "validation_failed");
    }
}
