//! Addresses: the object that carries one, and the syntax of the e-mail address itself.

use serde_json::Value;

use super::refusal::Refusal;

/// Most characters of an e-mail address.
const LONGEST: usize = 254;

/// Checks one address object; `path` is how refusals name it.
pub(super) fn check(value: &Value, path: &str, refusals: &mut Vec<Refusal>) {
    let Value::Object(address) = value else {
        refusals.push(Refusal::mismatch(path, "email"));
        return;
    };
    for (name, value) in address {
        let inner = format!("{path}.{name}");
        match (name.as_str(), value) {
            ("Email", Value::String(email)) if is_email(email) => {}
            ("Email", Value::String(email)) => {
                let message = format!("\"{email}\" is an invalid email address.");
                refusals.push(Refusal::new("mj-0013", message).about(inner));
            }
            ("Name", Value::String(_)) => {}
            ("Email" | "Name", _) => refusals.push(Refusal::mismatch(&inner, "string")),
            _ => refusals.push(Refusal::unexpected(&inner)),
        }
    }
    if !address.contains_key("Email") {
        refusals.push(Refusal::missing(&format!("{path}.Email")));
    }
}

/// Whether the text looks like an address that mail can be sent to: no quoted local parts, no bare hosts.
pub(crate) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    text.chars().count() <= LONGEST && is_local(local) && is_domain(domain)
}

fn is_local(local: &str) -> bool {
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !r#"()<>[]:;,"@\"#.contains(c);
    !local.is_empty()
        && local.len() <= 64
        && local.chars().all(plain)
        && local.split('.').all(|s| !s.is_empty())
}

/// Whether the text is a domain of at least two labels.
pub(crate) fn is_domain(domain: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    domain.contains('.') && domain.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syntax_of_addresses() {
        for good in ["a@b.co", "first.last+tag@sub.example.com", "o'neil@exämple.org"] {
            assert!(is_email(good), "{good}");
        }
        for bad in ["", "a", "@b.co", "a@", "a@b", "a b@c.de", "a@-b.de", "a..b@c.de", "a@b..de", "a@b@c.de"]
        {
            assert!(!is_email(bad), "{bad}");
        }
    }
}
