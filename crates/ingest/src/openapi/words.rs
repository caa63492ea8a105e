//! The closed sets of words that answers hold, taken from where they are defined.

use std::borrow::Cow;

use domain::{Action, event, status, suppression};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

/// The names in the order in which they come first.
fn distinct(names: impl IntoIterator<Item = &'static str>) -> Vec<&'static str> {
    names.into_iter().fold(Vec::new(), |mut all, name| {
        if !all.contains(&name) {
            all.push(name);
        }
        all
    })
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident = $words:literal, $all:expr;)*) => {
        $(
            $(#[$doc])*
            pub(crate) struct $name;

            impl PartialSchema for $name {
                fn schema() -> RefOr<Schema> {
                    let words = ObjectBuilder::new()
                        .schema_type(SchemaType::new(Type::String))
                        .description(Some($words))
                        .enum_values(Some(distinct($all)));
                    RefOr::T(words.into())
                }
            }

            impl ToSchema for $name {
                fn name() -> Cow<'static, str> {
                    Cow::Borrowed(stringify!($name))
                }
            }
        )*
    };
}

words! {
    /// What has become of a message or of one of its recipients.
    MessageStatus = "What has become of a message, or of one recipient's copy. A message's is the most serious of its \
        recipients'.", status::ALL.map(status::Status::as_str);
    /// What happened.
    EventType = "What happened. `unknown` is what this version does not understand; `raw` has it to the letter.",
        event::KINDS.map(event::EventKind::as_str);
    /// Why an address gets no more mail.
    SuppressionReason = "Why an address gets no more mail.",
        suppression::ALL.map(suppression::SuppressionReason::as_str);
    /// What was done.
    AuditAction = "What was done.", Action::ALL.iter().map(|action| action.as_str());
    /// The providers that are known.
    ProviderName = "A provider of e-mail.", [store::providers::MAILJET];
    /// The channels that are known.
    Channel = "What a message is sent by.", ["email"];
    /// The types of events that webhooks can be registered for.
    WebhookEvent = "A type of event, in Mailjet's words.", mailjet::CallbackEvent::ALL.map(mailjet::CallbackEvent::as_str);
}
