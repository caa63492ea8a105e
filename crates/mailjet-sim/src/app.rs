//! The application apart from its socket: its parts, and where they are mounted.

use std::sync::Arc;

use actix_web::web::{self, Data};

use crate::{
    control,
    events::{
        outbox::{Outbox, Tasks},
        post::PostOffice,
        registry::Registry,
    },
    faults::FaultBoard,
    gate::Gate,
    ledger::Ledger,
    refusals::Refusals,
    rest::{self, reply::RestError},
    send::{
        desk::Desk,
        handler::{self, Counter},
    },
    senders::Senders,
    settings::Settings,
    stats::Stats,
};

/// The parts, each shared by the handlers that need it.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    counter: Data<Counter>,
    gate: Arc<Gate>,
    faults: Arc<FaultBoard>,
    ledger: Arc<Ledger>,
    refusals: Arc<Refusals>,
    senders: Arc<Senders>,
    registry: Arc<Registry>,
    stats: Arc<Stats>,
    /// Runs beside the server.
    pub(crate) post: Arc<PostOffice>,
}

impl Parts {
    /// Makes the parts; deliveries use the client and run among the tasks.
    pub(crate) fn new(settings: &Settings, client: reqwest::Client, tasks: Tasks) -> Self {
        let gate = Arc::new(Gate::new(settings));
        let faults = Arc::new(FaultBoard::new(settings.seed));
        let ledger = Arc::new(Ledger::new(settings.keep));
        let refusals = Arc::new(Refusals::default());
        let senders = Arc::new(Senders::default());
        let registry = Arc::new(Registry::new());
        let stats = Arc::new(Stats::default());
        let outbox = Outbox::new(settings, client, registry.clone(), stats.clone(), tasks);
        let post = PostOffice::new(Arc::new(outbox), faults.clone(), stats.clone(), settings.event_delay);
        let post = Arc::new(post);
        let desk = Desk {
            ledger: ledger.clone(),
            refusals: refusals.clone(),
            senders: senders.clone(),
            post: post.clone(),
            stats: stats.clone(),
        };
        let counter = Counter { gate: gate.clone(), faults: faults.clone(), desk, latency: settings.latency };
        Self { counter: Data::new(counter), gate, faults, ledger, refusals, senders, registry, stats, post }
    }

    /// Mounts everything.
    pub(crate) fn mount(self, config: &mut web::ServiceConfig) {
        let send = web::resource("/v3.1/send")
            .app_data(web::PayloadConfig::new(handler::MOST_BYTES))
            .route(web::post().to(handler::send));
        config
            .app_data(self.counter)
            .app_data(Data::new(self.gate))
            .app_data(Data::new(self.faults))
            .app_data(Data::new(self.ledger))
            .app_data(Data::new(self.refusals))
            .app_data(Data::new(self.senders))
            .app_data(Data::new(self.registry))
            .app_data(Data::new(self.stats))
            .app_data(Data::new(self.post))
            .service(send)
            .service(web::scope("/v3/REST").configure(rest::mount))
            .configure(control::mount)
            .default_service(web::to(async || Err::<&str, _>(RestError::not_found())));
    }
}
