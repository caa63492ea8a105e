//! A receiver of events that answers as it is told.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, http::StatusCode, web};
use serde_json::Value;
use tokio_util::task::TaskTracker;

use crate::harness::until;

/// One request that came in.
#[derive(Debug, Clone)]
pub(crate) struct Hit {
    pub(crate) body: Value,
    pub(crate) authorization: Option<String>,
}

/// What came in, and the statuses of the next answers; 200 when there are none.
#[derive(Default)]
struct Book {
    hits: Mutex<Vec<Hit>>,
    answers: Mutex<VecDeque<u16>>,
}

pub(crate) struct Receiver {
    pub(crate) address: String,
    book: Arc<Book>,
}

impl Receiver {
    pub(crate) fn start(tracker: &TaskTracker) -> Self {
        let book = Arc::new(Book::default());
        let shared = web::Data::from(Arc::clone(&book));
        let server =
            HttpServer::new(move || App::new().app_data(shared.clone()).default_service(web::to(receive)));
        let server = server.workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
        let address = server.addrs()[0].to_string();
        let running = server.run();
        tracker.spawn(async move { running.await.unwrap() });
        Self { address, book }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/events", self.address)
    }

    /// Answers the next requests so.
    pub(crate) fn answer(&self, statuses: &[u16]) {
        self.book.answers.lock().unwrap().extend(statuses);
    }

    pub(crate) fn hits(&self) -> Vec<Hit> {
        self.book.hits.lock().unwrap().clone()
    }

    /// Every event that came in, those of failed requests too.
    pub(crate) fn events(&self) -> Vec<Value> {
        let flat = |hit: Hit| match hit.body {
            Value::Array(events) => events,
            event => vec![event],
        };
        self.hits().into_iter().flat_map(flat).collect()
    }

    /// Waits for so many events.
    pub(crate) async fn wait(&self, count: usize) -> Vec<Value> {
        until(&format!("{count} events"), || async {
            let events = self.events();
            (events.len() >= count).then_some(events)
        })
        .await
    }
}

async fn receive(request: HttpRequest, body: web::Bytes, book: web::Data<Book>) -> HttpResponse {
    let authorization =
        request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
    let body = serde_json::from_slice(&body).unwrap();
    book.hits.lock().unwrap().push(Hit { body, authorization });
    let status = book.answers.lock().unwrap().pop_front().unwrap_or(200);
    HttpResponse::build(StatusCode::from_u16(status).unwrap()).finish()
}
