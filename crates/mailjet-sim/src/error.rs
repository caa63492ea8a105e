//! Why the stand-in could not run.

/// What keeps the server from starting or ends it early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The caller has not installed a TLS provider, which the delivery of events needs.
    #[error("no TLS provider is installed; install one before the first run")]
    NoTlsProvider,
    /// The HTTP client for the delivery of events could not be made.
    #[error("the client that delivers events could not be made")]
    Client(#[source] reqwest::Error),
    /// The socket or the server on it failed.
    #[error("the HTTP server failed")]
    Server(#[source] std::io::Error),
}
