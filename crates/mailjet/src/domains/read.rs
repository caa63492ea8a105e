//! Reading the rows of `sender` and `dns`.

use domain::DomainName;
use serde_json::Value;

use crate::answer::exact;

/// Texts of one list that are kept: what stands in a stranger's DNS has no bound.
const MOST: usize = 10;
/// Characters of each.
const LONGEST: usize = 1000;

/// The state of a sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Mail may come from it.
    Active,
    /// Nobody has proved yet that it is theirs.
    Inactive,
    /// It was deleted, and stands in the way of another.
    Deleted,
}

/// The sender of a whole domain, `*@domain`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DomainSender {
    /// Its number.
    pub id: i64,
    /// Its state.
    pub standing: Standing,
}

/// What became of a validation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Validation {
    /// The sender is active.
    Passed,
    /// No proof was found; Mailjet's words.
    Failed(Option<String>),
}

/// A TXT record to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TxtRecord {
    /// The full name, without a final dot.
    pub name: String,
    /// Its text.
    pub value: String,
}

/// What a domain should publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainDns {
    /// Proves ownership.
    pub ownership: TxtRecord,
    /// The key of the signatures.
    pub dkim: TxtRecord,
    /// The whole SPF record of a domain that has none.
    pub spf: TxtRecord,
}

/// How one record was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Finding {
    /// It is as it should be.
    pub ok: bool,
    /// What is published.
    pub found: Vec<String>,
    /// What Mailjet says is wrong.
    pub words: Option<String>,
}

/// How the records were found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DnsFindings {
    /// The key of the signatures.
    pub dkim: Finding,
    /// Who may send.
    pub spf: Finding,
}

impl DomainSender {
    /// The row, if it stands for this domain.
    pub(super) fn read(row: &Value, domain: &DomainName) -> Option<Self> {
        let own = row["Email"].as_str()?.strip_prefix("*@")?;
        let same = own.eq_ignore_ascii_case(domain.as_str())
            || DomainName::parse(own).is_ok_and(|own| own == *domain);
        let standing = match row["Status"].as_str().unwrap_or_default() {
            word if word.eq_ignore_ascii_case("active") => Standing::Active,
            word if word.eq_ignore_ascii_case("deleted") => Standing::Deleted,
            _ => Standing::Inactive,
        };
        same.then_some(Self { id: exact(&row["ID"])?, standing })
    }
}

impl Validation {
    pub(super) fn read(row: &Value) -> Self {
        let method = text(&row["ValidationMethod"]);
        let mut words: Vec<String> = text(&row["GlobalError"]).into_iter().collect();
        // Under any name, and whether as an object or as one text.
        match &row["Errors"] {
            Value::Object(errors) => words.extend(errors.values().filter_map(text)),
            other => words.extend(text(other)),
        }
        if method.is_some() && words.is_empty() { Self::Passed } else { Self::Failed(joined(&words)) }
    }
}

/// Whether a refusal to validate says that there is nothing to do.
pub(super) fn says_active(message: &str) -> bool {
    message.to_ascii_lowercase().contains("already active")
}

impl DomainDns {
    pub(super) fn read(row: &Value, domain: &DomainName) -> Option<Self> {
        let record = |name: &str, value: &str| {
            let name = full_name(text(&row[name]).as_deref().unwrap_or_default(), domain);
            text(&row[value]).map(|value| TxtRecord { name, value })
        };
        Some(Self {
            ownership: record("OwnerShipTokenRecordName", "OwnerShipToken")?,
            dkim: record("DKIMRecordName", "DKIMRecordValue")?,
            spf: TxtRecord { name: domain.to_string(), value: text(&row["SPFRecordValue"])? },
        })
    }
}

/// The full name of a record: Mailjet gives it with the domain or without, with a final dot or without.
fn full_name(name: &str, domain: &DomainName) -> String {
    let name = name.trim().trim_matches('.').to_ascii_lowercase();
    if name.is_empty() || name == "@" {
        return domain.to_string();
    }
    let is_full =
        name.strip_suffix(domain.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    if is_full { name } else { format!("{name}.{domain}") }
}

impl DnsFindings {
    pub(super) fn read(row: &Value) -> Self {
        let finding = |status: &str, errors: &str, values: [&str; 2]| Finding {
            ok: row[status].as_str().is_some_and(|word| word.eq_ignore_ascii_case("ok")),
            found: values.map(|name| texts(&row[name])).concat(),
            words: joined(&texts(&row[errors])),
        };
        Self {
            dkim: finding("DKIMStatus", "DKIMErrors", ["DKIMRecordCurrentValue", "DKIMRecordsCurrentValues"]),
            spf: finding("SPFStatus", "SPFErrors", ["SPFRecordsCurrentValues", "SPFRecordCurrentValue"]),
        }
    }
}

/// A text that says something, without what a database or a terminal chokes on.
fn text(value: &Value) -> Option<String> {
    let text = value.as_str()?.trim();
    let clean: String = text.chars().filter(|char| !char.is_control()).take(LONGEST).collect();
    (!clean.is_empty()).then_some(clean)
}

/// The texts of a list, or of one text.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(list) => list.iter().filter_map(text).take(MOST).collect(),
        other => text(other).into_iter().collect(),
    }
}

fn joined(words: &[String]) -> Option<String> {
    (!words.is_empty()).then(|| words.join(" "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn domain() -> DomainName {
        DomainName::parse("shop.example").unwrap()
    }

    #[test]
    fn only_the_row_of_the_whole_domain_is_taken() {
        let read = |row| DomainSender::read(&row, &domain());
        let active = DomainSender { id: 7, standing: Standing::Active };
        assert_eq!(read(json!({"Email": "*@Shop.example", "ID": "7", "Status": "Active"})), Some(active));
        assert_eq!(read(json!({"Email": "a@shop.example", "ID": 7, "Status": "Active"})), None);
        assert_eq!(read(json!({"Email": "*@other.example", "ID": 7, "Status": "Active"})), None);
        assert_eq!(read(json!({"Email": "*@shop.example", "Status": "Active"})), None);
        let odd = read(json!({"Email": "*@shop.example", "ID": 7, "Status": 3}));
        assert_eq!(odd.map(|sender| sender.standing), Some(Standing::Inactive));
        let deleted = read(json!({"Email": "*@shop.example", "ID": 7, "Status": "Deleted"}));
        assert_eq!(deleted.map(|sender| sender.standing), Some(Standing::Deleted));
        let international = DomainName::parse("bücher.example").unwrap();
        let row = json!({"Email": "*@bücher.example", "ID": 7, "Status": "Inactive"});
        assert!(DomainSender::read(&row, &international).is_some());
    }

    #[test]
    fn a_validation_passes_only_by_a_method_and_without_errors() {
        let passed = json!({"ValidationMethod": "DNS", "Errors": {}, "GlobalError": ""});
        assert_eq!(Validation::read(&passed), Validation::Passed);
        let failed = json!({"ValidationMethod": "", "GlobalError": "Nothing found.",
            "Errors": {"DNSValidationError": "No record.", "FileValidationError": ""}});
        assert_eq!(
            Validation::read(&failed),
            Validation::Failed(Some("Nothing found. No record.".to_owned()))
        );
        let texts = json!({"ValidationMethod": "DNS", "Errors": "Something.", "GlobalError": null});
        assert_eq!(Validation::read(&texts), Validation::Failed(Some("Something.".to_owned())));
        assert_eq!(Validation::read(&json!({})), Validation::Failed(None));
        assert!(says_active("The sender is already active") && !says_active("The sender is unknown"));
    }

    #[test]
    fn names_are_full_however_they_are_given() {
        for (given, full) in [
            ("mailjet._0a1b2c3d", "mailjet._0a1b2c3d.shop.example"),
            ("mailjet._0a1b2c3d.shop.example", "mailjet._0a1b2c3d.shop.example"),
            ("mailjet._0a1b2c3d.Shop.example.", "mailjet._0a1b2c3d.shop.example"),
            ("mailjet._domainkey.workshop.example", "mailjet._domainkey.workshop.example.shop.example"),
            ("@", "shop.example"),
            ("", "shop.example"),
            ("shop.example.", "shop.example"),
        ] {
            assert_eq!(full_name(given, &domain()), full, "{given}");
        }
    }

    #[test]
    fn what_to_publish_is_read_or_nothing_is() {
        let row = json!({
            "ID": "12", "Domain": "shop.example", "IsCheckInProgress": "false",
            "DKIMRecordName": "mailjet._domainkey.shop.example.", "DKIMRecordValue": "k=rsa; p=MIGf",
            "OwnerShipToken": "8d9f", "OwnerShipTokenRecordName": "mailjet._8d9f",
            "SPFRecordValue": "v=spf1 include:spf.mailjet.com ?all",
        });
        let dns = DomainDns::read(&row, &domain()).unwrap();
        let record = |name: &str, value: &str| TxtRecord { name: name.to_owned(), value: value.to_owned() };
        assert_eq!(dns.ownership, record("mailjet._8d9f.shop.example", "8d9f"));
        assert_eq!(dns.dkim, record("mailjet._domainkey.shop.example", "k=rsa; p=MIGf"));
        assert_eq!(dns.spf, record("shop.example", "v=spf1 include:spf.mailjet.com ?all"));
        let mut without = row;
        without["OwnerShipToken"] = json!("");
        assert_eq!(DomainDns::read(&without, &domain()), None);
    }

    #[test]
    fn findings_are_read_in_both_spellings() {
        let list = json!({
            "DKIMErrors": ["no DKIM record"], "DKIMRecordCurrentValue": "", "DKIMStatus": "Error",
            "SPFErrors": [], "SPFRecordsCurrentValues": ["v=spf1 include:spf.mailjet.com -all"], "SPFStatus": "OK",
        });
        let found = DnsFindings::read(&list);
        let words = Some("no DKIM record".to_owned());
        assert_eq!(found.dkim, Finding { ok: false, found: Vec::new(), words });
        assert_eq!(found.spf.found, ["v=spf1 include:spf.mailjet.com -all"]);
        assert!(found.spf.ok && found.spf.words.is_none());
        let texts = json!({
            "DKIMErrors": "", "DKIMRecordCurrentValue": "k=rsa; p=MIGf", "DKIMStatus": "OK",
            "SPFErrors": "not included", "SPFRecordCurrentValue": "v=spf1 -all", "SPFStatus": "Error",
        });
        let found = DnsFindings::read(&texts);
        assert!(found.dkim.ok && !found.spf.ok);
        let words = Some("not included".to_owned());
        assert_eq!(found.spf, Finding { ok: false, found: vec!["v=spf1 -all".to_owned()], words });
        assert_eq!(DnsFindings::read(&json!({"DKIMStatus": 1, "SPFStatus": null})), DnsFindings::default());
    }

    #[test]
    fn strangers_texts_are_cut_and_clean() {
        let long = format!("a\0b\u{1b}{}", "c".repeat(5000));
        let row = json!({"SPFRecordsCurrentValues": vec![long; 50]});
        let found = DnsFindings::read(&row).spf.found;
        assert_eq!((found.len(), found[0].len()), (MOST, LONGEST));
        assert!(found[0].starts_with("abc"));
    }
}
