//! The application, apart from its socket.

use std::sync::Arc;

use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web::{Data, PathConfig, ServiceConfig, get, post};
use actix_web::{App, Error, middleware, web};
use provisioning::Provisioner;
use service::ops::Ops;
use store::{Keyring, Store};
use tokio::time::Instant;

use crate::body::Budget;
use crate::directory::Directory;
use crate::door::{Outlet, Replays};
use crate::limits::{self, Limits};
use crate::metering::Meter;
use crate::problem::{Code, Problem};
use crate::resource::at;
use crate::server::Patience;
use crate::{docs, door, health, manage, metering, openapi, read};

/// What handlers are given, each only what it asks for.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) ops: Ops,
    pub(crate) directory: Directory,
    pub(crate) limits: Arc<Limits>,
    pub(crate) replays: Arc<Replays>,
    pub(crate) outlet: Arc<Outlet>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) store: Store,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) provisioner: Provisioner,
    pub(crate) public_url: Arc<str>,
}

/// Mounts every route.
pub(crate) fn build(
    parts: Parts,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = Error,
        InitError = (),
    >,
> {
    App::new()
        .app_data(PathConfig::default().error_handler(|_, _| not_found().into()))
        .app_data(Data::new(parts.ops))
        .app_data(Data::new(parts.directory))
        .app_data(Data::from(parts.replays))
        .app_data(Data::from(parts.outlet))
        .app_data(Data::from(parts.budget))
        .app_data(Data::new(parts.store))
        .app_data(Data::from(parts.keyring))
        .app_data(Data::new(parts.provisioner))
        .app_data(Data::from(parts.public_url))
        .app_data(Data::from(parts.limits))
        .app_data(Meter::of("none"))
        .wrap(middleware::from_fn(around))
        .configure(api)
        .default_service(web::to(nowhere))
}

/// The routes of the API. Where two areas share a path, the path stands here once.
pub(crate) fn api(config: &mut ServiceConfig) {
    door::routes(config);
    config.service(at("/v1/messages").route(post().to(door::send)).route(get().to(read::list_messages)));
    read::routes(config);
    manage::routes(config);
    health::routes(config);
    openapi::routes(config);
    docs::routes(config);
}

/// What is done for every request, in one layer: each has its price.
async fn around(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let started = Instant::now();
    let patience = request.conn_data::<Patience>().cloned();
    if let Some(patience) = &patience {
        patience.work();
    }
    let answer = next.call(request).await;
    if let Some(patience) = patience {
        patience.answered(answer.as_ref().map_or(BodySize::None, |answer| answer.response().body().size()));
    }
    let mut response = answer?;
    limits::tell(&mut response);
    metering::count(&response, started.elapsed());
    Ok(response)
}

async fn nowhere() -> Problem {
    not_found()
}

fn not_found() -> Problem {
    Problem::new(Code::NotFound, "There is nothing at this address.")
}
