//! Any query and any header: what is read keeps its bounds, and a cursor leads to the place that it was made of.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str, &[u8])| {
    let (query, place, header) = input;
    if let Some((limit, after)) = ingest::fuzzing::paging(query) {
        assert!((1..=500).contains(&limit));
        if let Some(after) = after {
            assert!(!after.chars().any(char::is_control));
            let again = format!("limit={limit}&cursor={}", ingest::fuzzing::cursor(&after));
            assert_eq!(ingest::fuzzing::paging(&again), Some((limit, (!after.is_empty()).then_some(after))));
        }
    }
    let cursor = format!("cursor={}", ingest::fuzzing::cursor(place));
    let expected = (!place.is_empty()).then(|| place.to_owned());
    let read = ingest::fuzzing::paging(&cursor).map(|(_, after)| after);
    assert_eq!(read, (!place.chars().any(char::is_control)).then_some(expected));
    if let Some(key) = ingest::fuzzing::idempotency_key(header) {
        assert!((1..=256).contains(&key.len()) && key.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        assert_eq!(ingest::fuzzing::idempotency_key(key.as_bytes()), Some(key), "trimmed once is trimmed");
    }
});
