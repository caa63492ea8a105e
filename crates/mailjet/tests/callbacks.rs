//! Registering a URL where one is registered already, against a server that plays back what Mailjet says.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use mailjet::{CallbackEvent, Client, Credentials, RestError};

const TAKEN: &str = r#"{"ErrorInfo":"","ErrorMessage":"MJ18 A EventCallbackURL resource with value \"7|true\" for EventType|Backup already exists.","StatusCode":400}"#;
const URL: &str = "https://raven:rwt1@h.example/hook";

/// Answers one request after the other, each on a connection of its own; gives back what was asked.
fn play(answers: &'static [(u16, &'static str)]) -> (Client, JoinHandle<Vec<String>>) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let one = |(status, body): &(u16, &str)| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            let mut chunk = [0; 4096];
            while !is_whole(&asked) {
                let count = stream.read(&mut chunk).unwrap();
                asked.extend_from_slice(&chunk[..count]);
            }
            let length = body.len();
            let head =
                format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
            stream.write_all((head + body).as_bytes()).unwrap();
            String::from_utf8(asked).unwrap()
        };
        answers.iter().map(one).collect()
    });
    (Client::new(&base, Duration::from_secs(10)).unwrap(), server)
}

fn is_whole(asked: &[u8]) -> bool {
    let text = String::from_utf8_lossy(asked).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.and_then(|length| length.trim().parse().ok()).unwrap_or(0)
}

fn account() -> Credentials {
    Credentials { api_key: "k".into(), api_secret: "s".into() }
}

#[tokio::test]
async fn a_row_in_the_way_is_changed_by_its_number() {
    let (client, server) = play(&[
        (400, TAKEN),
        (
            200,
            r#"{"Data":[{"ID":"11","EventType":"sent","IsBackup":false},{"ID":12,"EventType":"sent","IsBackup":true}]}"#,
        ),
        (304, ""),
    ]);
    client.rest(&account()).set_callback(CallbackEvent::Sent, true, URL).await.unwrap();
    let asked = server.join().unwrap();
    let lines: Vec<&str> = asked.iter().filter_map(|text| text.lines().next()).collect();
    assert_eq!(lines[0], "POST /v3/REST/eventcallbackurl HTTP/1.1");
    assert!(asked[0].ends_with(
        r#"{"EventType":"sent","IsBackup":true,"Url":"https://raven:rwt1@h.example/hook","Version":2}"#
    ));
    assert!(lines[1].starts_with("GET /v3/REST/eventcallbackurl?Limit="), "{lines:?}");
    assert_eq!(lines[2], "PUT /v3/REST/eventcallbackurl/12 HTTP/1.1");
}

#[tokio::test]
async fn a_row_that_is_not_listed_is_changed_by_its_type_and_rank() {
    let (client, server) = play(&[(400, TAKEN), (200, r#"{"Data":[]}"#), (200, r#"{"Data":[{"ID":12}]}"#)]);
    client.rest(&account()).set_callback(CallbackEvent::Sent, true, URL).await.unwrap();
    assert!(server.join().unwrap()[2].starts_with("PUT /v3/REST/eventcallbackurl/7%7Ctrue "));
}

#[tokio::test]
async fn a_refusal_does_not_repeat_the_url() {
    let (client, server) =
        play(&[(400, r#"{"ErrorMessage":"Invalid value for \"Url\": https://raven:rwt1@h.example/hook"}"#)]);
    let fault = client.rest(&account()).set_callback(CallbackEvent::Open, false, URL).await.unwrap_err();
    server.join().unwrap();
    assert!(
        matches!(&fault, RestError::Refused { status: 400, .. }) && !fault.to_string().contains("rwt1"),
        "{fault}"
    );
}
