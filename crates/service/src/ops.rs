//! `/healthz`, `/readyz` and `/metrics`, the same in every process.

use std::net::TcpListener;

use actix_web::web::{Data, ServiceConfig, get};
use actix_web::{App, HttpResponse, HttpServer};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;
use utoipa::OpenApi;

use crate::health::Report;
use crate::{Liveness, Readiness};

/// What the three routes answer from.
#[derive(Clone)]
pub struct Ops {
    /// Whether a restart would help.
    pub liveness: Liveness,
    /// Whether work can be done.
    pub readiness: Readiness,
    /// What was counted.
    pub metrics: PrometheusHandle,
}

/// What the OpenAPI document says of the three routes.
#[derive(OpenApi)]
#[openapi(paths(alive, ready, counted))]
pub struct Docs;

/// Adds the routes to an application that has no other.
pub fn routes(ops: &Ops) -> impl FnOnce(&mut ServiceConfig) + use<> {
    let ops = Data::new(ops.clone());
    move |config| {
        config
            .app_data(ops)
            .route("/healthz", get().to(alive))
            .route("/readyz", get().to(ready))
            .route("/metrics", get().to(counted));
    }
}

/// Tells whether the process lives.
///
/// It says nothing of what the process depends on: restart it when there is no answer, or another one than 200.
#[utoipa::path(
    get, path = "/healthz", tag = "Health", operation_id = "getHealth", security(()),
    responses(
        (status = 200, description = "It lives.", body = String, content_type = "text/plain", example = "ok\n"),
        (
            status = 503, description = "Something in it hangs or has ended, and only a restart helps; a line for each.",
            body = String, content_type = "text/plain", example = "due: at one turn for 601 s\n"
        ),
    ),
)]
pub async fn alive(ops: Data<Ops>) -> HttpResponse {
    let faults = ops.liveness.faults();
    if faults.is_empty() {
        return HttpResponse::Ok().content_type("text/plain").body("ok\n");
    }
    HttpResponse::ServiceUnavailable().content_type("text/plain").body(faults.join("\n") + "\n")
}

/// Tells whether the process can do its work now.
///
/// What is required and away makes it not ready; what it can do without for a while is told only.
#[utoipa::path(
    get, path = "/readyz", tag = "Health", operation_id = "getReadiness", security(()),
    responses(
        (status = 200, description = "It can do its work.", body = Report),
        (status = 503, description = "It cannot; the report says what is missing.", body = Report),
    ),
)]
pub async fn ready(ops: Data<Ops>) -> HttpResponse {
    let (ready, report) = ops.readiness.report();
    let mut response = if ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.json(report)
}

/// What the process has counted, for Prometheus.
#[utoipa::path(
    get, path = "/metrics", tag = "Health", operation_id = "getMetrics", security(()),
    responses((
        status = 200, description = "Metrics in Prometheus' text format.", body = String,
        content_type = "text/plain", example = "raven_http_requests_total{method=\"POST\",route=\"/v1/messages\",status=\"200\"} 42\n"
    )),
)]
pub async fn counted(ops: Data<Ops>) -> HttpResponse {
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
