//! A body of any bytes as a send: what is accepted keeps every bound, cannot break a header, is the same message when it is
//! asked for once more in its plainest form, and comes out of the queue as it went in.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| ingest::fuzzing::send_request_holds(body));
