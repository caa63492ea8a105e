//! The least that a door could do: an actix-web server that reads the body and answers 200. It stands for the price of
//! HTTP alone, with as many threads as ingest has.

use std::net::SocketAddr;

use actix_web::web::{self, Bytes};
use actix_web::{App, HttpResponse, HttpServer};
use anyhow::Result;

/// Serves until this process is told to end.
pub(crate) async fn serve(listen: SocketAddr) -> Result<()> {
    let app = || App::new().default_service(web::to(receive));
    HttpServer::new(app).bind(listen)?.run().await?;
    Ok(())
}

async fn receive(body: Bytes) -> HttpResponse {
    drop(body);
    HttpResponse::Ok().finish()
}
