//! The properties of a message, and what each may hold.

/// What a property may hold.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// An object with `Email` and perhaps `Name`.
    Address,
    /// A list of addresses.
    Addresses,
    /// Text of at most so many characters.
    Text(usize),
    /// A whole number between the two, both included.
    Integer(i64, i64),
    /// `true` or `false`.
    Flag,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// An object with at most 50 members.
    Object,
    /// An object with at most 50 members that are all text.
    Headers,
    /// A list of attachments.
    Attachments,
    /// A list of attachments that may carry a `ContentID`.
    InlinedAttachments,
}

/// Most elements of `Messages`, of attachments, headers, variables and recipients.
pub(super) const MOST_ELEMENTS: usize = 50;

const ANY_LENGTH: usize = usize::MAX;
const TRACKING: Kind = Kind::Choice(&["account_default", "enabled", "disabled"]);

/// Every property of a message, as Mailjet's reference of version 3.1 lists them.
const PROPERTIES: &[(&str, Kind)] = &[
    ("From", Kind::Address),
    ("Sender", Kind::Address),
    ("To", Kind::Addresses),
    ("Cc", Kind::Addresses),
    ("Bcc", Kind::Addresses),
    ("ReplyTo", Kind::Address),
    ("Subject", Kind::Text(255)),
    ("TextPart", Kind::Text(ANY_LENGTH)),
    ("HTMLPart", Kind::Text(ANY_LENGTH)),
    ("TemplateID", Kind::Integer(0, i64::MAX)),
    ("TemplateLanguage", Kind::Flag),
    ("TemplateErrorReporting", Kind::Address),
    ("TemplateErrorDeliver", Kind::Flag),
    ("Variables", Kind::Object),
    ("Attachments", Kind::Attachments),
    ("InlinedAttachments", Kind::InlinedAttachments),
    ("Headers", Kind::Headers),
    ("CustomID", Kind::Text(64)),
    ("EventPayload", Kind::Text(ANY_LENGTH)),
    ("CustomCampaign", Kind::Text(255)),
    ("DeduplicateCampaign", Kind::Flag),
    ("MonitoringCategory", Kind::Text(ANY_LENGTH)),
    ("Priority", Kind::Integer(0, 3)),
    ("TrackOpens", TRACKING),
    ("TrackClicks", TRACKING),
    ("URLTags", Kind::Text(256)),
];

/// What the property may hold, or nothing if messages have no such property.
pub(super) fn kind_of(name: &str) -> Option<Kind> {
    PROPERTIES.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
}

/// Headers that have a property of their own or belong to Mailjet, in lower case.
const FORBIDDEN_HEADERS: &[&str] = &[
    "from",
    "sender",
    "subject",
    "to",
    "cc",
    "bcc",
    "reply-to",
    "return-path",
    "delivered-to",
    "dkim-signature",
    "domainkey-status",
    "received-spf",
    "authentication-results",
    "received",
    "user-agent",
    "x-mailer",
    "date",
    "message-id",
    "list-id",
    "x-csa-complaints",
    "x-feedback-id",
    "x-mailjet-prio",
    "x-mailjet-debug",
    "x-mailjet-trackopen",
    "x-mailjet-trackclick",
    "x-mailjet-segmentation",
    "x-mailjet-campaign",
    "x-mj-customid",
    "x-mj-eventpayload",
    "x-mj-vars",
    "x-mj-templateerrordeliver",
    "x-mj-templateerrorreporting",
    "x-mj-templatelanguage",
    "x-mj-templateid",
    "x-mj-workflowid",
    "x-mj-mid",
    "x-mj-errormessage",
    "x-mj-statisticscontactslistid",
];

/// Whether a caller may not set this header, whatever its case.
pub(super) fn is_forbidden_header(name: &str) -> bool {
    FORBIDDEN_HEADERS.contains(&name.to_ascii_lowercase().as_str())
}
