//! Readers that nobody else may call, for the fuzz targets, and for tests; no program has this module.

use domain::MessageId;
use reqwest::StatusCode;

use crate::{LookUp, Outgoing, SendAnswer, answer, look_up};

/// Reads what Mailjet answers to a send.
pub fn send_answer(status: u16, body: &[u8], sent: &[Outgoing<'_>]) -> Option<SendAnswer> {
    Some(answer::read(StatusCode::from_u16(status).ok()?, body, sent))
}

/// Reads what Mailjet answers when it is asked for a message.
pub fn look_up(status: u16, body: &[u8], id: MessageId) -> Option<LookUp> {
    Some(look_up::read(StatusCode::from_u16(status).ok()?, body, id))
}
