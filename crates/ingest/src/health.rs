//! What ingest needs to do its work.

use std::sync::Arc;

use actix_web::web::{ServiceConfig, get};
use broker::State;
use service::ops::{self, Ops};
use service::telemetry::PrometheusHandle;
use service::{Check, Liveness, Readiness};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi as Document;

use crate::resource::at;
use crate::spool::Status;

/// The routes that every process has, with refusals in the form of this one.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(at("/healthz").route(get().to(ops::alive)))
        .service(at("/readyz").route(get().to(ops::ready)))
        .service(at("/metrics").route(get().to(ops::counted)));
}

/// What the OpenAPI document says of these routes.
pub(crate) fn document() -> Document {
    ops::Docs::openapi()
}

/// Ready when the broker takes messages. Without the database sends and webhooks of known tenants are still
/// accepted, so its absence is told but does not take ingest out of service. A ring that lacks keys does: it would have
/// been refused at the start if Postgres had been there.
///
/// With a spool the broker's absence is told and no more, as long as there is room for what is accepted meanwhile.
pub(crate) fn ops(
    liveness: Liveness,
    (broker, spool): (watch::Receiver<State>, Option<watch::Receiver<Status>>),
    (database, keys): (watch::Receiver<Option<String>>, watch::Receiver<Option<String>>),
    shutdown: CancellationToken,
    metrics: PrometheusHandle,
) -> Ops {
    liveness.watch("publisher", &broker);
    liveness.watch("database", &database);
    let (mut checks, required) = (Vec::new(), spool.is_none());
    if let Some(spool) = spool {
        let (state, status, spool) = (broker.clone(), spool.clone(), spool);
        let shut = move || status.borrow().shut(state.borrow().is_up());
        let fault = move || spool.borrow().fault();
        checks.push(Check { name: "spool", required: true, fault: Arc::new(shut) });
        checks.push(Check { name: "spool_room", required: false, fault: Arc::new(fault) });
    }
    let broker = move || {
        let state = broker.borrow();
        (!state.is_up()).then(|| state.to_string())
    };
    let database = move || database.borrow().clone();
    let keys = move || keys.borrow().clone();
    let ending = move || shutdown.is_cancelled().then(|| "shutting down".to_owned());
    checks.extend([
        Check { name: "rabbitmq", required, fault: Arc::new(broker) },
        Check { name: "postgres", required: false, fault: Arc::new(database) },
        Check { name: "encryption_keys", required: true, fault: Arc::new(keys) },
        Check { name: "process", required: true, fault: Arc::new(ending) },
    ]);
    Ops { liveness, readiness: Readiness::new(checks), metrics }
}
