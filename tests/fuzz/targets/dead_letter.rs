//! A dead letter with any headers that came over the wire: it is told of, and what goes back to a queue carries nothing
//! that the broker would act on, however often it dies.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&[u8], &[u8])| {
    let (headers, body) = input;
    let mut sized = u32::try_from(headers.len()).unwrap().to_be_bytes().to_vec();
    sized.extend_from_slice(headers);
    let Some(letter) = broker::fuzzing::letter(&sized, body) else { return };
    assert!(!letter.id.is_empty() && !letter.reason.is_empty() || letter.header("raven-reason").is_some());
    for (name, words) in letter.headers() {
        assert!(letter.header(&name).is_none_or(|text| text == words), "{name} reads the same for people");
    }
    let once = broker::fuzzing::again(&letter);
    assert_eq!((once.deaths, once.queue.as_deref(), once.buried_at.as_deref()), (0, None, None));
    assert!(once.headers().iter().all(|(name, _)| name.starts_with("raven-")), "{:?}", once.headers());
    assert_eq!((&once.body, once.id.as_str()), (&letter.body, letter.id.as_str()));
    assert_eq!(broker::fuzzing::again(&once), once, "nothing is lost on the way there and back");
});
