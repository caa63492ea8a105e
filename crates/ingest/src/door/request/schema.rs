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
#[schema(
    format = "mailbox",
    min_length = 6,
    pattern = r"@[^@]*\.",
    example = "Ada Lovelace <ada@example.com>"
)]
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
