//! The bounds of a message. Those of Mailjet are named so; the rest protect this system.

/// Recipients of one message, and of one API call, over To, Cc and Bcc together (Mailjet, Send API v3.1).
pub const RECIPIENTS: usize = 50;
/// Characters of a subject (Mailjet error `mj-0006` above it).
pub const SUBJECT_CHARS: usize = 255;
/// Decoded bytes of all attachments together (Mailjet takes 15 MB).
pub const ATTACHMENT_BYTES: usize = 15_000_000;
/// Attachments of one message (Mailjet error `mj-0008` above it).
pub const ATTACHMENTS: usize = 50;
/// Headers of one message (Mailjet error `mj-0008` above it).
pub const HEADERS: usize = 50;
/// Tags of one message.
pub const TAGS: usize = 10;
/// Characters of one tag.
pub const TAG_CHARS: usize = 64;
/// Bytes of the metadata as compact JSON.
pub const METADATA_BYTES: usize = 4096;
/// Characters of an idempotency key.
pub const IDEMPOTENCY_KEY_CHARS: usize = 256;
/// How far ahead a message may be scheduled, in days.
pub const SCHEDULE_DAYS: i64 = 30;
/// Bytes of one queued message. RabbitMQ 4 refuses messages above 16 MiB by default.
pub const QUEUED_BYTES: usize = 16 * 1024 * 1024 - 64 * 1024;
