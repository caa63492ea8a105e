//! What the OpenAPI document says of a send request. The request itself is read by hand, so that every fault is named; a
//! test holds the two together. Where a rule cannot be said in a schema, the words say it.

use std::borrow::Cow;

use domain::limits;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::openapi::schema::{
    AllOfBuilder, AnyOfBuilder, ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, SchemaType, Type,
};
use utoipa::openapi::{KnownFormat, Ref, RefOr, SchemaFormat};
use utoipa::{PartialSchema, ToSchema};

use crate::openapi::words::Channel;

/// The fields of a message.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "it only describes")]
pub(super) struct MessageFields {
    /// The channel; e-mail is the only one.
    #[schema(value_type = Option<Channel>)]
    channel: Option<Value>,
    /// Who gets it. With `cc` and `bcc` at most 50 recipients, an address in several places counted once.
    #[schema(value_type = Recipients)]
    to: Value,
    /// Who gets a copy.
    #[schema(value_type = Option<Copies>)]
    cc: Option<Value>,
    /// Who gets a hidden copy.
    #[schema(value_type = Option<Copies>)]
    bcc: Option<Value>,
    /// The sender; the provider account's own when none is given.
    #[schema(value_type = Option<Address>)]
    from: Option<Value>,
    /// Where answers go.
    #[schema(value_type = Option<Address>)]
    reply_to: Option<Value>,
    /// The subject line.
    #[schema(max_length = 255, pattern = r"^[^\u0000-\u001F\u007F-\u009F]*$", example = "Your order 42")]
    subject: Option<String>,
    /// The HTML body. There must be this, `bodyText` or `templateId`.
    #[schema(example = "<p>Thank you.</p>")]
    body_html: Option<String>,
    /// The plain text body.
    #[schema(example = "Thank you.")]
    body_text: Option<String>,
    /// A template kept at the provider.
    #[schema(minimum = 1, maximum = 9_223_372_036_854_775_807_i64, example = 1_234_567)]
    template_id: Option<i64>,
    /// What the placeholders of the template, or of the bodies, stand for.
    #[schema(value_type = Option<Object>, example = json!({"firstName": "Ada"}))]
    variables: Option<Map<String, Value>>,
    /// Files; decoded at most 15000000 bytes in all.
    #[schema(value_type = Option<Vec<NewAttachment>>, max_items = 50)]
    attachments: Option<Value>,
    /// Headers of the mail, each name once whatever its case. Not those that a field stands for or the provider sets (such as
    /// `From`, `Date`, `Message-ID`, `X-MJ-…`).
    #[schema(schema_with = headers)]
    headers: Option<Value>,
    /// Words by which you find messages again.
    #[schema(value_type = Option<Vec<Tag>>, max_items = 10)]
    tags: Option<Value>,
    /// Whether opens are counted; the account's own setting when none is given.
    track_opens: Option<bool>,
    /// Whether clicks are counted; the account's own setting when none is given.
    track_clicks: Option<bool>,
    /// Data of yours, kept with the message and repeated in its events; as compact JSON at most 4096 bytes.
    #[schema(value_type = Option<Object>, example = json!({"orderId": 42}))]
    metadata: Option<Map<String, Value>>,
    /// When to send it, at most 30 days ahead; a time that is past is now.
    #[schema(example = "2026-01-31T08:00:00Z")]
    scheduled_at: Option<Timestamp>,
}

/// Several messages.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it only describes")]
pub(crate) struct NewBatch {
    /// The messages. One fault in any of them, and none is queued.
    #[schema(value_type = Vec<NewMessage>, min_items = 1, max_items = 500)]
    messages: Value,
}

macro_rules! choices {
    ($($name:ident = $words:literal: $schema:expr, of $($part:ident),+;)*) => {
        $(
            #[doc = $words]
            pub(super) struct $name;

            impl PartialSchema for $name {
                fn schema() -> RefOr<Schema> {
                    let choices: OneOfBuilder = $schema;
                    RefOr::T(choices.description(Some($words)).build().into())
                }
            }

            impl ToSchema for $name {
                fn name() -> Cow<'static, str> {
                    Cow::Borrowed(stringify!($name))
                }

                fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
                    $(
                        schemas.push(($part::name().into_owned(), $part::schema()));
                        $part::schemas(schemas);
                    )+
                }
            }
        )*
    };
}

choices! {
    Recipients = "One recipient or several.": one_or_up_to_fifty(Some(1)), of Address;
    Copies = "One recipient, or any number up to fifty.": one_or_up_to_fifty(None), of Address;
    Address = "An e-mail address, with a name or without.": OneOfBuilder::new()
        .item(Ref::from_schema_name("MailboxText"))
        .item(Ref::from_schema_name("NewMailbox")), of MailboxText, NewMailbox;
}

fn one_or_up_to_fifty(least: Option<usize>) -> OneOfBuilder {
    let address = || Ref::from_schema_name("Address");
    let several = ArrayBuilder::new().items(address()).min_items(least).max_items(Some(limits::RECIPIENTS));
    OneOfBuilder::new().item(address()).item(several)
}

/// `ada@example.com` or `Ada Lovelace <ada@example.com>`.
#[derive(Deserialize, ToSchema)]
#[schema(format = "mailbox", example = "Ada Lovelace <ada@example.com>")]
#[expect(dead_code, reason = "it only describes")]
pub(super) struct MailboxText(String);

/// An address and the name that a reader sees beside it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it only describes")]
pub(super) struct NewMailbox {
    /// The address.
    #[schema(format = "email", example = "ada@example.com")]
    email: String,
    /// The name.
    #[schema(pattern = r"^[^\u0000-\u001F\u007F-\u009F]*$", example = "Ada Lovelace")]
    name: Option<String>,
}

/// A file.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(dead_code, reason = "it only describes")]
pub(super) struct NewAttachment {
    /// Its name.
    #[schema(min_length = 1, pattern = r"^[^\u0000-\u001F\u007F-\u009F]*$", example = "invoice.pdf")]
    filename: String,
    /// Its media type.
    #[schema(min_length = 1, pattern = r"^[^\u0000-\u001F\u007F-\u009F]*$", example = "application/pdf")]
    content_type: String,
    /// Its bytes in base64 (RFC 4648, section 4, with padding).
    #[schema(
        min_length = 4,
        content_encoding = "base64",
        example = "aGVsbG8=",
        pattern = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$"
    )]
    content: String,
    /// The id by which the HTML body shows it (`cid:…`); such a file is inline.
    #[schema(pattern = r"^[^\u0000-\u001F\u007F-\u009F]*$", example = "logo")]
    content_id: Option<String>,
}

/// A word by which messages are found again.
#[derive(Deserialize, ToSchema)]
#[schema(
    min_length = 1,
    max_length = 64,
    pattern = r"^[^\u0000-\u001F\u007F-\u009F]*[^\s\u0000-\u001F\u007F-\u009F][^\u0000-\u001F\u007F-\u009F]*$",
    example = "order"
)]
#[expect(dead_code, reason = "it only describes")]
pub(super) struct Tag(String);

fn headers() -> Schema {
    let text = |pattern: &str| {
        ObjectBuilder::new().schema_type(SchemaType::new(Type::String)).pattern(Some(pattern))
    };
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Object, Type::Null]))
        .description(Some(
            "Headers of the mail, each name once whatever its case. Not those that a field stands for or the provider sets \
             (such as `From`, `Date`, `Message-ID`, `X-MJ-…`).",
        ))
        .property_names(Some(Schema::from(text("^[!-9;-~]{1,76}$").build())))
        .additional_properties(Some(Schema::from(text(r"^[^\u0000-\u0008\u000A-\u001F\u007F-\u009F]*$").build())))
        .max_properties(Some(limits::HEADERS))
        .examples([serde_json::json!({"X-Order": "42"})])
        .build()
        .into()
}

/// A message to send.
pub(crate) struct NewMessage;

impl PartialSchema for NewMessage {
    /// The fields, and that one of three must be there.
    fn schema() -> RefOr<Schema> {
        let text = || ObjectBuilder::new().schema_type(SchemaType::new(Type::String)).min_length(Some(1));
        let id = ObjectBuilder::new()
            .schema_type(SchemaType::new(Type::Integer))
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)));
        let with = |name: &str, schema: ObjectBuilder| {
            ObjectBuilder::new().property(name, schema).required(name).build()
        };
        let content = AnyOfBuilder::new()
            .item(with("bodyText", text()))
            .item(with("bodyHtml", text()))
            .item(with("templateId", id));
        let whole = AllOfBuilder::new()
            .description(Some("A message to send."))
            .item(MessageFields::schema())
            .item(Schema::from(content.build()))
            .examples([example()]);
        RefOr::T(whole.build().into())
    }
}

impl ToSchema for NewMessage {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("NewMessage")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        MessageFields::schemas(schemas);
    }
}

/// A message such as most are.
pub(crate) fn example() -> Value {
    serde_json::json!({
        "to": "Ada Lovelace <ada@example.com>", "subject": "Your order 42", "bodyText": "Thank you.",
        "bodyHtml": "<p>Thank you.</p>", "tags": ["order"], "metadata": {"orderId": 42}
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::super::message;
    use super::*;

    fn fields() -> Value {
        serde_json::to_value(MessageFields::schema()).unwrap()
    }

    fn takes(request: &Value) -> bool {
        message(request.clone(), "", "2026-01-02T03:04:05Z".parse().unwrap()).is_ok()
    }

    /// A message that is good without any of the other fields.
    fn with(name: &str, value: Value) -> Value {
        let mut request = json!({"to": "ada@example.com", "bodyText": "x"});
        request[name] = value;
        request
    }

    /// For each field something that the schema allows.
    fn examples() -> Vec<(&'static str, Value)> {
        let address = json!({"email": "ada@example.com", "name": "Ada"});
        let file = json!({"filename": "a", "contentType": "a/b", "content": "aGk=", "contentId": "c"});
        vec![
            ("channel", json!("email")),
            ("to", json!([address, "Ada <ada@example.com>"])),
            ("cc", json!([])),
            ("bcc", address.clone()),
            ("from", json!("ada@example.com")),
            ("replyTo", address),
            ("subject", json!("x".repeat(limits::SUBJECT_CHARS))),
            ("bodyHtml", json!("x")),
            ("bodyText", json!("x")),
            ("templateId", json!(i64::MAX)),
            ("variables", json!({})),
            ("attachments", Value::from(vec![file; limits::ATTACHMENTS])),
            ("headers", (0..limits::HEADERS).map(|n| (format!("X-{n}"), json!("\t"))).collect()),
            ("tags", Value::from(vec!["x".repeat(limits::TAG_CHARS); limits::TAGS])),
            ("trackOpens", json!(true)),
            ("trackClicks", json!(false)),
            ("metadata", json!({"a": 1})),
            ("scheduledAt", json!("2026-01-31T08:00:00Z")),
        ]
    }

    #[test]
    fn the_schema_and_the_parser_know_the_same_fields() {
        let schema = fields();
        let described: BTreeSet<&str> =
            schema["properties"].as_object().unwrap().keys().map(|name| &**name).collect();
        assert_eq!(described, examples().into_iter().map(|(name, _)| name).collect());
        for (name, value) in examples() {
            assert!(takes(&with(name, value)), "{name}");
        }
        assert_eq!(schema["additionalProperties"], false);
        assert!(!takes(&with("bodyHTML", json!("x"))));
    }

    #[test]
    fn null_is_none_but_for_what_is_required() {
        let schema = fields();
        for (name, _) in examples() {
            // There must be some body, and here it is this one.
            let other = if name == "bodyText" { "bodyHtml" } else { "bodyText" };
            let mut request = with(other, json!("x"));
            request[name] = Value::Null;
            let described = schema["properties"][name].to_string().contains("\"null\"");
            assert_eq!(takes(&request), described, "{name}");
            assert_eq!(described, name != "to", "{name}");
        }
        assert_eq!(schema["required"], json!(["to"]));
    }

    #[test]
    fn limits_are_those_of_the_parser() {
        let recipients = serde_json::to_value(Recipients::schema()).unwrap();
        assert_eq!(recipients["oneOf"][1]["maxItems"], limits::RECIPIENTS);
        let address = |n: usize| json!(format!("r{n}@example.com"));
        assert!(takes(&with("to", (0..limits::RECIPIENTS).map(address).collect())));
        assert!(!takes(&with("to", Value::from(vec![address(0); limits::RECIPIENTS + 1]))));
        assert!(!takes(&with("to", json!([]))));

        let schema = fields();
        let limit = |name: &str, keyword: &str| schema["properties"][name][keyword].as_u64().unwrap();
        assert_eq!(limit("subject", "maxLength"), limits::SUBJECT_CHARS as u64);
        assert!(!takes(&with("subject", json!("x".repeat(limits::SUBJECT_CHARS + 1)))));
        assert_eq!(limit("attachments", "maxItems"), limits::ATTACHMENTS as u64);
        assert_eq!(limit("headers", "maxProperties"), limits::HEADERS as u64);
        let many: Value = (0..=limits::HEADERS).map(|n| (format!("X-{n}"), json!("x"))).collect();
        assert!(!takes(&with("headers", many)));
        assert_eq!(limit("tags", "maxItems"), limits::TAGS as u64);
        assert!(!takes(&with("tags", Value::from(vec!["x"; limits::TAGS + 1]))));
        let tag = serde_json::to_value(Tag::schema()).unwrap();
        assert_eq!(tag["maxLength"], limits::TAG_CHARS);
        assert!(!takes(&with("tags", json!(["x".repeat(limits::TAG_CHARS + 1)]))));
        assert_eq!(limit("templateId", "minimum"), 1);
        assert!(!takes(&with("templateId", json!(0))));
        let batch = serde_json::to_value(NewBatch::schema()).unwrap();
        assert_eq!(batch["properties"]["messages"]["maxItems"], crate::door::messages::BATCH);
    }

    #[test]
    fn one_of_three_bodies_is_needed() {
        for (body, good) in [
            (json!({"bodyText": "x"}), true),
            (json!({"bodyHtml": "x"}), true),
            (json!({"templateId": 7}), true),
            (json!({"bodyText": "", "bodyHtml": null}), false),
            (json!({}), false),
        ] {
            let mut request = body.clone();
            request["to"] = json!("ada@example.com");
            assert_eq!(takes(&request), good, "{body}");
        }
        let schema = serde_json::to_value(NewMessage::schema()).unwrap();
        let bodies: Vec<&Value> =
            schema["allOf"][1]["anyOf"].as_array().unwrap().iter().map(|one| &one["required"][0]).collect();
        assert_eq!(bodies, ["bodyText", "bodyHtml", "templateId"]);
    }
}
