//! What has to hold of queries, cursors and `Idempotency-Key`.

use actix_web::http::Uri;
use actix_web::http::header::HeaderValue;
use actix_web::test::TestRequest;

use crate::{door, page};

/// Checks the query of a list.
///
/// # Panics
/// Where it is accepted and out of bounds, or its cursor made anew leads elsewhere.
pub fn paging_holds(query: &str) {
    let Some((limit, after)) = paging(query) else { return };
    assert!((1..=500).contains(&limit));
    if let Some(after) = after {
        assert!(!after.chars().any(char::is_control));
        let again = format!("limit={limit}&cursor={}", page::cursor_of(&after));
        assert_eq!(paging(&again), Some((limit, (!after.is_empty()).then_some(after))));
    }
}

/// Checks the cursor of a place.
///
/// # Panics
/// Where it leads to another place, or to one that holds a control character.
pub fn cursor_holds(place: &str) {
    let expected = (!place.is_empty()).then(|| place.to_owned());
    let read = paging(&format!("cursor={}", page::cursor_of(place))).map(|(_, after)| after);
    assert_eq!(read, (!place.chars().any(char::is_control)).then_some(expected));
}

/// Checks an `Idempotency-Key`.
///
/// # Panics
/// Where it is accepted and out of bounds, or is another when it comes again.
pub fn idempotency_key_holds(header: &[u8]) {
    let Some(key) = idempotency_key(header) else { return };
    assert!((1..=256).contains(&key.len()) && key.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
    assert_eq!(idempotency_key(key.as_bytes()), Some(key), "trimmed once is trimmed");
}

fn idempotency_key(value: &[u8]) -> Option<String> {
    // What no header may hold never gets as far as our code.
    let value = HeaderValue::from_bytes(value).ok()?;
    let request = TestRequest::default().insert_header(("idempotency-key", value)).to_http_request();
    door::key(&request).ok().flatten().map(str::to_owned)
}

/// Reads the query of a list that has nothing but pages: its limit, and its cursor in plain.
fn paging(query: &str) -> Option<(usize, Option<String>)> {
    let uri = format!("/v1/domains?{query}");
    let request = uri.parse::<Uri>().ok().map(|_| TestRequest::with_uri(&uri).to_http_request())?;
    let mut parameters = page::Parameters::of(&request);
    let (limit, after) = (parameters.limit(), parameters.cursor(|text| Some(text.to_owned())));
    parameters.finish().ok().map(|()| (limit, after))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_query_is_read_or_refused(query in "((limit|cursor|x)?=([0-9]{0,4}|[A-Za-z0-9_-]{0,8}|%[0-9A-F]{2}|\\PC)?&?){0,3}") {
            paging_holds(&query);
        }

        #[test]
        fn a_cursor_leads_to_its_place(place in any::<String>()) {
            cursor_holds(&place);
        }

        #[test]
        fn a_key_is_the_same_when_it_comes_again(header in prop_oneof![any::<Vec<u8>>(), "[ -~]{0,260}".prop_map(String::into_bytes)]) {
            idempotency_key_holds(&header);
        }
    }
}
