//! `/sim/events`: an event made by hand, for a message that was accepted.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{OrderError, order};
use crate::{
    events::{
        happening::Happening,
        kind::EventType,
        post::{Occurrence, PostOffice},
    },
    ledger::{Ledger, message::Message},
};

/// Mounts the control.
pub(super) fn mount(config: &mut web::ServiceConfig) {
    config.service(web::resource("/sim/events").post(create));
}

/// An event to come. The newest message that fits `customId` and `email` is meant, and of it the recipient
/// with that address, or the first. `fields` are laid over the event; null takes a field away.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ByHand {
    event: EventType,
    custom_id: Option<String>,
    email: Option<String>,
    #[serde(default)]
    fields: Map<String, Value>,
}

async fn create(
    body: web::Bytes,
    ledger: web::Data<Arc<Ledger>>,
    post: web::Data<Arc<PostOffice>>,
) -> Result<HttpResponse, OrderError> {
    let by_hand: ByHand = order(&body)?;
    let candidates = match (&by_hand.custom_id, &by_hand.email) {
        (Some(custom_id), _) => ledger.by_custom_id(custom_id),
        (None, Some(email)) => ledger.by_email(email),
        (None, None) => return Err(OrderError::Refused("give customId, email or both".to_owned())),
    };
    let found = candidates.into_iter().rev().find_map(|message| {
        let at = recipient(&message, by_hand.email.as_deref())?;
        (!message.sandbox).then_some((message, at))
    });
    let (message, recipient) = found.ok_or(OrderError::NotFound("accepted message"))?;
    let at = Timestamp::now();
    let happening = Happening::of(by_hand.event);
    post.happen(Occurrence { message, recipient, happening, at, fields: by_hand.fields });
    Ok(HttpResponse::Accepted().json(json!({"enqueued": 1})))
}

fn recipient(message: &Message, email: Option<&str>) -> Option<usize> {
    email.map_or((!message.recipients.is_empty()).then_some(0), |email| message.recipient(email))
}
