//! Counting requests. Paths are counted as patterns and never logged with their query, which may hold a token.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use actix_web::dev::ServiceResponse;
use actix_web::http::Method;
use metrics::{Counter, Histogram};

/// The meters of one route, in one thread of the server. They are looked up once: to find a metric by its labels costs
/// more than to count.
pub(crate) struct Meter {
    route: &'static str,
    seconds: Histogram,
    requests: RefCell<HashMap<(&'static str, u16), Counter>>,
}

impl Meter {
    pub(crate) fn of(route: &'static str) -> Self {
        let seconds = metrics::histogram!("raven_http_request_seconds", "route" => route);
        Self { route, seconds, requests: RefCell::default() }
    }

    fn note(&self, method: &'static str, status: u16, took: Duration) {
        tracing::debug!(method, route = self.route, status, took = took.as_secs_f64());
        self.seconds.record(took.as_secs_f64());
        let mut requests = self.requests.borrow_mut();
        let counter = requests.entry((method, status)).or_insert_with(|| {
            let status = status.to_string();
            metrics::counter!(
                "raven_http_requests_total", "method" => method, "route" => self.route, "status" => status
            )
        });
        counter.increment(1);
    }
}

/// A method as a label. Those that nothing here takes are one: a caller could make up any number.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}

/// Counts a request, which took so long, under the innermost [`Meter`] of its way: that of its route, or else the
/// application's.
pub(crate) fn count<B>(response: &ServiceResponse<B>, took: Duration) {
    let request = response.request();
    if let Some(meter) = request.app_data::<Meter>() {
        meter.note(method(request.method()), response.status().as_u16(), took);
    }
}
