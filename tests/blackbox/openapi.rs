//! The API tells of itself, and keeps to it where no schema is needed to see that. The rest is `cargo xtask api-test`.

use reqwest::Method;
use serde_json::json;

use crate::harness::{Raven, http, plain};

#[tokio::test]
async fn the_document_and_its_page_need_no_key() {
    let raven = Raven::without_worker("the_document_and_its_page_need_no_key").await;
    let document = http::send(raven.request(Method::GET, "/openapi.json")).await.expect(200);
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    assert_eq!(document["paths"]["/v1/messages"]["post"]["operationId"], "sendMessage");
    let page = http::send(raven.request(Method::GET, "/docs")).await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").starts_with("text/html"), "{page:?}");
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
}

#[tokio::test]
async fn a_method_that_is_refused_is_told_which_are_not() {
    let raven = Raven::without_worker("a_method_that_is_refused_is_told_which_are_not").await;
    let tenant = raven.tenant().await;
    for (method, path, allowed) in [
        (Method::PATCH, "/v1/messages", "GET, POST"),
        (Method::OPTIONS, "/v1/providers/mailjet", "GET, PUT, DELETE"),
        (Method::TRACE, "/v1/webhooks/email/mailjet/x", "POST"),
        (Method::POST, "/healthz", "GET"),
        (Method::DELETE, "/docs", "GET"),
    ] {
        let reply = http::send(tenant.request(method, path)).await;
        assert_eq!(reply.header("allow"), allowed, "{path}");
        reply.problem(405, "method_not_allowed");
    }
}

#[tokio::test]
async fn lists_do_not_guess_and_numbers_may_be_written_in_any_way() {
    let raven = Raven::without_worker("lists_do_not_guess_and_numbers_may_be_written_in_any_way").await;
    let tenant = raven.tenant().await;
    let twice = tenant.get("/v1/messages?limit=1&limit=2").await.problem(422, "validation_failed");
    assert_eq!(twice["errors"][0]["pointer"], "?limit");
    tenant.get("/v1/messages?cursor=").await.expect(200);
    for path in ["/v1/messages/%ff", "/v1/messages/%zz", "/v1/messages/%00"] {
        tenant.get(path).await.problem(404, "not_found");
    }
    let mut message = plain("ann@example.com");
    message["templateId"] = json!(42.0);
    tenant.post("/v1/messages", &message).await.expect(200);
    message["templateId"] = json!(42.5);
    tenant.post("/v1/messages", &message).await.problem(422, "validation_failed");
}
