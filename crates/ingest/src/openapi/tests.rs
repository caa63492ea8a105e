//! The document holds what the routes do.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::App;
use actix_web::http::Method;
use actix_web::http::header::ALLOW;
use actix_web::test::{TestRequest, call_service, init_service};
use serde_json::Value;

use super::document;
use crate::app;
use crate::problem::Code;
use crate::resource::mounted;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

fn json() -> Value {
    serde_json::to_value(document()).unwrap()
}

/// Path, method and operation of each.
fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let of = |(path, item)| {
        let methods = Value::as_object(item).unwrap().iter();
        methods.filter(|(name, _)| METHODS.contains(&name.as_str())).map(move |(name, it)| (path, name, it))
    };
    paths
        .iter()
        .flat_map(of)
        .map(|(path, method, it): (&String, &String, _)| (&**path, &**method, it))
        .collect()
}

#[test]
fn the_document() {
    insta::with_settings!({ snapshot_path => "../snapshots", prepend_module_to_snapshot => false }, {
        insta::assert_json_snapshot!("openapi", json());
    });
}

#[test]
fn every_operation_has_a_name_of_its_own_a_summary_and_a_described_tag() {
    let document = json();
    let tags: BTreeSet<&str> =
        document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    let mut names = BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        let name = operation["operationId"].as_str().unwrap();
        assert!(names.insert(name), "{name} stands twice");
        assert!(!name.contains('_'), "{method} {path} has only the name of its function: {name}");
        assert!(operation["summary"].as_str().is_some_and(|text| text.ends_with('.')), "{name}");
        assert!(
            tags.contains(operation["tags"][0].as_str().unwrap()),
            "{name} has a tag that is not described"
        );
    }
}

/// An application without what handlers need: a route that is there fails, and one that is not is refused.
#[actix_web::test]
async fn paths_and_methods_are_those_of_the_routes() {
    let app = init_service(App::new().configure(app::api)).await;
    let document = json();
    let mut documented = BTreeMap::<&str, BTreeSet<&str>>::new();
    for (path, method, _) in operations(&document) {
        documented.entry(path).or_default().insert(method);
    }
    assert_eq!(documented.keys().copied().collect::<BTreeSet<_>>(), mounted::paths());
    for (path, methods) in documented {
        for method in METHODS.into_iter().chain(["head", "options", "trace"]) {
            let name = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let request = TestRequest::default().method(name).uri(&path.replace(['{', '}'], "")).to_request();
            let response = call_service(&app, request).await;
            let refused = response.status() == 405;
            assert_eq!(!refused, methods.contains(method), "{method} {path}: {}", response.status());
            if refused {
                let allowed = response.headers().get(ALLOW).unwrap().to_str().unwrap().to_lowercase();
                assert_eq!(allowed.split(", ").collect::<BTreeSet<_>>(), methods, "{path}");
            }
        }
    }
}

#[test]
fn what_has_no_body_is_not_told_of_faults_in_it() {
    let document = json();
    for (path, method, operation) in operations(&document) {
        let of_bodies =
            ["400", "408", "413"].iter().any(|status| operation["responses"].get(status).is_some());
        assert_eq!(of_bodies, operation.get("requestBody").is_some(), "{method} {path}");
    }
}

#[test]
fn only_sends_and_webhooks_need_the_queue_and_webhooks_are_never_limited() {
    let document = json();
    for (path, method, operation) in operations(&document) {
        let of = |status: &str| operation["responses"][status]["$ref"].as_str().unwrap_or_default();
        let queue = of("503").contains("queue_unavailable");
        let known = ["sendMessage", "sendBatch", "receiveWebhook"];
        assert_eq!(queue, known.contains(&operation["operationId"].as_str().unwrap()), "{method} {path}");
        let keyed = operation.get("security").is_none();
        assert_eq!(operation["responses"].get("429").is_some(), keyed, "{method} {path}");
    }
}

#[test]
fn every_code_occurs() {
    let document = json();
    let all = document["components"]["responses"].to_string();
    let introduction = document["info"]["description"].as_str().unwrap();
    // Methods that are refused are not documented.
    let elsewhere = [Code::MethodNotAllowed];
    for code in Code::ALL {
        assert!(introduction.contains(&format!("`{}`", code.as_str())));
        assert!(elsewhere.contains(&code) || all.contains(&format!("\"{}\"", code.as_str())), "{code:?}");
    }
    assert_eq!(document["components"]["schemas"]["Code"]["enum"].as_array().unwrap().len(), Code::ALL.len());
}

#[test]
fn every_reference_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|member| references(member, found));
            }
            _ => {}
        }
    }
    let document = json();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    for reference in found {
        assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
    }
}
