//! `/healthz`, `/readyz` and `/metrics`, the same in every process.

use std::net::TcpListener;

use actix_web::web::{Data, ServiceConfig, get};
use actix_web::{App, HttpResponse, HttpServer};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;

use crate::Readiness;

/// What the three routes answer from.
#[derive(Clone)]
pub struct Ops {
    /// Whether work can be done.
    pub readiness: Readiness,
    /// What was counted.
    pub metrics: PrometheusHandle,
}

/// Adds the routes to an application.
pub fn routes(ops: &Ops) -> impl FnOnce(&mut ServiceConfig) + use<> {
    let ops = Data::new(ops.clone());
    move |config| {
        config
            .app_data(ops)
            .route("/healthz", get().to(async || HttpResponse::Ok().content_type("text/plain").body("ok\n")))
            .route("/readyz", get().to(ready))
            .route("/metrics", get().to(metrics));
    }
}

async fn ready(ops: Data<Ops>) -> HttpResponse {
    let (ready, report) = ops.readiness.report();
    let mut response = if ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.json(report)
}

async fn metrics(ops: Data<Ops>) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(ops.metrics.render())
}

/// Serves the three routes alone, for a process that has no other, until shutdown.
pub async fn serve(listener: TcpListener, ops: Ops, shutdown: CancellationToken) -> std::io::Result<()> {
    let server = HttpServer::new(move || App::new().configure(routes(&ops)))
        .workers(1)
        .disable_signals()
        .shutdown_timeout(1)
        .listen(listener)?
        .run();
    let handle = server.handle();
    let stop = async {
        shutdown.cancelled().await;
        handle.stop(true).await;
    };
    tokio::join!(server, stop).0
}
