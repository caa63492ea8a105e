//! `POST /v3.1/send`: validation, acceptance and answers of version 3.1.

pub(crate) mod address;
mod call;
mod check;
pub(crate) mod desk;
mod files;
pub(crate) mod handler;
mod properties;
pub(crate) mod refusal;
mod reply;
