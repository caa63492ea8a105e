//! Payloads as Mailjet has been seen to word them, and worse: each lands as the contract's table says, and none costs
//! its neighbours anything.

use futures_util::future::join_all;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::harness::{Copy, Raven, wait::until};

/// A byte that is no UTF-8, as a mail server writes it that speaks Latin 1.
const LATIN: u8 = 0xe9;

/// A body about one copy, and what becomes of it.
struct Case {
    name: &'static str,
    /// With `$id`, `$email`, `$number` and `$guid` for those of the copy, `$is` for fields that identify it and tell a
    /// time, and `¿` for the byte [`LATIN`].
    body: &'static str,
    types: &'static [&'static str],
    status: &'static str,
    suppression: Option<&'static str>,
}

impl Case {
    fn body(&self, copy: &Copy) -> Vec<u8> {
        let is = r#""time":1767225601,"MessageID":$number,"Message_GUID":"$guid","email":"$email","CustomID":"$id""#;
        let text =
            self.body.replace("$is", is).replace("$id", &copy.custom_id).replace("$email", &copy.email);
        let text = text.replace("$number", &copy.number.to_string()).replace("$guid", &copy.guid);
        text.split('¿').map(str::as_bytes).collect::<Vec<_>>().join(&LATIN)
    }
}

const fn case(
    name: &'static str,
    body: &'static str,
    types: &'static [&'static str],
    status: &'static str,
    suppression: Option<&'static str>,
) -> Case {
    Case { name, body, types, status, suppression }
}

const HARD: Option<&str> = Some("hard_bounce");

const CASES: [Case; 22] = [
    case(
        "texts",
        r#"[{"event":"bounce","time":"1767225601","MessageID":"$number","email":"$email","hard_bounce":"true","blocked":"false"}]"#,
        &["hard_bounce"],
        "bounced",
        HARD,
    ),
    case(
        "number",
        r#"[{"event":"bounce",$is,"hard_bounce":1,"error":550}]"#,
        &["hard_bounce"],
        "bounced",
        HARD,
    ),
    case(
        "empty",
        r#"[{"event":"bounce",$is,"hard_bounce":"","comment":"421 later"}]"#,
        &["soft_bounce"],
        "bounced",
        None,
    ),
    case(
        "null",
        r#"[{"event":"bounce",$is,"hard_bounce":null,"error":null}]"#,
        &["soft_bounce"],
        "bounced",
        None,
    ),
    case(
        "shifted",
        r#"[{"event":"bounce",$is,"hard_bounce":false,"error_related_to":"policy issue","error":""}]"#,
        &["soft_bounce"],
        "bounced",
        None,
    ),
    case(
        "grey",
        r#"[{"event":"bounce",$is,"hard_bounce":"false","error":"greylisted"}]"#,
        &["deferred"],
        "sent",
        None,
    ),
    case(
        "hard-grey",
        r#"[{"event":"bounce",$is,"hard_bounce":true,"error":"greylisted"}]"#,
        &["hard_bounce"],
        "bounced",
        HARD,
    ),
    case(
        "block",
        r#"[{"event":"blocked",$is,"error":"preblocked","error_related_to":"mailjet"}]"#,
        &["blocked"],
        "blocked",
        None,
    ),
    case("twice", r#"[{"event":"blocked",$is,"error":"duplicate in campaign"}]"#, &["blocked"], "sent", None),
    case(
        "spam",
        r#"[{"event":"spam",$is,"source":""}]"#,
        &["spam_complaint"],
        "complained",
        Some("spam_complaint"),
    ),
    case(
        "unsub",
        r#"[{"event":"unsub",$is,"mj_list_id":""}]"#,
        &["unsubscribe"],
        "unsubscribed",
        Some("unsubscribed"),
    ),
    case("open", r#"[{"event":"open",$is,"ip":"","geo":"","agent":null}]"#, &["open"], "sent", None),
    case("version1", "\u{feff}{\"event\":\"sent\",$is}", &["delivered"], "delivered", None),
    case("mark", "\u{feff}[{\"event\":\"sent\",$is}]\n", &["delivered"], "delivered", None),
    case(
        "float",
        r#"[{"event":"sent","time":1767225601.0,"MessageID":1.152921505370435e18,"email":"$email","CustomID":"$id"}]"#,
        &["delivered"],
        "delivered",
        None,
    ),
    case(
        "old",
        r#"[{"event":"sent","email":"$email","mj_message_id":"$number","time":1767225601}]"#,
        &["delivered"],
        "delivered",
        None,
    ),
    case(
        "twins",
        r#"[{"event":"spam","event":"sent",$is,"hard_bounce":true}]"#,
        &["delivered"],
        "delivered",
        None,
    ),
    case("new", r#"[{"event":"future",$is,"hard_bounce":true}]"#, &["unknown"], "sent", None),
    case(
        "case",
        r#"[{"event":"Spam",$is},{"event":["unsub"],$is},{"event":null,$is}]"#,
        &["unknown"; 3],
        "sent",
        None,
    ),
    case(
        "latin",
        r#"[{"event":"bounce",$is,"hard_bounce":true,"comment":"utilisateur ¿tranger"}]"#,
        &["hard_bounce"],
        "bounced",
        HARD,
    ),
    case(
        "garbage",
        r#"[7,null,"¿",[[]],{},{"¿":"\ud800"},{"event":"sent","email":[],"MessageID":{}},{"event":"sent",$is},{"\udfff":1},-0.0]"#,
        &["delivered"],
        "delivered",
        None,
    ),
    case(
        "made-up",
        r#"[{"event":"spam",$is,"MessageID":"0"},{"event":"unsub",$is,"MessageID":0.0},{"event":"spam",$is,"email":" "},
            {"event":"bounce",$is,"email":{},"hard_bounce":true},{"event":"bounce",$is,"email":"a¿b@example.com","hard_bounce":true}]"#,
        &[],
        "sent",
        None,
    ),
];

#[tokio::test]
async fn payloads_land_as_the_table_says() {
    let raven = Raven::start("payloads_land_as_the_table_says").await;
    let tenant = raven.tenant().await;
    let copies = join_all(CASES.iter().map(|case| tenant.silent(case.name))).await;
    for round in 0..2 {
        for (case, (_, copy)) in CASES.iter().zip(&copies) {
            let reply = tenant.webhook(case.body(copy)).await;
            assert_eq!((reply.status, reply.text.as_str()), (200, ""), "{}: {reply:?}", case.name);
        }
        tenant.drained().await;
        for (case, (id, copy)) in CASES.iter().zip(&copies) {
            let name = format!("{} in round {round}", case.name);
            assert_eq!(tenant.event_types(id).await, case.types, "{name}");
            let message = tenant.message(id).await;
            assert_eq!(message["status"], case.status, "{name}: {message}");
            assert_eq!(message["recipients"][0]["status"], case.status, "{name}: {message}");
            assert_eq!(tenant.suppression(&copy.email).await.as_deref(), case.suppression, "{name}");
        }
    }
}

#[tokio::test]
async fn fields_of_payloads_are_read_whatever_their_type() {
    let raven = Raven::start("fields_of_payloads_are_read_whatever_their_type").await;
    let tenant = raven.tenant().await;
    let (id, copy) = tenant.silent("fields").await;
    let common = json!({"MessageID": copy.number.to_string(), "email": copy.email.to_uppercase()});
    let more = [
        json!({"event": "click", "time": "1767225601", "url": " https://shop.example/ ", "ip": "", "geo": [], "agent": null}),
        json!({"event": "open", "time": 1_767_225_602.0, "url": "", "ip": "192.0.2.7", "geo": "EU", "agent": "A"}),
        json!({"event": "open", "time": 1_767_225_602, "ip": "192.0.2.7", "geo": "EU", "agent": "B"}),
        json!({"event": "bounce", "time": 1_767_225_603_250_u64, "comment": "", "error": 550, "hard_bounce": "1"}),
    ];
    let events: Vec<Value> = more
        .into_iter()
        .map(|mut event| {
            let own = event.as_object_mut().unwrap();
            own.extend(common.as_object().unwrap().clone());
            event
        })
        .collect();
    tenant.tell(&events).await;
    tenant.told(&id, &["click", "open", "open", "hard_bounce"]).await;
    let told = tenant.events(&id).await;
    let read = |event: &Value| {
        let names = ["occurredAt", "reason", "url", "ip", "geo", "userAgent"];
        names.map(|name| event[name].as_str().map(str::to_owned)).map(Option::unwrap_or_default).join("|")
    };
    let mut opens = [read(&told[1]), read(&told[2])];
    opens.sort();
    assert_eq!(read(&told[0]), "2026-01-01T00:00:01Z||https://shop.example/|||");
    assert_eq!(opens, ["A", "B"].map(|agent| format!("2026-01-01T00:00:02Z|||192.0.2.7|EU|{agent}")));
    assert_eq!(read(&told[3]), "2026-01-01T00:00:03.25Z|550||||");
    for (event, number) in told.iter().zip([0, 1, 2, 3]) {
        assert_eq!(event["providerMessageId"], copy.number.to_string());
        assert!(events.contains(&event["raw"]), "{number}: {event}");
    }
}

#[tokio::test]
async fn payloads_of_a_thousand_items_are_sorted_out() {
    let raven = Raven::start("payloads_of_a_thousand_items_are_sorted_out").await;
    let tenant = raven.tenant().await;
    let copies = join_all(["a", "b", "c", "d"].map(|local| tenant.silent(local))).await;
    let mut items: Vec<String> = Vec::new();
    for second in 0..200 {
        items.extend(copies.iter().map(|(_, copy)| copy.open(second).to_string()));
        let garbage =
            ["null", r#"{"event":"\ud800"}"#, "[[[]]]", r#"{"event":"spam","email":"","MessageID":7}"#];
        items.push(garbage[usize::try_from(second).unwrap() % garbage.len()].to_owned());
    }
    assert_eq!(items.len(), 1000);
    let body = format!("[{}]", items.join(","));
    for _ in 0..2 {
        assert_eq!(tenant.webhook(body.clone()).await.status, 200);
    }
    // Large bodies have a queue and a lane of their own, so this is the last of it.
    let last = serde_json::json!({"event": "spam", "time": 1_767_225_600, "MessageID": 7, "email": "last@example.net",
        "Payload": "x".repeat(70_000)});
    tenant.tell(&[last]).await;
    until("the last body", async || tenant.suppression("last@example.net").await, Option::is_some).await;
    for (id, copy) in &copies {
        let answer = tenant.get(&format!("/v1/messages/{id}/events?limit=500")).await.expect(200);
        let events = answer["data"].as_array().unwrap();
        assert_eq!(events.len(), 200);
        assert!(events.iter().all(|event| event["recipient"] == copy.email), "{copy:?}");
        assert_eq!(tenant.message(id).await["status"], "sent");
    }
}

/// Bytes of any kind, rows of pieces of JSON, and bodies that are nearly right.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let pieces: [&[u8]; 18] = [
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"\"event\"",
        b"\"sent\"",
        b"\"\xff\"",
        b"\"\\ud800\"",
        b"1e999",
        b"-0",
        b"null",
        b" ",
        b"\0",
        b"\xef\xbb\xbf",
        b"\"email\":\"a@example.com\"",
        b"\"MessageID\":7",
    ];
    let pieces = vec(select(pieces.to_vec()), 0..14).prop_map(|pieces| pieces.concat());
    let whole =
        br#"[{"event":"open","time":1767225601,"MessageID":7,"email":"a@example.com","agent":"x"},null]"#;
    let damaged = (Just(whole.to_vec()), 0..whole.len(), any::<u8>()).prop_map(|(mut body, place, byte)| {
        body[place] = byte;
        body
    });
    prop_oneof![vec(any::<u8>(), 0..200), pieces, damaged]
}

#[tokio::test]
async fn payloads_of_any_bytes_are_taken_or_malformed() {
    let raven = Raven::start("payloads_of_any_bytes_are_taken_or_malformed").await;
    let tenant = raven.tenant().await;
    let mut runner = TestRunner::deterministic();
    let bodies: Vec<Vec<u8>> =
        (0..300).map(|_| body().new_tree(&mut runner).expect("a body").current()).collect();
    let mut taken = 0;
    for some in bodies.chunks(20) {
        let replies = join_all(some.iter().map(|body| tenant.webhook(body.clone()))).await;
        for (body, reply) in some.iter().zip(replies) {
            if reply.status == 200 {
                taken += 1;
            } else {
                assert_eq!(reply.status, 400, "{:?}: {reply:?}", String::from_utf8_lossy(body));
                reply.problem(400, "malformed_json");
            }
        }
    }
    assert!((30..270).contains(&taken), "both answers are well tried: {taken} were taken");
    // Whatever was taken, the worker got through it; a dead letter would fail the test.
    tenant.drained().await;
}
