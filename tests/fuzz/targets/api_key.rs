//! Any text, as it comes in the header: what is read as a key is written the same again, and nothing of it is printed.
#![no_main]

use domain::api_key::{ApiKey, KeyId, SecretHash};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, u32, bool, [u8; 20], u8)| {
    let (text, id, test, random, place) = input;
    if let Ok(id) = text.parse::<KeyId>() {
        assert_eq!(id.to_string(), text);
    }
    if let Ok(key) = ApiKey::parse(text) {
        assert_eq!(key.reveal(), text);
    }
    let made = ApiKey::from_random(id, test, random);
    let whole = made.reveal();
    assert_eq!(whole.len(), 65);
    let read = ApiKey::parse(&whole).unwrap();
    assert_eq!((read.id, read.test, read.hash()), (KeyId(id), test, SecretHash::of(whole.as_bytes())));
    assert!(!format!("{read:?}").contains(&whole[17..25]) || whole[8..16].contains(&whole[17..25]));
    // One part replaced by any text is another key, or none.
    let place = usize::from(place) % 65;
    let other = format!("{}{text}{}", &whole[..place], &whole[place..]);
    assert!(text.is_empty() || ApiKey::parse(&other).is_err());
});
