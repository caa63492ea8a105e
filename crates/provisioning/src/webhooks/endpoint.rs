//! Where a provider posts events: a URL, and what in it is a secret.

use std::fmt;

use domain::TenantId;
use mailjet::Url;

/// Longest URL that is taken.
pub const MOST_CHARACTERS: usize = 2000;
/// The user beside a token; the door looks at the password only.
const USER: &str = "raven";
/// The parameter that makes another URL of one whose credentials are not ours to change.
const RENEWED: &str = "renewed";
const HIDDEN: &str = "****";

/// A URL for events. One that brings credentials of its own, as user and password or as `token`, stays as it is; to any
/// other a token is added.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

/// Why a text is no such URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEndpoint {
    /// It is none.
    #[error("is not a URL such as https://raven.example.com")]
    Syntax,
    /// Mailjet posts by HTTP.
    #[error("begins with another scheme than https:// or http://")]
    Scheme,
    /// Its end would never reach anybody.
    #[error("has a fragment (#…), which is never sent")]
    Fragment,
    /// It is longer than [`MOST_CHARACTERS`].
    #[error("has more than {MOST_CHARACTERS} characters")]
    Length,
}

impl Endpoint {
    /// The way of a tenant's events below the base of an installation.
    pub fn below(base: &str, tenant: TenantId) -> Result<Self, InvalidEndpoint> {
        Self::read(&format!("{}{}", base.trim_end_matches('/'), way(tenant)))
    }

    /// Reads a URL. A bare origin gets the way of this tenant's events.
    pub fn parse(text: &str, tenant: TenantId) -> Result<Self, InvalidEndpoint> {
        let mut endpoint = Self::read(text)?;
        if endpoint.0.path() == "/" && endpoint.0.query().is_none() {
            endpoint.0.set_path(&way(tenant));
        }
        Ok(endpoint)
    }

    pub(super) fn read(text: &str) -> Result<Self, InvalidEndpoint> {
        if text.chars().count() > MOST_CHARACTERS {
            return Err(InvalidEndpoint::Length);
        }
        // What the parser would silently leave out or put right.
        if text.chars().any(|char| char.is_control() || char.is_whitespace() || char == '\\') {
            return Err(InvalidEndpoint::Syntax);
        }
        let url: Url = text.parse().map_err(|_| InvalidEndpoint::Syntax)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(InvalidEndpoint::Scheme);
        }
        if !text.contains("://") || !url.has_host() {
            return Err(InvalidEndpoint::Syntax);
        }
        if url.fragment().is_some() {
            return Err(InvalidEndpoint::Fragment);
        }
        Ok(Self(url))
    }

    /// The whole URL, with credentials of its own.
    pub(super) fn reveal(&self) -> &str {
        self.0.as_str()
    }

    /// Whether Raven makes the token that it carries.
    pub(super) fn is_managed(&self) -> bool {
        secret_of(&self.0).is_none()
    }

    /// The URL with this token.
    pub(super) fn with_token(&self, token: &str) -> String {
        let mut url = self.0.clone();
        // Neither fails for a URL with a host.
        let _ = url.set_username(USER).and_then(|()| url.set_password(Some(token)));
        url.into()
    }

    /// The URL as it is, or, if Mailjet has given that up, another one that leads to the same place.
    pub(super) fn with_mark(&self, mark: Option<&str>) -> String {
        let mut url = self.0.clone();
        if let Some(mark) = mark {
            url.query_pairs_mut().append_pair(RENEWED, mark);
        }
        url.into()
    }

    /// Whether a URL leads here, whatever token Raven has put into it.
    pub(super) fn is_at(&self, url: &Url) -> bool {
        let mut url = url.clone();
        if self.is_managed() {
            let _ = url.set_username("").and_then(|()| url.set_password(None));
        } else if let Some(query) = url.query() {
            let kept: Vec<&str> =
                query.split('&').filter(|pair| pair.split('=').next() != Some(RENEWED)).collect();
            let kept = kept.join("&");
            url.set_query(Some(kept.as_str()).filter(|kept| !kept.is_empty()));
        }
        url == self.0
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({})", masked(self.0.as_str()))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&masked(self.0.as_str()))
    }
}

fn way(tenant: TenantId) -> String {
    format!("/v1/webhooks/email/mailjet/{tenant}")
}

/// The credentials that a URL carries, if any: what the door looks for, or at least a user.
pub(super) fn secret_of(url: &Url) -> Option<String> {
    let in_query =
        || url.query_pairs().find(|(name, _)| name == "token").map(|(_, value)| value.into_owned());
    let user = || Some(url.username().to_owned()).filter(|user| !user.is_empty());
    url.password().map(str::to_owned).or_else(in_query).or_else(user)
}

/// A URL that can be shown: without passwords, and without the values of parameters, any of which may be a secret.
pub(super) fn masked(text: &str) -> String {
    let Ok(mut url) = text.parse::<Url>() else { return HIDDEN.to_owned() };
    if url.password().is_some() {
        let _ = url.set_password(Some(HIDDEN));
    } else if !url.username().is_empty() {
        let _ = url.set_username(HIDDEN);
    }
    if let Some(query) = url.query() {
        let names = query.split('&').map(|pair| pair.split_once('=').map_or(HIDDEN, |(name, _)| name));
        let pairs: Vec<String> = names.map(|name| format!("{name}={HIDDEN}")).collect();
        url.set_query(Some(&pairs.join("&")));
    }
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: TenantId = TenantId(uuid::Uuid::nil());
    const WAY: &str = "/v1/webhooks/email/mailjet/00000000-0000-0000-0000-000000000000";

    fn parse(text: &str) -> Endpoint {
        Endpoint::parse(text, TENANT).unwrap()
    }

    #[test]
    fn a_bare_origin_gets_the_way_and_anything_else_stays() {
        assert_eq!(parse("https://raven.example.com").reveal(), format!("https://raven.example.com{WAY}"));
        assert_eq!(parse("http://h:8080/").reveal(), format!("http://h:8080{WAY}"));
        assert_eq!(parse("https://h.example/hook?a=1").reveal(), "https://h.example/hook?a=1");
        let below = Endpoint::below("https://h.example/raven/", TENANT).unwrap();
        assert_eq!(below.reveal(), format!("https://h.example/raven{WAY}"));
    }

    #[test]
    fn what_is_no_url_for_mailjet_is_refused() {
        for (text, why) in [
            ("", InvalidEndpoint::Syntax),
            ("raven.example.com", InvalidEndpoint::Syntax),
            ("https://", InvalidEndpoint::Syntax),
            ("https:h.example", InvalidEndpoint::Syntax),
            ("https://h.example/a b", InvalidEndpoint::Syntax),
            ("https://h.example\\a", InvalidEndpoint::Syntax),
            ("https://h.example/\0", InvalidEndpoint::Syntax),
            ("ftp://h.example/", InvalidEndpoint::Scheme),
            ("javascript:alert(1)", InvalidEndpoint::Scheme),
            ("https://h.example/#a", InvalidEndpoint::Fragment),
        ] {
            assert_eq!(Endpoint::parse(text, TENANT), Err(why), "{text:?}");
        }
        let long = format!("https://h.example/{}", "a".repeat(MOST_CHARACTERS));
        assert_eq!(Endpoint::parse(&long, TENANT), Err(InvalidEndpoint::Length));
    }

    #[test]
    fn a_token_is_added_only_where_there_are_no_credentials() {
        let managed = parse("https://h.example/hook");
        assert!(managed.is_managed());
        let carried = managed.with_token("rwt1");
        assert_eq!(carried, "https://raven:rwt1@h.example/hook");
        assert!(managed.is_at(&carried.parse().unwrap()));
        for own in ["https://u:p@h.example/hook", "https://h.example/hook?token=t", "https://u@h.example/"] {
            assert!(!parse(own).is_managed(), "{own}");
        }
        assert!(!managed.is_at(&"https://h.example/other".parse().unwrap()));
    }

    #[test]
    fn a_mark_makes_another_url_of_the_same_place() {
        let own = parse("https://h.example/hook?token=t&b=%20");
        let marked = own.with_mark(Some("m1"));
        assert_ne!(marked, own.with_mark(None));
        assert!(own.is_at(&marked.parse().unwrap()) && own.is_at(&own.with_mark(None).parse().unwrap()));
        assert!(!own.is_at(&"https://h.example/hook?token=u&b=%20".parse().unwrap()));
    }

    #[test]
    fn what_is_shown_holds_no_secret() {
        for (url, shown) in [
            ("https://raven:rwt1@h.example/x", "https://raven:****@h.example/x"),
            ("https://rwt1@h.example/x", "https://****@h.example/x"),
            ("https://h.example/x?token=rwt1&a=rwt1", "https://h.example/x?token=****&a=****"),
            ("https://h.example/x?rwt1", "https://h.example/x?****=****"),
            ("rwt1", "****"),
        ] {
            assert_eq!(masked(url), shown);
        }
        assert!(!format!("{:?}", parse("https://u:rwt1@h.example/")).contains("rwt1"));
    }
}
