//! Callback URLs, senders and domains.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::Sim;

const CALLBACKS: &str = "/v3/REST/eventcallbackurl";

#[tokio::test]
async fn a_callback_url_is_unique_for_its_type_and_rank() {
    let sim = Sim::start();
    let row = json!({"EventType": "sent", "Url": "https://example.com/a", "Version": 2});
    let (status, made) = sim.post(CALLBACKS, &row).await;
    assert_eq!((status, &made["Count"], &made["Total"]), (201, &json!(1), &json!(1)));
    let made = &made["Data"][0];
    assert_eq!(made["Status"], "alive");
    assert_eq!((&made["IsBackup"], &made["Version"]), (&json!(false), &json!(2)));

    let (status, error) = sim.post(CALLBACKS, &row).await;
    assert_eq!(status, 400);
    let taken =
        "MJ18 A EventCallbackURL resource with value \"7|false\" for EventType|Backup already exists.";
    assert_eq!(error, json!({"ErrorInfo": "", "ErrorMessage": taken, "StatusCode": 400}));

    let element = format!("{CALLBACKS}/{}", made["ID"]);
    assert_eq!(sim.call(Method::PUT, &element, &row).await, (304, Value::Null));
    let (status, changed) = sim.call(Method::PUT, &element, &json!({"Version": 1})).await;
    assert_eq!((status, &changed["Data"][0]["Version"]), (200, &json!(1)));
    assert_eq!(sim.call(Method::DELETE, &element, &Value::Null).await, (204, Value::Null));
    assert_eq!(sim.call(Method::GET, &element, &Value::Null).await.0, 404);
    assert_eq!(sim.post(CALLBACKS, &json!({"EventType": "sent", "Url": "ftp://x"})).await.0, 400);
    assert_eq!(sim.post(CALLBACKS, &json!({"EventType": "sent", "Url": "https://a.invalid/"})).await.0, 400);
    assert_eq!(sim.post(CALLBACKS, &json!({"EventType": "typo", "Url": "https://x"})).await.0, 400);
}

#[tokio::test]
async fn a_url_that_was_given_up_is_revived_by_another_only() {
    let sim = Sim::start();
    let (_, made) = sim.post(CALLBACKS, &json!({"EventType": "open", "Url": "https://example.com/a"})).await;
    let account = made["Data"][0]["APIKeyID"].clone();
    assert!(account.is_u64(), "{made}");
    let rows = sim.get("/sim/callbacks/key").await["data"].clone();
    assert_eq!(rows, made["Data"]);
    assert_eq!(sim.post("/sim/callbacks/key/open%7Cfalse/dead", &Value::Null).await.0, 204);
    assert_eq!(sim.post("/sim/callbacks/key/open%7Ctrue/dead", &Value::Null).await.0, 404);
    let element = format!("{CALLBACKS}/6%7Cfalse");
    let same = json!({"Url": "https://example.com/a"});
    assert_eq!(sim.call(Method::PUT, &element, &same).await, (304, Value::Null));
    let (_, changed) = sim.call(Method::PUT, &element, &json!({"Version": 2})).await;
    assert_eq!(changed["Data"][0]["Status"], "dead");
    assert_eq!(sim.get(&format!("{CALLBACKS}?Status=dead")).await["Count"], 1);
    let (_, changed) = sim.call(Method::PUT, &element, &json!({"Url": "https://example.com/a?2"})).await;
    assert_eq!(changed["Data"][0]["Status"], "alive");
}

#[tokio::test]
async fn lists_have_ten_rows_unless_asked() {
    let sim = Sim::start();
    sim.register("https://example.com/a", 2).await;
    for kind in ["sent", "open", "click", "bounce"] {
        let row = json!({"EventType": kind, "Url": "https://example.com/b", "IsBackup": true});
        assert_eq!(sim.post(CALLBACKS, &row).await.0, 201);
    }
    assert_eq!(sim.get(CALLBACKS).await["Count"], 10);
    assert_eq!(sim.get(&format!("{CALLBACKS}?Limit=100")).await["Count"], 11);
    assert_eq!(sim.get(&format!("{CALLBACKS}?Offset=10")).await["Count"], 1);
    assert_eq!(sim.get(&format!("{CALLBACKS}?Backup=true")).await["Count"], 4);
    assert_eq!(sim.get(&format!("{CALLBACKS}?EventType=7")).await["Count"], 2);
    let key = sim.get(&format!("{CALLBACKS}/open%7Ctrue")).await;
    assert_eq!(key["Data"][0]["EventType"], "open");
}

#[tokio::test]
async fn a_domain_is_registered_and_checked() {
    let sim = Sim::start();
    let (status, made) = sim.post("/v3/REST/sender", &json!({"Email": "*@Example.org", "Name": "Org"})).await;
    assert_eq!(status, 201, "{made}");
    let sender = &made["Data"][0];
    assert_eq!((&sender["Email"], &sender["Status"]), (&json!("*@example.org"), &json!("Inactive")));
    let dns = sim.get(&format!("/v3/REST/dns/{}", sender["DNSID"])).await["Data"][0].clone();
    assert_eq!(dns, sim.get("/v3/REST/dns/example.org").await["Data"][0]);
    assert_eq!(dns["DKIMRecordName"], "mailjet._domainkey.example.org");
    assert_eq!((&dns["DKIMStatus"], &dns["SPFStatus"]), (&json!("Not checked"), &json!("Not checked")));
    assert!(!dns["OwnerShipToken"].as_str().unwrap().is_empty());

    let check = "/v3/REST/dns/example.org/check";
    let (_, found) = sim.post(check, &Value::Null).await;
    assert_eq!(found["Data"][0]["DKIMStatus"], "Error");
    let published = sim.post("/sim/dns/example.org", &json!({"dkim": true, "spf": true})).await;
    assert_eq!(published, (200, json!({"ownership": false, "dkim": true, "spf": true})));
    let (_, found) = sim.post(check, &Value::Null).await;
    assert_eq!(found["Data"][0]["DKIMRecordCurrentValue"], dns["DKIMRecordValue"]);
    assert_eq!(sim.get("/v3/REST/dns/example.org").await["Data"][0]["SPFStatus"], "OK");

    let validate = format!("/v3/REST/sender/{}/validate", sender["ID"]);
    let (status, failed) = sim.post(&validate, &Value::Null).await;
    assert_eq!((status, &failed["Data"][0]["ValidationMethod"]), (200, &json!("")));
    sim.post("/sim/dns/example.org", &json!({"ownership": true})).await;
    let (status, passed) = sim.post(&validate, &Value::Null).await;
    assert_eq!((status, &passed["Data"][0]["ValidationMethod"]), (200, &json!("DNS")));
    assert_eq!(sim.post(&validate, &Value::Null).await.0, 400);
}

#[tokio::test]
async fn records_that_are_there_and_wrong_are_shown_and_looks_are_counted() {
    let sim = Sim::start();
    sim.post("/v3/REST/sender", &json!({"Email": "*@example.org"})).await;
    let (_, published) =
        sim.post("/sim/dns/example.org", &json!({"dkim": true, "wrongDkim": true, "otherSpf": true})).await;
    assert_eq!(published["wrongDkim"], true);
    let (_, found) = sim.post("/v3/REST/dns/example.org/check", &json!({})).await;
    let found = &found["Data"][0];
    assert_eq!((&found["DKIMStatus"], &found["SPFStatus"]), (&json!("Error"), &json!("Error")));
    let dns = sim.get("/v3/REST/dns/example.org").await["Data"][0].clone();
    assert_ne!(found["DKIMRecordCurrentValue"], dns["DKIMRecordValue"]);
    let other = found["SPFRecordsCurrentValues"][0].as_str().unwrap();
    assert!(other.starts_with("v=spf1 ") && !other.contains("mailjet"), "{other}");
    let seen = sim.get("/sim/dns/example.org").await;
    assert_eq!((&seen["checks"], &seen["validations"]), (&json!(1), &json!(0)));
    sim.post("/sim/dns/example.org", &json!({"wrongDkim": false, "otherSpf": false, "spf": true})).await;
    let (_, found) = sim.post("/v3/REST/dns/example.org/check", &json!({})).await;
    assert_eq!(
        (&found["Data"][0]["DKIMStatus"], &found["Data"][0]["SPFStatus"]),
        (&json!("OK"), &json!("OK"))
    );
    assert_eq!(sim.get("/sim/dns/Example.org").await["checks"], 2);
}

#[tokio::test]
async fn a_deleted_sender_blocks_its_address_until_revived() {
    let sim = Sim::start();
    let row = json!({"Email": "ann@example.org"});
    assert_eq!(sim.post("/v3/REST/sender", &row).await.0, 201);
    let path = "/v3/REST/sender/ann@example.org";
    assert_eq!(sim.call(Method::PUT, path, &json!({})).await.0, 304);
    assert_eq!(sim.call(Method::DELETE, path, &Value::Null).await.0, 204);
    assert_eq!(sim.get("/v3/REST/sender?Domain=example.org").await["Count"], 0);
    assert_eq!(sim.get("/v3/REST/sender?Domain=example.org&ShowDeleted=true").await["Count"], 1);
    let (status, error) = sim.post("/v3/REST/sender", &row).await;
    assert_eq!(status, 400);
    assert!(error["ErrorMessage"].as_str().unwrap().contains("existing deleted sender"), "{error}");
    let (status, revived) = sim.call(Method::PUT, path, &json!({"Name": "Ann"})).await;
    assert_eq!((status, &revived["Data"][0]["Status"]), (200, &json!("Inactive")));
    assert_eq!(sim.get("/v3/REST/sender?Domain=example.org&Status=inactive").await["Count"], 1);
    assert_eq!(sim.post("/v3/REST/sender", &json!({"Email": "nobody"})).await.0, 400);
}
