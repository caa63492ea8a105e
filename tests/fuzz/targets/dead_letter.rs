//! A dead letter with any headers that came over the wire: it is told of, and what goes back to a queue carries nothing
//! that the broker would act on, however often it dies.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&[u8], &[u8])| {
    let (headers, body) = input;
    let mut sized = u32::try_from(headers.len()).unwrap().to_be_bytes().to_vec();
    sized.extend_from_slice(headers);
    if let Some(letter) = broker::fuzzing::letter(&sized, body) {
        broker::fuzzing::letter_holds(&letter);
    }
});
