//! Any answer of Mailjet: each message has one outcome, none is taken for sent or for unheard of that the answer does not
//! say so of, and nothing that may have been sent is called "not sent".
#![no_main]

use domain::{Mailbox, Message, MessageId, Outcome};
use libfuzzer_sys::fuzz_target;
use mailjet::{LookUp, Outgoing, SendAnswer};
use uuid::Uuid;

fuzz_target!(|input: (u16, u8, &str)| {
    let (status, count, body) = input;
    let status = 100 + status % 500;
    let (from, message) = (Mailbox::new("a@example.com", None).unwrap(), Message::default());
    let id = MessageId(Uuid::from_u128(0xabc));
    let sent: Vec<_> = (0..count % 5 + 1).map(|_| Outgoing { id, from: &from, message: &message }).collect();
    let json = serde_json::from_str::<serde_json::Value>(body).ok();
    let entries = json.as_ref().and_then(|json| json.get("Messages")).and_then(|list| list.as_array());
    match mailjet::fuzzing::send_answer(status, body.as_bytes(), &sent).unwrap() {
        SendAnswer::Each(outcomes) => {
            let entries = entries.expect("a list, without which there are no outcomes for each");
            assert_eq!(outcomes.len(), sent.len());
            for (place, outcome) in outcomes.iter().enumerate() {
                let says = |word: &str| entries.get(place).is_some_and(|entry| entry.get(word).is_some());
                match outcome {
                    Outcome::Accepted(rows) => assert!(says("Status") && rows.iter().all(|row| row.message_id != Some(0))),
                    Outcome::Uncertain(_) => {}
                    _ => assert!(says("Errors"), "{outcome:?}"),
                }
            }
        }
        SendAnswer::All(outcome) => {
            assert!(!matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
            assert!(status < 500 || matches!(outcome, Outcome::Uncertain(_)), "{status}: {outcome:?}");
        }
        SendAnswer::Culprit(_) => assert!((400..500).contains(&status), "{status}"),
    }
    match mailjet::fuzzing::look_up(status, body.as_bytes(), id).unwrap() {
        LookUp::Unavailable(_) => {}
        LookUp::Found(rows) => assert!((200..300).contains(&status) && !rows.is_empty()),
        LookUp::NotHeard => {
            let json = json.expect("JSON");
            let rows = json["Data"].as_array().expect("rows");
            assert!((200..300).contains(&status));
            assert!(rows.is_empty(), "rows that say anything but no: {body}");
        }
    }
});
