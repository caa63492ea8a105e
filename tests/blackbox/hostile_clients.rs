//! Clients that mean harm, or are broken: they get what they deserve, and everybody else is served as ever.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    task::JoinSet,
    time::timeout,
};

use reqwest::Method;

use crate::harness::{
    Raven, Tenant, http, plain,
    raw::{self, held, pours_until_cut, say, trickles_until_cut},
    wait::{DEADLINE, until, within},
};

/// What any of this may take of memory, in bytes.
const MEMORY: u64 = 96 * 1024 * 1024;
/// How long an honest send may take meanwhile; it takes milliseconds.
const SOON: Duration = Duration::from_secs(10);

/// An honest send is taken.
async fn serves(tenant: &Tenant) -> String {
    within(SOON, "an honest send", tenant.send_to("ann@example.com")).await
}

/// After all: an honest send goes out, nobody is held any more, and no memory is lost.
async fn is_well(raven: &Raven, tenant: &Tenant, before: u64) {
    let id = serves(tenant).await;
    tenant.settled(&id, "delivered").await;
    until("connections to be given up", async || held(&raven.url), |held| *held < 10).await;
    let grown = raven.ingest.peak().saturating_sub(before);
    assert!(grown < MEMORY, "{grown} bytes more");
    assert!(!raven.ingest.log().contains("panicked"));
}

async fn start(name: &str) -> (Raven, Tenant, u64) {
    let raven = Raven::start(name).await;
    let tenant = raven.tenant().await;
    let before = raven.ingest.forget_peak();
    (raven, tenant, before)
}

/// The head of a request with a body of this length.
fn post(path: &str, tenant: &Tenant, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: raven\r\nX-Raven-Key: {}\r\n{body}\r\n\r\n", tenant.key)
}

#[tokio::test]
async fn trickled_heads_and_bodies_are_given_up() {
    let (raven, tenant, before) = start("trickled_heads_and_bodies_are_given_up").await;
    let first = "GET /healthz HTTP/1.1\r\nHost: raven\r\n\r\n";
    let head = "GET /healthz HTTP/1.1\r\nHost: raven\r\nX-Slow: ";
    let chunked = "Transfer-Encoding: chunked";
    let cases = [
        ("a first head", head.to_owned(), "x"),
        ("a second head", format!("{first}{head}"), "x"),
        ("a body", post("/v1/messages", &tenant, "Content-Length: 100000"), "x"),
        ("a body in chunks", post("/v1/messages", &tenant, chunked), "1\r\nx\r\n"),
        ("a body of a webhook", post(tenant.webhook_url().path(), &tenant, chunked), "1\r\n[\r\n"),
        ("a body that nobody reads", post("/v1/nowhere", &tenant, chunked), "1\r\nx\r\n"),
        (
            "a body that nobody reads of a GET",
            format!("GET /healthz HTTP/1.1\r\nHost: raven\r\n{chunked}\r\n\r\n"),
            "1\r\nx\r\n",
        ),
        ("a body in one endless chunk", format!("{}fffffff\r\n", post("/v1/nowhere", &tenant, chunked)), "x"),
    ];
    let mut trickles = JoinSet::new();
    for (what, begin, piece) in cases {
        for _ in 0..20 {
            let mut stream = raw::connect(&raven.url).await;
            stream.write_all(begin.as_bytes()).await.expect("to be heard at first");
            trickles.spawn(async move { (what, trickles_until_cut(stream, piece.as_bytes()).await) });
        }
    }
    serves(&tenant).await;
    for (what, cut) in trickles.join_all().await {
        assert!(cut, "{what} goes on for ever");
    }
    is_well(&raven, &tenant, before).await;
}

#[tokio::test]
async fn who_does_not_read_its_answers_is_cut_off() {
    let (raven, tenant, before) = start("who_does_not_read_its_answers_is_cut_off").await;
    let ask = "GET /openapi.json HTTP/1.1\r\nHost: raven\r\n\r\n".repeat(100_000);
    let mut streams = Vec::new();
    for _ in 0..20 {
        let mut stream = raw::connect(&raven.url).await;
        // As much as the other side takes; then it waits for somebody to read.
        let _ = timeout(Duration::from_secs(1), stream.write_all(ask.as_bytes())).await;
        streams.push(stream);
    }
    serves(&tenant).await;
    is_well(&raven, &tenant, before).await;
    drop(streams);
}

#[tokio::test]
async fn what_is_no_request_is_refused_at_once() {
    let (raven, tenant, before) = start("what_is_no_request_is_refused_at_once").await;
    let many = |count: usize| "X-One: more\r\n".repeat(count);
    let with = |headers: String| format!("GET /healthz HTTP/1.1\r\nHost: raven\r\n{headers}\r\n");
    let key = &tenant.key;
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00\x01\x02\x03".to_vec(), "400"),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec(), "400"),
        ("garbage", (0..=255).cycle().take(10_000).collect(), "400"),
        ("zeros", vec![0; 100_000], "400"),
        ("no end of a line", vec![b'G'; 1_000_000], "4"),
        ("too many headers", with(many(100_000)).into_bytes(), "4"),
        ("a hundred headers", with(many(100)).into_bytes(), "4"),
        ("a large header", with(format!("X-Large: {}\r\n", "x".repeat(1_000_000))).into_bytes(), "431"),
        ("two lengths", b"POST /v1/messages HTTP/1.1\r\nHost: r\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}".to_vec(), "400"),
        ("length and chunks", b"POST /v1/messages HTTP/1.1\r\nHost: r\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_vec(), "400"),
        ("a length below zero", b"POST /v1/messages HTTP/1.1\r\nHost: r\r\nContent-Length: -1\r\n\r\n".to_vec(), "400"),
        ("a length beyond all", b"POST /v1/messages HTTP/1.1\r\nHost: r\r\nContent-Length: 99999999999999999999999\r\n\r\n".to_vec(), "400"),
        ("a chunk beyond all", format!("POST /v1/messages HTTP/1.1\r\nHost: r\r\nX-Raven-Key: {key}\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n").into_bytes(), "400"),
        ("ten gigabytes", post("/v1/messages", &tenant, "Content-Length: 10000000000").into_bytes(), "413"),
        ("ten gigabytes of a webhook", post(tenant.webhook_url().path(), &tenant, "Content-Length: 10000000000").into_bytes(), "413"),
        ("ten gigabytes of management", post("/v1/suppressions", &tenant, "Content-Length: 10000000000").into_bytes(), "413"),
    ];
    for (what, bytes, status) in cases {
        let heard = say(&raven.url, &bytes).await.unwrap_or_else(|| panic!("{what}: never ended"));
        assert!(
            heard.starts_with(&format!("HTTP/1.1 {status}")) || heard.is_empty() && bytes.len() > 90_000,
            "{what}: {heard}"
        );
    }
    is_well(&raven, &tenant, before).await;
}

#[tokio::test]
async fn bodies_without_end_are_cut_off() {
    let (raven, tenant, before) = start("bodies_without_end_are_cut_off").await;
    let most = 200_000_000;
    let chunk = [b"100000\r\n".to_vec(), vec![b'['; 0x10_0000], b"\r\n".to_vec()].concat();
    for path in ["/v1/messages", tenant.webhook_url().path(), "/v1/suppressions", "/v1/nowhere"] {
        let mut stream = raw::connect(&raven.url).await;
        let head = post(path, &tenant, "Transfer-Encoding: chunked");
        stream.write_all(head.as_bytes()).await.expect("to be heard");
        let taken = within(DEADLINE, path, pours_until_cut(stream, &chunk, most)).await;
        assert!(taken < most, "{path} took {taken} bytes");
        serves(&tenant).await;
    }
    is_well(&raven, &tenant, before).await;
}

#[tokio::test]
async fn deep_json_breaks_nothing() {
    let (raven, tenant, before) = start("deep_json_breaks_nothing").await;
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        let field = format!(
            "{{\"to\": \"ann@example.com\", \"subject\": \"s\", \"bodyText\": \"t\", \"variables\": {deep}}}"
        );
        for (path, body) in [
            ("/v1/messages", &deep),
            ("/v1/messages", &field),
            ("/v1/messages/batch", &deep),
            ("/v1/suppressions", &deep),
            ("/v1/suppressions/import", &deep),
        ] {
            let request = tenant.request(Method::POST, path).body(body.clone());
            let reply = http::send(request).await;
            assert!((400..500).contains(&reply.status), "{path}: {reply:?}");
        }
        let event = format!(
            "[{{\"event\": \"open\", \"time\": 1767225600, \"MessageID\": 7, \"email\": \"d@example.net\", \"x\": {deep}}}]"
        );
        for body in [deep, event] {
            let reply = tenant.webhook(body).await;
            assert!([200, 400].contains(&reply.status), "{reply:?}");
        }
    }
    tenant.drained().await;
    is_well(&raven, &tenant, before).await;
}

#[tokio::test]
async fn pipelined_floods_and_half_closed_connections_are_served() {
    let (raven, tenant, before) = start("pipelined_floods_and_half_closed_connections_are_served").await;
    let body = plain("silent@example.com").to_string();
    let send = format!("{}{body}", post("/v1/messages", &tenant, &format!("Content-Length: {}", body.len())));
    let last = "GET /healthz HTTP/1.1\r\nHost: raven\r\nConnection: close\r\n\r\n";
    let mut floods = JoinSet::new();
    for _ in 0..8 {
        let (url, flood) = (raven.url.clone(), format!("{}{last}", send.repeat(50)));
        floods.spawn(async move {
            let mut stream = raw::connect(&url).await;
            let (mut read, mut write) = stream.split();
            let mut heard = String::new();
            let ((), read) = tokio::join!(
                async {
                    write.write_all(flood.as_bytes()).await.expect("to be heard");
                    write.shutdown().await.expect("to end one half");
                },
                read.read_to_string(&mut heard)
            );
            read.expect("answers");
            heard.matches("HTTP/1.1 200").count()
        });
    }
    serves(&tenant).await;
    for served in floods.join_all().await {
        assert_eq!(served, 51);
    }
    is_well(&raven, &tenant, before).await;
}

/// The small server of a worker stands the same.
#[tokio::test]
async fn the_worker_is_not_taken_down_either() {
    let (raven, tenant, _) = start("the_worker_is_not_taken_down_either").await;
    let url = &raven.worker_urls[0];
    let before = raven.workers[0].forget_peak();
    for bytes in [vec![0; 100_000], vec![b'G'; 1_000_000], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()] {
        say(url, &bytes).await.expect("an end");
    }
    let mut streams = Vec::new();
    for _ in 0..200 {
        streams.push(raw::connect(url).await);
    }
    let ready = http::client().get(url.join("readyz").expect("a path"));
    assert_eq!(within(SOON, "readiness", http::send(ready)).await.status, 200);
    until("connections to be given up", async || held(url), |held| *held < 10).await;
    assert!(raven.workers[0].peak().saturating_sub(before) < MEMORY);
    let id = serves(&tenant).await;
    tenant.settled(&id, "delivered").await;
}
