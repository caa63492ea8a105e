//! A domain that a tenant sends from: its name, the records to publish for it, and when it counts as verified.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest name that fits the DNS, written without its final dot.
const LONGEST: usize = 253;

/// A name that mail can be sent from: in ASCII (RFC 5891), in lower case, without a final dot, of two labels or more.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainName(String);

/// Why a text is no such name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDomain {
    /// The root is understood, and must not be written.
    #[error("ends with a dot")]
    FinalDot,
    /// It is not a name of the DNS, nor can be made one.
    #[error("is not a domain name")]
    Malformed,
    /// Nobody can send mail from a top-level domain.
    #[error("is not a domain with two labels or more, such as example.com")]
    SingleLabel,
    /// Addresses of machines publish no records.
    #[error("is an IP address, not a domain name")]
    Address,
}

impl DomainName {
    /// Reads a name, which may be international: `Bücher.example` is `xn--bcher-kva.example`.
    pub fn parse(text: &str) -> Result<Self, InvalidDomain> {
        if text.ends_with('.') {
            return Err(InvalidDomain::FinalDot);
        }
        let ascii = idna::domain_to_ascii_strict(text).map_err(|_| InvalidDomain::Malformed)?;
        if ascii.is_empty() || ascii.len() > LONGEST {
            return Err(InvalidDomain::Malformed);
        }
        let (_, top) = ascii.rsplit_once('.').ok_or(InvalidDomain::SingleLabel)?;
        // No top-level domain is a number (RFC 3696, section 2).
        if top.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidDomain::Address);
        }
        Ok(Self(ascii))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DomainName {
    type Err = InvalidDomain;

    fn from_str(text: &str) -> Result<Self, InvalidDomain> {
        Self::parse(text)
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether mail from a domain carries all that receivers ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DomainStatus {
    /// Something is still missing, or missing again.
    Pending,
    /// The provider found all three records when it last looked.
    Verified,
}

impl DomainStatus {
    /// The name in the API and the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Verified => "verified",
        }
    }

    /// What the records come to. Each of the three proves something of its own (that the domain is the tenant's, that a
    /// mail was not changed, that the provider may send it), so none stands in for another.
    pub fn of(records: &[DomainRecord]) -> Self {
        let holds = |purpose: &Purpose| {
            records.iter().any(|record| record.purpose == *purpose && record.status == RecordStatus::Ok)
        };
        if Purpose::ALL.iter().all(holds) { Self::Verified } else { Self::Pending }
    }
}

impl FromStr for DomainStatus {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        match text {
            "pending" => Ok(Self::Pending),
            "verified" => Ok(Self::Verified),
            _ => Err(UnknownStatus),
        }
    }
}

/// Domains have no such status.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no status of a domain")]
pub struct UnknownStatus;

/// What a record is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// Proves that the domain is the tenant's.
    Ownership,
    /// The public key of the signatures.
    Dkim,
    /// Names who may send for the domain.
    Spf,
}

impl Purpose {
    /// Every purpose, in the order in which records are shown.
    pub const ALL: [Self; 3] = [Self::Ownership, Self::Dkim, Self::Spf];

    /// The name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ownership => "ownership",
            Self::Dkim => "dkim",
            Self::Spf => "spf",
        }
    }
}

/// How a record was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordStatus {
    /// Nothing was found yet.
    Pending,
    /// It is there, and right.
    Ok,
    /// Something else is there, which has to be changed.
    Error,
}

impl RecordStatus {
    /// The name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Ok => "ok",
            Self::Error => "error",
        }
    }
}

/// A TXT record to publish, and how it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DomainRecord {
    /// What it is for.
    pub purpose: Purpose,
    /// Where to publish it: the full name, without a final dot.
    pub name: String,
    /// What to publish; of SPF, what to put into the record that is there.
    pub value: String,
    /// The whole text to publish where there is no record yet, if that differs.
    #[serde(default)]
    pub value_if_none: Option<String>,
    /// How it was found.
    pub status: RecordStatus,
    /// What is published instead.
    #[serde(default)]
    pub found: Vec<String>,
    /// The provider's words on what is wrong.
    #[serde(default)]
    pub reason: Option<String>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_brought_into_one_form() {
        for (text, name) in [
            ("example.com", "example.com"),
            ("Mail.EXAMPLE.com", "mail.example.com"),
            ("Bücher.example", "xn--bcher-kva.example"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
        ] {
            assert_eq!(DomainName::parse(text).map(|name| name.to_string()), Ok(name.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused_with_the_reason() {
        let long = format!("{}.example", vec!["a".repeat(60); 5].join("."));
        for (text, fault) in [
            ("example.com.", InvalidDomain::FinalDot),
            ("", InvalidDomain::Malformed),
            ("a b.example", InvalidDomain::Malformed),
            ("*.example.com", InvalidDomain::Malformed),
            ("a@example.com", InvalidDomain::Malformed),
            ("_dmarc.example.com", InvalidDomain::Malformed),
            ("-a.example", InvalidDomain::Malformed),
            ("a..example", InvalidDomain::Malformed),
            ("https://example.com/", InvalidDomain::Malformed),
            ("exa\0mple.com", InvalidDomain::Malformed),
            ("xn--a.example", InvalidDomain::Malformed),
            (long.as_str(), InvalidDomain::Malformed),
            ("localhost", InvalidDomain::SingleLabel),
            ("192.0.2.1", InvalidDomain::Address),
            ("[::1]", InvalidDomain::Malformed),
        ] {
            assert_eq!(DomainName::parse(text), Err(fault), "{text}");
        }
    }

    fn record(purpose: Purpose, status: RecordStatus) -> DomainRecord {
        let (name, value) = ("example.com".to_owned(), "v".to_owned());
        DomainRecord { purpose, name, value, value_if_none: None, status, found: Vec::new(), reason: None }
    }

    #[test]
    fn only_all_three_together_verify() {
        use RecordStatus::{Error, Ok, Pending};
        for one in [Pending, Ok, Error] {
            for two in [Pending, Ok, Error] {
                for three in [Pending, Ok, Error] {
                    let statuses = [one, two, three];
                    let records: Vec<_> = Purpose::ALL
                        .into_iter()
                        .zip(statuses)
                        .map(|(purpose, status)| record(purpose, status))
                        .collect();
                    let verified = DomainStatus::of(&records) == DomainStatus::Verified;
                    assert_eq!(verified, statuses == [Ok; 3], "{statuses:?}");
                }
            }
        }
        assert_eq!(DomainStatus::of(&[]), DomainStatus::Pending);
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_makes_a_name_that_stays_itself(text in "\\PC{0,80}") {
            if let Ok(name) = DomainName::parse(&text) {
                prop_assert!(name.as_str().len() <= LONGEST && name.as_str().is_ascii());
                prop_assert_eq!(DomainName::parse(name.as_str()), Ok(name));
            }
        }
    }
}
