//! A sending domain: the records it should publish, and what the last check found.

use std::collections::HashMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::util::fingerprint;

const SPF: &str = "v=spf1 include:spf.mailjet.com ?all";

/// What a domain publishes in the imitated DNS.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Published {
    pub(crate) ownership: bool,
    pub(crate) dkim: bool,
    pub(crate) spf: bool,
}

/// A change of what a domain publishes; absent means as it is.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Publish {
    pub(crate) ownership: Option<bool>,
    pub(crate) dkim: Option<bool>,
    pub(crate) spf: Option<bool>,
}

impl Publish {
    /// Lays the change over what is published.
    pub(super) fn apply(self, published: &mut Published) {
        published.ownership = self.ownership.unwrap_or(published.ownership);
        published.dkim = self.dkim.unwrap_or(published.dkim);
        published.spf = self.spf.unwrap_or(published.spf);
    }
}

/// The imitated DNS, by domain in lower case.
pub(super) type Dns = HashMap<String, Published>;

/// A row of `dns`.
#[derive(Debug, Clone)]
pub(crate) struct Zone {
    /// Number of the row, `DNSID` of the senders under it.
    pub(crate) id: u64,
    /// The domain, in lower case.
    pub(crate) domain: String,
    checked: Option<(Published, Timestamp)>,
}

impl Zone {
    pub(super) fn new(id: u64, domain: &str) -> Self {
        Self { id, domain: domain.to_owned(), checked: None }
    }

    /// Name of the file that would prove ownership by HTTP.
    pub(super) fn filename(&self) -> String {
        format!("{}.txt", self.mark("file"))
    }

    fn mark(&self, what: &str) -> String {
        format!("{:016x}{:016x}", fingerprint(&[what, &self.domain]), fingerprint(&[&self.domain, what]))
    }

    fn dkim(&self) -> String {
        let key: String = (0..4).map(|part| self.mark(&format!("dkim{part}"))).collect();
        format!("k=rsa; p={}", STANDARD.encode(key))
    }

    /// Looks the domain up and answers what was found.
    pub(super) fn check(&mut self, published: Published, now: Timestamp) -> Value {
        self.checked = Some((published, now));
        let found = |is: bool, value: String| if is { value } else { String::new() };
        let errors = |is: bool, words: &str| if is { json!([]) } else { json!([words]) };
        let spf = found(published.spf, SPF.to_owned());
        json!({
            "DKIMErrors": errors(published.dkim, "no DKIM record"),
            "DKIMRecordCurrentValue": found(published.dkim, self.dkim()),
            "DKIMStatus": status(published.dkim, "Error"),
            "SPFErrors": errors(published.spf, "no SPF record"),
            "SPFRecordsCurrentValues": if published.spf { json!([spf]) } else { json!([]) },
            "SPFStatus": status(published.spf, "Not found"),
        })
    }

    /// The row.
    pub(crate) fn to_json(&self) -> Value {
        let (dkim, spf, at) = match self.checked {
            None => ("Not checked", "Not checked", String::new()),
            Some((published, at)) => {
                let dkim = status(published.dkim, "Error");
                (dkim, status(published.spf, "Not found"), format!("{at:.0}"))
            }
        };
        json!({
            "ID": self.id,
            "Domain": self.domain,
            "DKIMRecordName": format!("mailjet._domainkey.{}", self.domain),
            "DKIMRecordValue": self.dkim(),
            "DKIMStatus": dkim,
            "IsCheckInProgress": false,
            "LastCheckAt": at,
            "OwnerShipToken": self.mark("token"),
            "OwnerShipTokenRecordName": format!("mailjet._{:08x}", fingerprint(&[&self.domain]) >> 32),
            "SPFRecordValue": SPF,
            "SPFStatus": spf,
        })
    }
}

fn status(ok: bool, otherwise: &'static str) -> &'static str {
    if ok { "OK" } else { otherwise }
}
