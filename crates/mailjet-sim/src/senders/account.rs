//! The senders and domains of one API key.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::zone::{Published, Zone};

/// State of a sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Standing {
    Inactive,
    Active,
    Deleted,
}

/// A row of `sender`: an address, or `*@domain` for a whole domain.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Sender {
    #[serde(rename = "ID")]
    pub(crate) id: u64,
    #[serde(rename = "DNSID")]
    pub(crate) dns_id: u64,
    pub(crate) email: String,
    pub(crate) email_type: String,
    pub(crate) name: String,
    pub(crate) filename: String,
    #[serde(rename = "IsDefaultSender")]
    pub(crate) is_default: bool,
    pub(crate) status: Standing,
    pub(crate) created_at: Timestamp,
}

impl Sender {
    /// One that nobody registered, and that is let pass.
    pub(super) fn implied(email: &str) -> Self {
        Self {
            id: 0,
            dns_id: 0,
            email: email.to_lowercase(),
            email_type: "unknown".to_owned(),
            name: String::new(),
            filename: String::new(),
            is_default: false,
            status: Standing::Active,
            created_at: Timestamp::now(),
        }
    }

    /// The part after the `@`.
    pub(crate) fn domain(&self) -> &str {
        self.email.rsplit('@').next().unwrap_or_default()
    }
}

/// What a caller may set.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wish {
    pub(crate) name: Option<String>,
    pub(crate) email_type: Option<String>,
    pub(crate) is_default: Option<bool>,
}

/// Why a sender cannot be validated, or how it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Validation {
    /// It is active now; the word for how.
    Passed(&'static str),
    /// Nothing was found that proves ownership.
    Failed,
    /// It was active before.
    Already,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Account {
    pub(crate) senders: Vec<Sender>,
    pub(crate) zones: Vec<Zone>,
}

impl Account {
    /// Whether mail from this address is let pass: always, until a first sender is registered.
    pub(super) fn allows(&self, email: &str) -> bool {
        let email = email.to_lowercase();
        let whole = format!("*@{}", email.rsplit('@').next().unwrap_or_default());
        let mut kept = self.senders.iter().filter(|sender| sender.status != Standing::Deleted).peekable();
        kept.peek().is_none()
            || kept.any(|one| one.status == Standing::Active && (one.email == email || one.email == whole))
    }

    pub(super) fn find(&mut self, element: &str) -> Option<&mut Sender> {
        let element = element.to_lowercase();
        self.senders.iter_mut().find(|one| one.email == element || one.id.to_string() == element)
    }

    pub(super) fn zone(&mut self, element: &str) -> Option<&mut Zone> {
        let element = element.to_lowercase();
        self.zones.iter_mut().find(|zone| zone.domain == element || zone.id.to_string() == element)
    }

    /// Adds a sender, and its domain if that is new. Under an active domain it is active at once.
    pub(super) fn add(&mut self, email: &str, wish: Wish, mut next_id: impl FnMut() -> u64) -> Sender {
        let domain = email.rsplit('@').next().unwrap_or_default();
        if self.zone(domain).is_none() {
            self.zones.push(Zone::new(next_id(), domain));
        }
        let (dns_id, filename) = self.zone(domain).map(|zone| (zone.id, zone.filename())).unwrap_or_default();
        let sender = Sender {
            id: next_id(),
            dns_id,
            email: email.to_owned(),
            email_type: wish.email_type.unwrap_or_else(|| "unknown".to_owned()),
            name: wish.name.unwrap_or_default(),
            filename,
            is_default: wish.is_default.unwrap_or(false),
            status: if self.has_active_domain(domain) { Standing::Active } else { Standing::Inactive },
            created_at: Timestamp::now(),
        };
        self.senders.push(sender.clone());
        sender
    }

    fn has_active_domain(&self, domain: &str) -> bool {
        let whole = format!("*@{domain}");
        self.senders.iter().any(|sender| sender.email == whole && sender.status == Standing::Active)
    }

    /// Tries to make a sender active; nothing if there is none.
    pub(super) fn validate(&mut self, element: &str, published: Published) -> Option<Validation> {
        let sender = self.find(element)?;
        if sender.status == Standing::Active {
            return Some(Validation::Already);
        }
        let (domain, id) = (sender.domain().to_owned(), sender.id);
        let method = match (self.has_active_domain(&domain), published.ownership) {
            (true, _) => "Domain",
            (false, true) => "DNS",
            (false, false) => return Some(Validation::Failed),
        };
        if let Some(sender) = self.senders.iter_mut().find(|sender| sender.id == id) {
            sender.status = Standing::Active;
        }
        Some(Validation::Passed(method))
    }
}

impl Validation {
    /// The row that tells it.
    pub(crate) fn to_json(self) -> Value {
        if let Self::Passed(method) = self {
            return json!({"Errors": {}, "GlobalError": "", "ValidationMethod": method});
        }
        json!({
            "Errors": {
                "DNSValidationError": "No TXT record with the ownership token was found for this domain.",
                "FileValidationError": "The file was not found at the root of this domain.",
            },
            "GlobalError": "Neither the file at your domain root nor the DNS TXT record have been found.",
            "ValidationMethod": "",
        })
    }
}
