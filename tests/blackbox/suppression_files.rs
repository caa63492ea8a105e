//! The suppression list as a file, in and out.

use std::{fmt::Write as _, time::Duration};

use reqwest::{Body, Method};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::harness::{
    Raven, Tenant,
    http::{self, Reply},
    servers::servers,
    wait::{eventually, until},
};

const IMPORT: &str = "/v1/suppressions/import";
const EXPORT: &str = "/v1/suppressions/export";

async fn import(tenant: &Tenant, file: impl Into<Body>) -> Reply {
    let request = tenant.request(Method::POST, IMPORT).header("content-type", "text/csv").body(file);
    http::send(request.timeout(Duration::from_mins(5))).await
}

/// The file, without the dates.
async fn export(tenant: &Tenant, query: &str) -> Vec<String> {
    let reply = tenant.get(&format!("{EXPORT}{query}")).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(reply.header("content-type").starts_with("text/csv"), "{reply:?}");
    let mut lines = reply.text.lines();
    assert_eq!(lines.next(), Some("email,reason,createdAt"));
    lines.map(|line| line.rsplit_once(',').expect("three columns").0.to_owned()).collect()
}

/// The counts of an answer, in the order read, added, changed, unchanged, rejected.
fn counts(answer: &Value) -> [u64; 5] {
    ["read", "added", "changed", "unchanged", "rejected"]
        .map(|name| answer[name].as_u64().unwrap_or_else(|| panic!("{name}: {answer}")))
}

async fn audited(tenant: &Tenant) -> Vec<Value> {
    let log = tenant.get("/v1/audit-log?action=suppressions.imported").await.expect(200);
    log["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_list_goes_in_and_out() {
    let raven = Raven::without_worker("a_list_goes_in_and_out").await;
    let (tenant, other) = (raven.bare_tenant().await, raven.bare_tenant().await);
    let listed = tenant.post("/v1/suppressions", &json!({"email": "Eve@example.com"})).await.expect(200);
    let file = "\u{feff}Name,EMAIL,reason\r\n\"Lovelace, Ada\",ada@example.com,spam_complaint\r\n\
        Eve,eve@example.com,unsubscribed\r\nBob,bob@example.com\r\n\r\n\
        Bob,BOB@example.com,manual\r\nNobody,,\r\nX,x@example.com,whim\r\n\
        Q,\"\"\"q,q\"\"@example.com\",hard_bounce\r\n=,=1+1@example.com,";
    let answer = import(&tenant, file).await.expect(200);
    assert_eq!(counts(&answer), [8, 4, 1, 1, 2], "{answer}");
    assert_eq!(answer["ignoredColumns"], json!(["Name"]));
    assert_eq!(answer["faults"][0], json!({"line": 7, "detail": "has no address"}));
    assert_eq!(answer["faults"][1]["line"], 8, "{answer}");
    let whole = export(&tenant, "").await;
    let mut sorted = whole.clone();
    sorted.sort();
    assert_eq!(
        sorted,
        [
            "\"\"\"q,q\"\"@example.com\",hard_bounce",
            "=1+1@example.com,manual",
            "Eve@example.com,unsubscribed",
            "ada@example.com,spam_complaint",
            "bob@example.com,manual",
        ]
    );
    let eve = tenant.get("/v1/suppressions?email=eve@example.com").await.expect(200);
    assert_eq!(eve["data"][0]["createdAt"], listed["createdAt"], "the first date stays");
    assert_eq!(export(&tenant, "?reason=hard_bounce").await, ["\"\"\"q,q\"\"@example.com\",hard_bounce"]);
    assert!(
        export(&tenant, "?reason=spam_complaint").await.len() == 1 && export(&other, "").await.is_empty()
    );

    let again = import(&tenant, file).await.expect(200);
    assert_eq!(counts(&again), [8, 0, 0, 6, 2], "a repeat does no harm");
    let text = tenant.get(EXPORT).await.text;
    let copied = import(&other, text).await.expect(200);
    assert_eq!((counts(&copied), &copied["ignoredColumns"]), ([5, 5, 0, 0, 0], &json!(["createdAt"])));
    assert_eq!(export(&other, "").await, whole);
    let log = audited(&tenant).await;
    assert_eq!(log.len(), 2, "one entry an import: {log:?}");
    assert_eq!(log[1]["detail"], "read 8, added 4, changed 1, unchanged 1, rejected 2");
    assert!(tenant.key.contains(log[1]["actor"].as_str().unwrap()), "{log:?}");
}

#[tokio::test]
async fn what_is_no_list_is_refused() {
    let raven = Raven::without_worker("what_is_no_list_is_refused").await;
    let tenant = raven.bare_tenant().await;
    for file in
        ["", "\n\n", "a@example.com\n", "{\"email\":\"a@example.com\"}", "email,Email\na@example.com,"]
    {
        import(&tenant, file).await.problem(422, "validation_failed");
    }
    let empty = import(&tenant, "email\r\n").await.expect(200);
    assert_eq!((counts(&empty), audited(&tenant).await), ([0; 5], vec![]));
    let junk = import(&tenant, b"email\n\0@example.com\n\xff\n\"open".to_vec()).await.expect(200);
    assert_eq!(counts(&junk), [3, 0, 0, 0, 3], "{junk}");

    let made = ["key", "create", "--tenant", &tenant.id, "--scope", "send", "--json"];
    let made = raven.cli(&made, "").await.json();
    let key = made["apiKey"].as_str().unwrap();
    raven.guard(key);
    import(&tenant.with_key(key), "email\n").await.problem(403, "forbidden");
    tenant.with_key(key).get(EXPORT).await.problem(403, "forbidden");
    import(&tenant.with_key(""), "email\n").await.problem(401, "unauthorized");
    tenant.get(IMPORT).await.problem(405, "method_not_allowed");
    tenant.post(EXPORT, &json!({})).await.problem(405, "method_not_allowed");
    for wrong in ["reason=whim", "limit=5", "colour=red"] {
        tenant.get(&format!("{EXPORT}?{wrong}")).await.problem(422, "validation_failed");
    }
    let large = tenant.request(Method::POST, IMPORT).header("content-length", "268435457").body("email\n");
    http::send(large).await.problem(413, "payload_too_large");
    // An address of its own stands where the two names do.
    import(&tenant, "email\nimport@export.example").await.expect(200);
    let path = "/v1/suppressions/import@export.example";
    assert_eq!(http::send(tenant.request(Method::DELETE, path)).await.status, 204);
}

/// Sends a request that announces more than it brings, and hangs up.
async fn break_off(raven: &Raven, tenant: &Tenant, rows: &str) {
    let address = format!("127.0.0.1:{}", raven.url.port().unwrap());
    let mut socket = TcpStream::connect(address).await.unwrap();
    let (key, length) = (&tenant.key, rows.len() + 1_000);
    let head = format!(
        "POST {IMPORT} HTTP/1.1\r\nHost: x\r\nX-Raven-Key: {key}\r\nContent-Length: {length}\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(rows.as_bytes()).await.unwrap();
    socket.flush().await.unwrap();
    let session = raven.database.session().await;
    eventually("the first batches", async || {
        let count = session.client.query_one("select count(*) from suppressions", &[]).await.unwrap();
        (count.get::<_, i64>(0) >= 4_000).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_came_before_a_broken_connection_stays() {
    let raven = Raven::without_worker("what_came_before_a_broken_connection_stays").await;
    let tenant = raven.bare_tenant().await;
    let mut file = "email\n".to_owned();
    for number in 0..5_000 {
        writeln!(file, "r{number}@example.com").unwrap();
    }
    break_off(&raven, &tenant, &file).await;
    let log = until("the entry", async || audited(&tenant).await, |log| log.len() == 1).await;
    assert!(log[0]["detail"].as_str().unwrap().contains("added 4000,"), "{log:?}");
    let whole = import(&tenant, file).await.expect(200);
    assert_eq!(counts(&whole), [5_000, 1_000, 0, 4_000, 0], "{whole}");
}

/// Rows of the file of the test below, and bytes that stand in each beside the address.
const ROWS: usize = 200_000;
const PADDING: usize = 280;
/// A fraction of the file, and of what its rows take in memory.
const MOST_MEMORY: u64 = 24 * 1024 * 1024;

#[tokio::test]
async fn a_large_list_takes_little_memory() {
    let mut raven = Raven::without_worker("a_large_list_takes_little_memory").await;
    // Only such a process lets its peak be reset by who is not root.
    let measured = raven.start_ingest_with(&[("RAVEN_CORE_DUMPS", "as-system")]).await;
    let tenant = raven.bare_tenant().await.at(&measured);
    let padding = "x".repeat(PADDING);
    let mut file = "note,email\n".to_owned();
    for number in 0..ROWS {
        writeln!(file, "{padding},r{number:07}@example.com").unwrap();
    }
    let before = raven.ingests[0].forget_peak();
    let answer = import(&tenant, file).await.expect(200);
    assert_eq!(counts(&answer), [ROWS as u64, ROWS as u64, 0, 0, 0]);
    let grown = raven.ingests[0].peak().saturating_sub(before);
    assert!(grown < MOST_MEMORY, "the import took {grown} bytes");

    let before = raven.ingests[0].forget_peak();
    let request = tenant.request(Method::GET, EXPORT).timeout(Duration::from_mins(5));
    let text = http::send(request).await.text;
    let grown = raven.ingests[0].peak().saturating_sub(before);
    assert!(grown < MOST_MEMORY, "the export took {grown} bytes");
    let mut lines = text.lines().skip(1);
    for number in 0..ROWS {
        let line = lines.next().expect("a row for each address");
        assert!(line.starts_with(&format!("r{number:07}@example.com,manual,")), "{line}");
    }
    assert_eq!(lines.next(), None);
}

#[tokio::test]
async fn the_command_line_does_the_same() {
    let raven = Raven::without_worker("the_command_line_does_the_same").await;
    let tenant = raven.bare_tenant().await;
    let run = async |arguments: &[&str], input: &str| {
        let of = ["--tenant", tenant.id.as_str(), "--json"];
        raven.cli(&[&["suppression"], arguments, &of].concat(), input).await
    };
    let added = run(&["add", "Ada@example.com", "--reason", "unsubscribed"], "").await.json();
    assert_eq!((&added["email"], &added["reason"]), (&json!("Ada@example.com"), &json!("unsubscribed")));
    let imported =
        run(&["import", "-"], "email,reason\nada@example.com,manual\nbob@example.com,\nx,\n").await;
    assert_eq!(counts(&imported.json()), [3, 1, 0, 1, 1]);
    assert_eq!(imported.json()["faults"][0]["line"], 4);
    let listed = run(&["list"], "").await.json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 2, "{listed}");
    assert_eq!(listed["nextCursor"], json!(null), "{listed}");
    let first = run(&["list", "--limit", "1"], "").await.json();
    let cursor = first["nextCursor"].as_str().unwrap();
    let rest = run(&["list", "--limit", "1", "--cursor", cursor], "").await.json();
    let both = [first["data"].as_array().unwrap().clone(), rest["data"].as_array().unwrap().clone()].concat();
    assert_eq!((json!(both), &rest["nextCursor"]), (listed["data"].clone(), &json!(null)));
    let listed = run(&["list", "--reason", "unsubscribed"], "").await.json();
    assert_eq!(listed["data"][0]["email"], "Ada@example.com", "{listed}");

    let folder = servers().scratch.join("the_command_line_does_the_same");
    let path = folder.join(format!("{}.csv", tenant.id));
    let path = path.to_str().unwrap();
    assert_eq!(run(&["export", path], "").await.json()["rows"], 2);
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.starts_with("email,reason,createdAt\r\nAda@example.com,unsubscribed,"), "{text}");
    assert!(!run(&["export", path], "").await.status.success(), "what is there is not overwritten");
    let printed = raven.cli(&["suppression", "export", "--tenant", &tenant.id], "").await;
    assert_eq!(printed.stdout, text);

    assert_eq!(run(&["remove", "ADA@example.com"], "").await.json()["removed"], true);
    let missing = run(&["remove", "ADA@example.com"], "").await;
    assert!(
        !missing.status.success() && missing.stderr.contains("is not on the suppression list"),
        "{missing:?}"
    );
    assert_eq!(counts(&run(&["import", path], "").await.json()), [2, 1, 0, 1, 0]);
    let nobody = ["suppression", "list", "--tenant", "00000000-0000-4000-8000-000000000000"];
    assert!(raven.cli(&nobody, "").await.stderr.contains("there is no tenant"));
    let actors = tenant.get("/v1/audit-log?action=suppressions.imported").await.expect(200);
    assert_eq!(actors["data"][0]["actor"], "cli");
}
