//! Any query and any header: what is read keeps its bounds, and a cursor leads to the place that it was made of.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str, &[u8])| {
    let (query, place, header) = input;
    ingest::fuzzing::paging_holds(query);
    ingest::fuzzing::cursor_holds(place);
    ingest::fuzzing::idempotency_key_holds(header);
});
