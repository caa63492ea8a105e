//! `/sim/callbacks/{account}`: what an account has registered, without asking for its secret; and
//! `/sim/callbacks/{account}/{element}/dead`: a URL given up at once, which else takes as long as the settings say.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use serde_json::json;

use super::OrderError;
use crate::events::{callback::Element, registry::Registry};

type Callbacks = web::Data<Arc<Registry>>;

/// Mounts the control.
pub(super) fn mount(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/sim/callbacks/{account}").get(list))
        .service(web::resource("/sim/callbacks/{account}/{element}/dead").post(bury));
}

async fn list(account: web::Path<String>, registry: Callbacks) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "data": registry.rows(&account) }))
}

async fn bury(path: web::Path<(String, String)>, registry: Callbacks) -> Result<HttpResponse, OrderError> {
    let (account, element) = path.into_inner();
    let element = Element::parse(&element).ok_or(OrderError::NotFound("element"))?;
    if registry.bury_row(&account, element) {
        Ok(HttpResponse::NoContent().finish())
    } else {
        Err(OrderError::NotFound("callback URL"))
    }
}
