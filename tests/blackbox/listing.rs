//! `GET /v1/messages`: what a tenant has sent, newest first, page by page and by filter.

use serde_json::{Value, json};

use crate::harness::{Raven, Tenant, plain, wait::until};

/// A page, and where to go on.
async fn page(tenant: &Tenant, query: &str) -> (Vec<Value>, Option<String>) {
    let answer = tenant.get(&format!("/v1/messages?{query}")).await.expect(200);
    let data = answer["data"].as_array().unwrap_or_else(|| panic!("no list: {answer}")).clone();
    (data, answer["nextCursor"].as_str().map(str::to_owned))
}

/// Everything that a query finds, in pages of this size.
async fn all(tenant: &Tenant, query: &str, limit: usize) -> Vec<Value> {
    let (mut rows, mut cursor) = (Vec::new(), String::new());
    for _ in 0..200 {
        let (data, next) = page(tenant, &format!("{query}&limit={limit}{cursor}")).await;
        assert!(data.len() <= limit, "{data:?}");
        rows.extend(data);
        match next {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return rows,
        }
    }
    panic!("the pages never end: {query}");
}

fn ids(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["id"].as_str().expect("an id")).collect()
}

fn subjects(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["subject"].as_str().expect("a subject")).collect()
}

#[tokio::test]
async fn each_message_is_listed_once_newest_first() {
    let raven = Raven::start("each_message_is_listed_once_newest_first").await;
    let tenant = raven.tenant().await;
    assert_eq!(page(&tenant, "").await, (Vec::new(), None));
    // Those of a batch were accepted at the same moment.
    let batch: Vec<Value> = (0..6).map(|number| plain(&format!("silent+{number}@example.com"))).collect();
    let answer = tenant.post("/v1/messages/batch", &json!({ "messages": batch })).await.expect(200);
    let mut sent: Vec<String> =
        answer["data"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
    for local in ["silent+x", "silent+y"] {
        let to = [format!("{local}@example.com"), format!("{local}+2@example.com")];
        sent.push(tenant.send(&json!({"to": to, "subject": "Two", "bodyText": "Hello"})).await);
    }
    for id in &sent {
        tenant.settled(id, "sent").await;
    }
    let whole = all(&tenant, "", 500).await;
    for row in &whole {
        assert_eq!(*row, tenant.message(row["id"].as_str().unwrap()).await, "as it is read alone");
    }
    let places: Vec<(&str, &str)> =
        whole.iter().map(|row| (row["createdAt"].as_str().unwrap(), row["id"].as_str().unwrap())).collect();
    assert!(places.is_sorted_by(|a, b| a > b), "newest first: {places:?}");
    let mut found = ids(&whole);
    found.sort_unstable();
    sent.sort_unstable();
    assert_eq!(found, sent);
    for limit in 1..=9 {
        assert_eq!(all(&tenant, "", limit).await, whole, "pages of {limit}");
    }

    let (mut rows, mut next) = page(&tenant, "limit=2").await;
    while let Some(cursor) = next {
        let newer = tenant.send_to("silent+newer@example.com").await;
        tenant.settled(&newer, "sent").await;
        let (more, after) = page(&tenant, &format!("limit=2&cursor={cursor}")).await;
        rows.extend(more);
        next = after;
    }
    assert_eq!(rows, whole, "what comes meanwhile stands before the first page");
}

/// Sends six messages, whose subjects are the letters from `a`, and answers when each was accepted.
async fn six(tenant: &Tenant) -> Vec<String> {
    let tomorrow = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24);
    let mut times = Vec::new();
    for (subject, with, status) in [
        ("a", json!({"to": "silent+ann@example.com", "tags": ["order"]}), "sent"),
        ("b", json!({"to": "bounce@example.com", "tags": ["order", "news"]}), "bounced"),
        ("c", json!({"to": "soft@example.com"}), "bounced"),
        (
            "d",
            json!({"to": "silent@example.com", "cc": "Ann <Silent+Ann@Example.com>", "tags": ["news"]}),
            "sent",
        ),
        (
            "e",
            json!({"to": "bob@example.com", "bcc": "silent+ann@example.com", "tags": ["order", "order"],
                "scheduledAt": tomorrow}),
            "scheduled",
        ),
        ("f", json!({"to": "ann@example.com"}), "delivered"),
    ] {
        let mut message = with;
        message["subject"] = json!(subject);
        message["bodyText"] = json!("Hello");
        let answer = tenant.post("/v1/messages", &message).await.expect(200);
        let stored = tenant.settled(answer["id"].as_str().unwrap(), status).await;
        times.push(stored["createdAt"].as_str().unwrap().to_owned());
    }
    times
}

#[tokio::test]
async fn messages_are_found_by_status_recipient_tag_and_time() {
    let raven = Raven::start("messages_are_found_by_status_recipient_tag_and_time").await;
    let (tenant, stranger) = (raven.tenant().await, raven.bare_tenant().await);
    let times = six(&tenant).await;
    let (since_c, until_e) = (format!("since={}", times[2]), format!("until={}", times[4]));
    let ann = "to=SILENT%2Bann@example.COM";
    for (query, expected) in [
        (String::new(), "fedcba"),
        ("status=sent".to_owned(), "da"),
        ("status=bounced".to_owned(), "cb"),
        ("status=scheduled".to_owned(), "e"),
        ("status=delivered".to_owned(), "f"),
        ("status=failed".to_owned(), ""),
        (ann.to_owned(), "eda"),
        (format!("{ann}&status=sent"), "da"),
        (format!("{ann}&tag=order"), "ea"),
        (format!("{ann}&tag=order&status=scheduled"), "e"),
        ("to=nobody@example.com".to_owned(), ""),
        ("tag=order".to_owned(), "eba"),
        ("tag=news".to_owned(), "db"),
        ("tag=Order".to_owned(), ""),
        ("tag=order&status=bounced".to_owned(), "b"),
        ("tag=order&status=sent".to_owned(), "a"),
        (since_c.clone(), "fedc"),
        (until_e.clone(), "dcba"),
        (format!("{since_c}&{until_e}"), "dc"),
        (format!("{until_e}&{since_c}&status=bounced"), "c"),
        (format!("{ann}&{until_e}"), "da"),
        (format!("tag=order&{since_c}"), "e"),
        ("since=9999-01-01T00:00:00Z".to_owned(), ""),
        ("until=0001-01-01T00:00:00Z".to_owned(), ""),
        ("since=-009999-01-02T01:59:59Z".to_owned(), "fedcba"),
    ] {
        for limit in [1, 2, 50] {
            assert_eq!(
                subjects(&all(&tenant, &query, limit).await).concat(),
                expected,
                "{query} in pages of {limit}"
            );
        }
        assert_eq!(page(&stranger, &query).await, (Vec::new(), None), "nothing of another tenant: {query}");
    }
    let (_, cursor) = page(&tenant, "limit=1").await;
    assert_eq!(page(&stranger, &format!("cursor={}", cursor.unwrap())).await, (Vec::new(), None));
}

#[tokio::test]
async fn the_list_is_strict() {
    let raven = Raven::without_worker("the_list_is_strict").await;
    let tenant = raven.bare_tenant().await;
    for (query, parameter) in [
        ("status=send", "?status"),
        ("status=", "?status"),
        ("to=", "?to"),
        ("to=%20", "?to"),
        ("tag=", "?tag"),
        ("tag=a%00b", "?tag"),
        ("since=yesterday", "?since"),
        ("since=2026-01-01", "?since"),
        ("until=2026-01-01T00:00:00", "?until"),
        ("limit=0", "?limit"),
        ("limit=501", "?limit"),
        ("cursor=x", "?cursor"),
        ("cursor=MjAyNi0wMS0wMVQwMDowMDowMFo", "?cursor"),
        ("recipient=ann@example.com", "?recipient"),
    ] {
        let problem = tenant.get(&format!("/v1/messages?{query}")).await.problem(422, "validation_failed");
        assert_eq!(problem["errors"][0]["pointer"], parameter, "{query}");
    }
    let unknown = tenant.get("/v1/messages?status=send").await.problem(422, "validation_failed");
    assert!(unknown["detail"].as_str().unwrap().contains("bounced, canceled"), "{unknown}");
    tenant.with_key("").get("/v1/messages").await.problem(401, "unauthorized");
}

/// Messages of one tenant to one address with one tag, the newest first: those at some places are `sent`, and all others
/// `delivered`.
const STRETCH: &str = "
with made as (
    insert into messages (id, tenant_id, status, sandbox, envelope, subject, tags, digest, created_at)
    select gen_random_uuid(), $1, case when place = any($2) then 40 else 60 end, false,
           '{\"from\":null,\"to\":[{\"email\":\"many@example.com\"}],\"cc\":[],\"bcc\":[]}', place::text, '{many}', '',
           '2026-01-01'::timestamptz - make_interval(secs => place)
    from generate_series(1, 20050) as place
    returning id, tenant_id, status, created_at
), listed as (
    insert into recipients (message_id, email_key, tenant_id, position, email, status, created_at)
    select id, 'many@example.com', tenant_id, 0, 'many@example.com', status, created_at from made
)
insert into message_tags (tenant_id, tag, created_at, message_id) select tenant_id, 'many', created_at, id from made";

#[tokio::test]
async fn a_search_through_a_long_stretch_goes_on_with_the_cursor() {
    let raven = Raven::without_worker("a_search_through_a_long_stretch_goes_on_with_the_cursor").await;
    let tenant = raven.bare_tenant().await;
    let session = raven.database.session().await;
    let owner: uuid::Uuid = tenant.id.parse().unwrap();
    for places in [vec![20_050], vec![1, 2, 19_999, 20_000, 20_001, 20_050], vec![]] {
        session.client.batch_execute("truncate messages, recipients, message_tags").await.unwrap();
        session.client.execute(STRETCH, &[&owner, &places]).await.unwrap();
        let expected: Vec<String> = places.iter().map(i32::to_string).collect();
        for also in ["", "&to=many@example.com", "&tag=many", "&to=many@example.com&tag=many"] {
            let query = format!("status=sent{also}");
            for limit in [1, 2, 3, 4, 5, 500] {
                assert_eq!(subjects(&all(&tenant, &query, limit).await), expected, "{query}, {limit}");
            }
            if places.len() == 1 {
                let (rows, next) = page(&tenant, &query).await;
                assert!(rows.is_empty() && next.is_some(), "the page ends before the message");
            }
        }
    }
}

#[tokio::test]
async fn pages_of_large_messages_are_short() {
    let raven = Raven::without_worker("pages_of_large_messages_are_short").await;
    let tenant = raven.bare_tenant().await;
    let session = raven.database.session().await;
    let owner: uuid::Uuid = tenant.id.parse().unwrap();
    session.client.execute(STRETCH, &[&owner, &Vec::<i32>::new()]).await.unwrap();
    let enlarge = "delete from messages where subject::integer > 5;
        update messages set metadata = to_json(repeat('x', 1500000))";
    session.client.batch_execute(enlarge).await.unwrap();
    let (rows, next) = page(&tenant, "limit=500").await;
    assert!((1..5).contains(&rows.len()) && next.is_some(), "{} rows", rows.len());
    for query in ["", "tag=many"] {
        assert_eq!(subjects(&all(&tenant, query, 500).await), ["1", "2", "3", "4", "5"], "{query}");
    }
}

#[tokio::test]
async fn a_page_reads_little_more_than_it_shows() {
    let raven = Raven::without_worker("a_page_reads_little_more_than_it_shows").await;
    let tenant = raven.bare_tenant().await;
    let session = raven.database.session().await;
    let owner: uuid::Uuid = tenant.id.parse().unwrap();
    session.client.execute(STRETCH, &[&owner, &vec![7, 8, 9]]).await.unwrap();
    session.client.batch_execute("vacuum analyze messages, recipients, message_tags").await.unwrap();
    for (query, count) in [("", 5), ("to=many@example.com&", 5), ("tag=many&", 5), ("status=failed&", 0)] {
        assert_eq!(page(&tenant, &format!("{query}limit=5")).await.0.len(), count, "{query}");
    }
    // A session of Postgres tells of what it read within ten seconds.
    let indexes =
        ["message_tags_pkey", "messages_created_idx", "messages_listed_idx", "recipients_address_idx"];
    let counts = "select indexrelname::text, idx_scan, idx_tup_read from pg_stat_user_indexes
        where indexrelname::text = any($1) order by 1";
    let read = async || {
        let rows = session.client.query(counts, &[&indexes.as_slice()]).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect::<Vec<(String, i64, i64)>>()
    };
    let counts = until("each index to be used", read, |rows| rows.iter().all(|row| row.1 > 0)).await;
    assert!(counts.iter().all(|row| row.1 == 1 && row.2 <= 10), "{counts:?}");
}

/// Most events move a message from `sent` to `delivered`: that must not write into every index of its table.
#[tokio::test]
async fn a_delivery_writes_into_no_index() {
    let raven = Raven::start("a_delivery_writes_into_no_index").await;
    let tenant = raven.tenant().await;
    tenant.silent("hot").await;
    let mut in_place = Vec::new();
    for status in [60, 80] {
        let mut session = raven.database.session().await;
        let transaction = session.client.transaction().await.unwrap();
        for change in [
            format!(
                "update messages set status = {status}, due_at = null, error_code = null, updated_at = now()"
            ),
            format!("update recipients set status = {status}"),
        ] {
            assert_eq!(transaction.execute(&change, &[]).await.unwrap(), 1);
        }
        let counts = "select n_tup_hot_upd from pg_stat_xact_user_tables
            where relname in ('messages', 'recipients') order by relname";
        let counts = transaction.query(counts, &[]).await.unwrap();
        in_place.push(counts.iter().map(|row| row.get::<_, i64>(0)).collect::<Vec<_>>());
    }
    assert_eq!(in_place, [[1, 1], [0, 1]], "a bounce is listed under its status, a delivery is not");
}
