//! The three records of a domain, from what Mailjet wants and what it found. Pure.

use domain::{DomainRecord, Purpose, RecordStatus};
use mailjet::{DnsFindings, DomainDns, Finding, TxtRecord};

/// What lets Mailjet send, inside the SPF record of a domain.
const INCLUDE: &str = "include:spf.mailjet.com";

/// Whether the sender of the domain is active.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ownership {
    /// It is.
    Proved,
    /// It is not; Mailjet's words.
    Unproved(Option<String>),
}

/// The records before anybody looked.
pub(super) fn unseen(dns: &DomainDns) -> Vec<DomainRecord> {
    Purpose::ALL.into_iter().map(|purpose| wanted(dns, purpose)).collect()
}

/// The records as they were found.
pub(super) fn seen(dns: &DomainDns, ownership: &Ownership, findings: &DnsFindings) -> Vec<DomainRecord> {
    let judged = |purpose: Purpose| {
        let record = wanted(dns, purpose);
        match purpose {
            Purpose::Ownership => match ownership {
                Ownership::Proved => DomainRecord { status: RecordStatus::Ok, ..record },
                Ownership::Unproved(words) => DomainRecord { reason: words.clone(), ..record },
            },
            Purpose::Dkim => found(record, &findings.dkim),
            Purpose::Spf => found(record, &findings.spf),
        }
    };
    Purpose::ALL.into_iter().map(judged).collect()
}

fn wanted(dns: &DomainDns, purpose: Purpose) -> DomainRecord {
    let plain = |record: &TxtRecord| (record.name.clone(), record.value.clone(), None);
    let (name, value, value_if_none) = match purpose {
        Purpose::Ownership => plain(&dns.ownership),
        Purpose::Dkim => plain(&dns.dkim),
        Purpose::Spf => (dns.spf.name.clone(), include(&dns.spf.value), Some(dns.spf.value.clone())),
    };
    let status = RecordStatus::Pending;
    DomainRecord { purpose, name, value, value_if_none, status, found: Vec::new(), reason: None }
}

/// The part of an SPF record that lets Mailjet send. A domain may have one such record only, so this is to be put into
/// the one that is there.
fn include(spf: &str) -> String {
    let term = spf.split_whitespace().find(|term| term.to_ascii_lowercase().starts_with("include:"));
    term.unwrap_or(INCLUDE).to_owned()
}

/// Something else in its place is an error, which waiting does not mend; nothing there may only need time.
fn found(record: DomainRecord, finding: &Finding) -> DomainRecord {
    if finding.ok {
        return DomainRecord { status: RecordStatus::Ok, ..record };
    }
    let status = if finding.found.is_empty() { RecordStatus::Pending } else { RecordStatus::Error };
    DomainRecord { status, found: finding.found.clone(), reason: finding.words.clone(), ..record }
}

#[cfg(test)]
mod tests {
    use domain::DomainStatus;

    use super::*;

    fn dns() -> DomainDns {
        let record = |name: &str, value: &str| TxtRecord { name: name.to_owned(), value: value.to_owned() };
        DomainDns {
            ownership: record("mailjet._1.shop.example", "token"),
            dkim: record("mailjet._domainkey.shop.example", "k=rsa; p=MIGf"),
            spf: record("shop.example", "v=spf1 include:spf.mailjet.com ?all"),
        }
    }

    fn finding(ok: bool, found: &[&str], words: Option<&str>) -> Finding {
        let found = found.iter().map(|&text| text.to_owned()).collect();
        Finding { ok, found, words: words.map(str::to_owned) }
    }

    #[test]
    fn what_to_merge_is_shown_and_the_whole_record_beside_it() {
        let records = unseen(&dns());
        let purposes: Vec<&str> = records.iter().map(|record| record.purpose.as_str()).collect();
        assert_eq!(purposes, ["ownership", "dkim", "spf"]);
        assert!(records.iter().all(|record| record.status == RecordStatus::Pending));
        let spf = &records[2];
        assert_eq!((spf.name.as_str(), spf.value.as_str()), ("shop.example", "include:spf.mailjet.com"));
        assert_eq!(spf.value_if_none.as_deref(), Some("v=spf1 include:spf.mailjet.com ?all"));
        assert_eq!(include("v=spf1 a -all"), INCLUDE);
    }

    #[test]
    fn nothing_found_is_pending_and_something_else_an_error() {
        let findings = DnsFindings {
            dkim: finding(false, &[], Some("no DKIM record")),
            spf: finding(false, &["v=spf1 -all"], Some("not included")),
        };
        let records = seen(&dns(), &Ownership::Unproved(Some("no token".to_owned())), &findings);
        let statuses: Vec<RecordStatus> = records.iter().map(|record| record.status).collect();
        assert_eq!(statuses, [RecordStatus::Pending, RecordStatus::Pending, RecordStatus::Error]);
        let reasons: Vec<_> = records.iter().map(|record| record.reason.as_deref()).collect();
        assert_eq!(reasons, [Some("no token"), Some("no DKIM record"), Some("not included")]);
        assert_eq!(records[2].found, ["v=spf1 -all"]);
    }

    #[test]
    fn an_active_sender_alone_verifies_nothing_nor_does_dns_without_it() {
        let good = DnsFindings {
            dkim: finding(true, &["k=rsa; p=MIGf"], None),
            spf: finding(true, &["v=spf1 include:spf.mailjet.com -all"], None),
        };
        let status =
            |ownership, findings: &DnsFindings| DomainStatus::of(&seen(&dns(), &ownership, findings));
        assert_eq!(status(Ownership::Proved, &good), DomainStatus::Verified);
        assert_eq!(status(Ownership::Unproved(None), &good), DomainStatus::Pending);
        assert_eq!(status(Ownership::Proved, &DnsFindings::default()), DomainStatus::Pending);
        let half = DnsFindings { spf: Finding::default(), ..good };
        assert_eq!(status(Ownership::Proved, &half), DomainStatus::Pending);
    }
}
