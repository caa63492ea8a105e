//! A sending domain: the records it should publish, and what the last check found.

use std::collections::HashMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::util::fingerprint;

const SPF: &str = "v=spf1 include:spf.mailjet.com ?all";

/// An SPF record that does not let Mailjet send.
const OTHER_SPF: &str = "v=spf1 include:_spf.example.net -all";
/// A key that is not ours.
const OTHER_DKIM: &str = "k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC7";

/// What a domain publishes in the imitated DNS.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "each stands for a record that is there or is not")]
pub(crate) struct Published {
    pub(crate) ownership: bool,
    pub(crate) dkim: bool,
    pub(crate) spf: bool,
    /// Another key stands where ours should.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) wrong_dkim: bool,
    /// There is an SPF record that does not name Mailjet.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) other_spf: bool,
}

/// How often a domain was looked at.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Looks {
    /// By the check of its DNS.
    pub(crate) checks: u64,
    /// By the validation of a sender.
    pub(crate) validations: u64,
}

/// A change of what a domain publishes; absent means as it is.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Publish {
    pub(crate) ownership: Option<bool>,
    pub(crate) dkim: Option<bool>,
    pub(crate) spf: Option<bool>,
    pub(crate) wrong_dkim: Option<bool>,
    pub(crate) other_spf: Option<bool>,
}

impl Publish {
    /// Lays the change over what is published.
    pub(super) fn apply(self, published: &mut Published) {
        published.ownership = self.ownership.unwrap_or(published.ownership);
        published.dkim = self.dkim.unwrap_or(published.dkim);
        published.spf = self.spf.unwrap_or(published.spf);
        published.wrong_dkim = self.wrong_dkim.unwrap_or(published.wrong_dkim);
        published.other_spf = self.other_spf.unwrap_or(published.other_spf);
    }
}

impl Published {
    /// The status of DKIM, and what is wrong.
    fn dkim(self) -> (&'static str, Option<&'static str>) {
        match (self.wrong_dkim, self.dkim) {
            (true, _) => ("Error", Some("the DKIM record differs from the expected value")),
            (false, true) => ("OK", None),
            (false, false) => ("Error", Some("no DKIM record")),
        }
    }

    /// The status of SPF, and what is wrong.
    fn spf(self) -> (&'static str, Option<&'static str>) {
        match (self.spf, self.other_spf) {
            (true, _) => ("OK", None),
            (false, true) => ("Error", Some("the SPF record does not include spf.mailjet.com")),
            (false, false) => ("Not found", Some("no SPF record")),
        }
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
        let errors = |words: Option<&str>| json!(words.into_iter().collect::<Vec<_>>());
        let ((dkim, no_dkim), (spf, no_spf)) = (published.dkim(), published.spf());
        let dkim_value = match (published.wrong_dkim, published.dkim) {
            (true, _) => OTHER_DKIM.to_owned(),
            (false, true) => self.dkim(),
            (false, false) => String::new(),
        };
        let spf_values = match (published.spf, published.other_spf) {
            (true, _) => json!([SPF]),
            (false, true) => json!([OTHER_SPF]),
            (false, false) => json!([]),
        };
        json!({
            "DKIMErrors": errors(no_dkim),
            "DKIMRecordCurrentValue": dkim_value,
            "DKIMStatus": dkim,
            "SPFErrors": errors(no_spf),
            "SPFRecordsCurrentValues": spf_values,
            "SPFStatus": spf,
        })
    }

    /// The row.
    pub(crate) fn to_json(&self) -> Value {
        let (dkim, spf, at) = match self.checked {
            None => ("Not checked", "Not checked", String::new()),
            Some((published, at)) => (published.dkim().0, published.spf().0, format!("{at:.0}")),
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
