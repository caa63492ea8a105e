//! Any text: an address that is read is free of control characters, bounded, stands for itself, and is compared by a form
//! that is stable; with its name it survives being written and read again.
#![no_main]

use domain::address::key_of;
use domain::{EmailAddress, Mailbox};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let key = key_of(text);
    assert_eq!(key_of(&key), key, "keys are stable");
    let Ok(mailbox) = Mailbox::parse(text) else { return };
    let email = mailbox.email.as_str();
    let name = mailbox.name.as_deref().unwrap_or_default();
    assert!(!email.chars().chain(name.chars()).any(char::is_control));
    assert!(email.len() <= 320 && email.contains('@'));
    assert_eq!(EmailAddress::parse(email).as_ref(), Ok(&mailbox.email), "an address is itself");
    assert_eq!(key_of(email), mailbox.email.key(), "both ways lead to one key");
    assert_eq!(key_of(&mailbox.email.key()), mailbox.email.key());
    assert!(!mailbox.email.to_ascii().chars().any(char::is_control));
    assert_eq!(Mailbox::new(email, mailbox.name.as_deref()).as_ref(), Ok(&mailbox));
    let json = serde_json::to_string(&mailbox).unwrap();
    assert_eq!(serde_json::from_str::<Mailbox>(&json).unwrap(), mailbox, "as it travels in the queue");
    // Within brackets an address that holds brackets itself is not looked for.
    if !email.contains(['<', '>']) {
        let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
        assert_eq!(Mailbox::parse(&format!("\"{quoted}\" <{email}>")), Ok(mailbox), "{text:?}");
    }
});
