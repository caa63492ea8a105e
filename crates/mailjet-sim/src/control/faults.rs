//! `/sim/faults`: what goes wrong.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use clap::ValueEnum;
use serde_json::json;

use super::{OrderError, order};
use crate::{
    events::post::PostOffice,
    faults::{FaultBoard, FaultKind},
};

type Board = web::Data<Arc<FaultBoard>>;

/// Mounts the control.
pub(super) fn mount(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/sim/faults").get(list).post(create).delete(clear))
        .service(web::resource("/sim/faults/{id}").delete(delete));
}

async fn create(body: web::Bytes, board: Board) -> Result<HttpResponse, OrderError> {
    let id = board.add(order(&body)?).map_err(|why| OrderError::Refused(why.to_owned()))?;
    Ok(HttpResponse::Created().json(json!({ "id": id })))
}

/// `kinds` are all that can be ordered, so that a test which means all of them cannot forget one.
async fn list(board: Board) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "data": board.all(), "kinds": FaultKind::value_variants() }))
}

async fn clear(board: Board, post: web::Data<Arc<PostOffice>>) -> HttpResponse {
    board.delete(None);
    post.release();
    HttpResponse::NoContent().finish()
}

async fn delete(
    id: web::Path<u64>,
    board: Board,
    post: web::Data<Arc<PostOffice>>,
) -> Result<HttpResponse, OrderError> {
    if board.delete(Some(*id)) == 0 {
        return Err(OrderError::NotFound("fault"));
    }
    post.release();
    Ok(HttpResponse::NoContent().finish())
}
