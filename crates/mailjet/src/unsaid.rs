//! Mailjet repeats values that it refuses, whole or in part: its words without the secrets in a URL.

use std::fmt::Write as _;

use reqwest::Url;

/// What stands where a secret stood.
const HIDDEN: &str = "****";
/// Said in place of words that could not be rid of them.
const UNSAID: &str = "(Mailjet's words repeat a secret)";
/// So many characters of a secret in a row are enough of it to keep all words back.
const TELLING: usize = 8;

/// Mailjet's words without the URL, its user and password, and the values of its parameters.
pub(crate) fn without_secrets(url: &str, words: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let mut clean = words.replace(url, "(the URL)").replace(rest, "(the URL)");
    let secrets = secrets(url);
    for secret in &secrets {
        clean = clean.replace(secret.as_str(), HIDDEN);
    }
    let lower = clean.to_lowercase();
    let is_told = |secret: &String| {
        let chars: Vec<char> = secret.to_lowercase().chars().collect();
        chars.windows(TELLING).any(|piece| lower.contains(&piece.iter().collect::<String>()))
    };
    if secrets.iter().any(is_told) { UNSAID.to_owned() } else { clean }
}

/// Every secret in each of its spellings, the longest first: one may be part of another.
fn secrets(url: &str) -> Vec<String> {
    let Ok(parsed) = url.parse::<Url>() else { return vec![url.to_owned()] };
    // Beside a password, the user is no secret if it is the one that Raven always writes.
    let user = Some(parsed.username()).filter(|user| parsed.password().is_none() || *user != "raven");
    let mut secrets: Vec<String> = [user, parsed.password()]
        .into_iter()
        .flatten()
        .flat_map(|part| [part.to_owned(), decoded(part)])
        .collect();
    let raw = parsed.query().into_iter().flat_map(|query| query.split('&'));
    secrets.extend(raw.map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value).to_owned()));
    secrets.extend(parsed.query_pairs().map(|(_, value)| value.into_owned()));
    let encoded: Vec<String> =
        secrets.iter().flat_map(|secret| [encoded(secret, false), encoded(secret, true)]).collect();
    secrets.extend(encoded);
    secrets.retain(|secret| !secret.is_empty());
    secrets.sort_unstable_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.dedup();
    secrets
}

/// With percent signs for all but what may always stand in a URL.
fn encoded(text: &str, in_lower_case: bool) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        // Writing to a text never fails.
        let _ = if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            write!(encoded, "{}", char::from(byte))
        } else if in_lower_case {
            write!(encoded, "%{byte:02x}")
        } else {
            write!(encoded, "%{byte:02X}")
        };
    }
    encoded
}

/// Without percent signs.
fn decoded(text: &str) -> String {
    let query = format!("http://h/?a={}", text.replace('+', "%2B"));
    let url: Option<Url> = query.parse().ok();
    let value = url.and_then(|url| url.query_pairs().next().map(|(_, value)| value.into_owned()));
    value.unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_part_of_a_url_is_repeated_its_secrets_are_not() {
        let url = "https://me:p%40ss%2Fword-1@h.example/hook?token=to%2Bken&b=plain";
        for words in [
            format!("Invalid value for \"Url\": \"{url}\""),
            "Invalid authority me:p%40ss%2Fword-1@h.example".to_owned(),
            "Invalid password p@ss/word-1".to_owned(),
            "Invalid password p%40ss%2fword-1".to_owned(),
            "Invalid query ?token=to%2Bken".to_owned(),
            "Invalid query token=to+ken".to_owned(),
            "Invalid URL https%3A%2F%2Fme%3Ap%2540ss%252Fword-1%40h.example".to_owned(),
        ] {
            let clean = without_secrets(url, &words);
            for secret in ["p@ss", "p%40ss", "p%2540", "to+ken", "to%2B", "plain"] {
                assert!(!clean.contains(secret), "{clean}");
            }
            assert!(clean.starts_with("Invalid"), "{clean}");
        }
    }

    #[test]
    fn a_piece_of_a_secret_keeps_all_words_back() {
        let url = "https://raven:rwt1abcdefghijkl@h.example/hook";
        assert_eq!(without_secrets(url, "The URL https://raven:rwt1abcdefgh… is too long"), UNSAID);
        assert_eq!(without_secrets(url, "The URL HTTPS://RAVEN:RWT1ABCDEFGHIJKL@H… is bad"), UNSAID);
    }

    #[test]
    fn words_without_secrets_stay() {
        let words = "The property \"Url\" of raven's row is not valid.";
        assert_eq!(without_secrets("https://raven:rwt1abcdefgh@h.example/", words), words);
    }
}
