//! Sending domains as they are asked for and answered.

use domain::{DomainRecord, DomainStatus, Purpose, RecordStatus};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::domains::Domain;
use utoipa::ToSchema;
use uuid::Uuid;

/// A domain to send from.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes what is read field by field, so that all faults are named at once")]
pub(in crate::manage) struct NewDomain {
    /// Its name, of two labels or more, without a final dot. An international name may also be in its own letters; it is
    /// answered in ASCII.
    #[schema(min_length = 3, max_length = 253, format = "hostname", example = "shop.example.com")]
    domain: String,
}

/// What the records come to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = DomainStatus)]
pub(in crate::manage) enum Status {
    /// Something is missing, or missing again.
    Pending,
    /// Mailjet found all three records when it last looked.
    Verified,
}

/// What a record is for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = DomainRecordPurpose)]
pub(in crate::manage) enum RecordPurpose {
    /// Proves that the domain is yours.
    Ownership,
    /// The public key of Mailjet's signatures.
    Dkim,
    /// Names who may send for the domain.
    Spf,
}

/// How a record was found.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = DomainRecordStatus)]
pub(in crate::manage) enum Found {
    /// Nothing was found yet.
    Pending,
    /// It is there, and right.
    Ok,
    /// Something else is there, which has to be changed.
    Error,
}

/// The type of a record in the DNS.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schema(as = DomainRecordType)]
pub(in crate::manage) enum RecordType {
    /// A text.
    Txt,
}

/// A record to publish in the DNS.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DomainRecord)]
pub(in crate::manage) struct Record {
    purpose: RecordPurpose,
    r#type: RecordType,
    /// Its full name.
    #[schema(example = "shop.example.com")]
    name: String,
    /// What to publish. Of `spf`, what to put into the SPF record that the domain has: there may be only one.
    #[schema(example = "include:spf.mailjet.com")]
    value: String,
    /// Of `spf`, the whole record to publish where the domain has none.
    #[schema(example = "v=spf1 include:spf.mailjet.com ?all")]
    value_if_none: Option<String>,
    status: Found,
    /// What is published in its place.
    found: Vec<String>,
    /// What Mailjet says is wrong.
    reason: Option<String>,
}

/// Why a look was not answered.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = DomainErrorCode)]
pub(in crate::manage) enum ErrorCode {
    /// The tenant has no account at Mailjet.
    NoAccount,
    /// Mailjet does not accept the API key or the secret.
    Unauthorized,
    /// Mailjet will not do what a look needs.
    Refused,
    /// Mailjet takes no more calls from the account for the moment.
    RateLimited,
    /// Mailjet did not answer.
    Unavailable,
}

impl ErrorCode {
    /// Reads what is stored.
    fn of(code: &str) -> Self {
        match code {
            "no_account" => Self::NoAccount,
            "unauthorized" => Self::Unauthorized,
            "refused" => Self::Refused,
            "rate_limited" => Self::RateLimited,
            _ => Self::Unavailable,
        }
    }
}

/// Why the last look was not answered. What is known is as the look before found it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DomainError)]
pub(in crate::manage) struct LookError {
    code: ErrorCode,
    /// Why, for people.
    message: String,
}

/// A domain to send from, and what has to be published for it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::manage) struct SendingDomain {
    id: Uuid,
    /// The name, in ASCII and lower case.
    #[schema(example = "shop.example.com")]
    domain: String,
    status: Status,
    /// The records to publish: ownership, DKIM and SPF.
    #[schema(min_items = 3, max_items = 3)]
    records: Vec<Record>,
    /// Why the last look was not answered; null when it was.
    error: Option<LookError>,
    created_at: Timestamp,
    /// When it was found verified; null while it is pending.
    verified_at: Option<Timestamp>,
    /// When the last look began that was answered; null before the first.
    last_checked_at: Option<Timestamp>,
}

impl From<DomainRecord> for Record {
    fn from(record: DomainRecord) -> Self {
        let purpose = match record.purpose {
            Purpose::Ownership => RecordPurpose::Ownership,
            Purpose::Dkim => RecordPurpose::Dkim,
            Purpose::Spf => RecordPurpose::Spf,
        };
        let status = match record.status {
            RecordStatus::Pending => Found::Pending,
            RecordStatus::Ok => Found::Ok,
            RecordStatus::Error => Found::Error,
        };
        let DomainRecord { name, value, value_if_none, found, reason, .. } = record;
        Self { purpose, r#type: RecordType::Txt, name, value, value_if_none, status, found, reason }
    }
}

impl From<Domain> for SendingDomain {
    fn from(domain: Domain) -> Self {
        let status = match domain.status {
            DomainStatus::Pending => Status::Pending,
            DomainStatus::Verified => Status::Verified,
        };
        Self {
            id: domain.id.0,
            domain: domain.name.to_string(),
            status,
            records: domain.records.into_iter().map(Record::from).collect(),
            error: domain
                .error
                .map(|error| LookError { code: ErrorCode::of(&error.code), message: error.message }),
            created_at: domain.created_at,
            verified_at: domain.verified_at,
            last_checked_at: domain.last_checked_at,
        }
    }
}
