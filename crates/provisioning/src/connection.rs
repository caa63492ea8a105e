//! Whether a tenant's account works: what can be told without sending mail. Each check says what is so, and what to do.

use domain::address::key_of;
use domain::{DomainName, TenantId};
use mailjet::{RestError, SenderState};
use store::messages::{self, Limited};

use crate::{Error, Provisioner};

/// What is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckName {
    /// Mailjet accepts the API key and its secret.
    Credentials,
    /// Mail may come from the address that is used when a message names none.
    FromEmail,
    /// The account has not used up what it may send in a time.
    SendingLimit,
}

impl CheckName {
    /// The name in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Credentials => "credentials",
            Self::FromEmail => "from_email",
            Self::SendingLimit => "sending_limit",
        }
    }
}

/// How one thing was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was looked at.
    pub name: CheckName,
    /// Whether it is well.
    pub ok: bool,
    /// What is so, and what to do.
    pub detail: String,
}

impl Check {
    fn well(name: CheckName, detail: impl Into<String>) -> Self {
        Self { name, ok: true, detail: detail.into() }
    }

    fn bad(name: CheckName, detail: impl Into<String>) -> Self {
        Self { name, ok: false, detail: detail.into() }
    }
}

impl Provisioner {
    /// Looks whether the account of a tenant works. Sends no mail. Only a missing account and a database that is away are
    /// errors; all else stands in the checks.
    pub async fn test_connection(&self, tenant: TenantId) -> Result<Vec<Check>, Error> {
        let (provider, account) = match self.account(tenant).await {
            Err(Error::Store(store::Error::Sealed(fault))) => return Ok(unreadable(&fault.to_string())),
            other => other?,
        };
        let rest = self.mailjet.rest(&account);
        let mut senders = rest.sender_states().await;
        if let Ok(listed) = &mut senders
            && !listed.iter().any(|sender| is_of(sender, &provider.from_email))
        {
            // A list may leave out what is there; asked for by name, it is told.
            listed.extend(rest.sender_state(&provider.from_email).await.ok().flatten());
        }
        let limited = messages::limited(&self.store, tenant).await?;
        Ok(vec![credentials(&senders), from_email(&provider.from_email, &senders), sending_limit(&limited)])
    }
}

fn unreadable(fault: &str) -> Vec<Check> {
    let advice = format!(
        "The stored credentials cannot be opened: {fault}. Add the missing key to RAVEN_ENCRYPTION_KEYS of every \
         program, or set the account again."
    );
    let unknown = "Not looked at, since the credentials cannot be read.";
    vec![
        Check::bad(CheckName::Credentials, advice),
        Check::bad(CheckName::FromEmail, unknown),
        Check::bad(CheckName::SendingLimit, unknown),
    ]
}

fn credentials(answer: &Result<Vec<SenderState>, RestError>) -> Check {
    let bad = |detail: String| Check::bad(CheckName::Credentials, detail);
    match answer {
        Ok(_) => Check::well(CheckName::Credentials, "Mailjet accepts the API key and the secret."),
        Err(RestError::Unauthorized(words)) if words.to_lowercase().contains("blocked") => bad(format!(
            "Mailjet has blocked this account: {words} Ask Mailjet's support what it takes to unblock it; messages \
             wait meanwhile."
        )),
        Err(RestError::Unauthorized(words)) => bad(format!(
            "Mailjet does not accept the API key or the secret. Copy both anew from the API key management of the \
             account, and set them with PUT /v1/providers/mailjet. Mailjet says: {words}"
        )),
        Err(RestError::Refused { status, message }) => bad(format!(
            "Mailjet knows the credentials and refuses to list the account's senders ({status}: {message}). Use the \
             API key of an account, or of a sub-account, that has full rights."
        )),
        Err(RestError::RateLimited) => {
            bad("Mailjet takes no more calls from this account for the moment. Try again in a minute."
                .to_owned())
        }
        Err(RestError::Unavailable(words)) => bad(format!(
            "Mailjet did not answer in a way that can be read ({words}), so nothing is known. Try again; if it stays \
             so, look at MAILJET_URL and at the way from here to there."
        )),
    }
}

fn from_email(email: &str, answer: &Result<Vec<SenderState>, RestError>) -> Check {
    let name = CheckName::FromEmail;
    let Ok(senders) = answer else {
        return Check::bad(
            name,
            format!("Whether mail may come from {email} is not known: see credentials."),
        );
    };
    let [address, domain] = names(email);
    let find = |wanted: &str, is_active| {
        senders.iter().any(|sender| key(&sender.email) == wanted && sender.is_active == is_active)
    };
    if find(&address, true) {
        Check::well(name, format!("{email} is an active sender."))
    } else if find(&domain, true) {
        Check::well(name, format!("{email} is under {domain}, which is an active sender."))
    } else if find(&address, false) || find(&domain, false) {
        Check::bad(
            name,
            format!(
                "{email} is registered at Mailjet and not active yet. Follow the link that Mailjet mailed to it, or \
                 verify the whole domain by its DNS records."
            ),
        )
    } else {
        Check::bad(
            name,
            format!(
                "{email} is no sender of this account. Add the address, or {domain}, under the account's sender \
                 addresses at Mailjet and have it validated, or set another from_email."
            ),
        )
    }
}

/// The two senders that would let an address pass: itself, and its whole domain.
fn names(email: &str) -> [String; 2] {
    let address = key(email);
    let domain = format!("*@{}", address.rsplit('@').next().unwrap_or_default());
    [address, domain]
}

fn is_of(sender: &SenderState, email: &str) -> bool {
    names(email).contains(&key(&sender.email))
}

/// The form by which senders are compared, those that stand for a whole domain too: Mailjet may write an international
/// domain in either way.
fn key(email: &str) -> String {
    match email.split_once('@') {
        Some(("*", domain)) => {
            DomainName::parse(domain).map_or_else(|_| email.to_lowercase(), |domain| format!("*@{domain}"))
        }
        _ => key_of(email),
    }
}

fn sending_limit(limited: &Limited) -> Check {
    let name = CheckName::SendingLimit;
    match limited {
        Limited { count: 0, .. } => Check::well(name, "No waiting message has met a sending limit."),
        Limited { count, words } => Check::bad(
            name,
            format!(
                "{count} messages or more wait for the account's sending limit at Mailjet; they are tried again while \
                 their retry window lasts. A higher plan, or Mailjet's support, can raise the limit. Last heard: {}",
                words.as_deref().unwrap_or("nothing")
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn senders(rows: &[(&str, bool)]) -> Vec<SenderState> {
        let state = |&(email, is_active): &(&str, bool)| SenderState { email: email.to_owned(), is_active };
        rows.iter().map(state).collect()
    }

    #[test]
    fn a_sender_is_active_by_itself_or_by_its_domain() {
        let check = |rows: &[(&str, bool)]| from_email("Hello@Shop.example", &Ok(senders(rows)));
        assert!(check(&[("hello@shop.example", true)]).ok);
        assert!(check(&[("hello@shop.example", false), ("*@shop.example", true)]).ok);
        assert!(!check(&[("*@example", true), ("*@other.example", true)]).ok);
        let pending = check(&[("*@shop.example", false)]);
        assert!(!pending.ok && pending.detail.contains("not active yet"), "{pending:?}");
        let unknown = check(&[]);
        assert!(!unknown.ok && unknown.detail.contains("no sender"), "{unknown:?}");
    }

    #[test]
    fn an_international_domain_is_known_in_either_spelling() {
        for (email, sender) in [
            ("hello@bücher.example", "hello@xn--bcher-kva.example"),
            ("hello@bücher.example", "*@xn--bcher-kva.example"),
            ("hello@XN--bcher-kva.example", "*@bücher.example"),
            ("hello@xn--bcher-kva.example", "hello@Bücher.example"),
        ] {
            let check = from_email(email, &Ok(senders(&[(sender, true)])));
            assert!(check.ok, "{email} by {sender}: {}", check.detail);
        }
    }

    #[test]
    fn each_trouble_has_advice_of_its_own() {
        let told = |fault: RestError| credentials(&Err(fault)).detail;
        let words = "Your account has been temporarily blocked. Please contact our support team";
        assert!(told(RestError::Unauthorized(words.to_owned())).contains("unblock"));
        assert!(told(RestError::Unauthorized("no".to_owned())).contains("PUT /v1/providers/mailjet"));
        assert!(told(RestError::Unavailable("connect".to_owned())).contains("MAILJET_URL"));
        assert!(told(RestError::RateLimited).contains("minute"));
        let unknown = from_email("a@b.co", &Err(RestError::RateLimited));
        assert!(!unknown.ok && unknown.detail.contains("see credentials"));
    }

    #[test]
    fn a_limit_is_told_with_mailjets_words() {
        assert!(sending_limit(&Limited { count: 0, words: None }).ok);
        let limited = sending_limit(&Limited { count: 3, words: Some("daily limit".to_owned()) });
        assert!(!limited.ok && limited.detail.contains("daily limit"), "{limited:?}");
    }
}
