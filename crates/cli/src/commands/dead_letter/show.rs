//! `raven dead-letter show`.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use broker::dead_letters::{Choice, Letter, walk};
use broker::{BrokerUrl, Queue};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::{check, no_such, summary};
use crate::failure::Failure;
use crate::output::{Output, note, print, printable};

/// Letters with one id that are shown. Each may have megabytes, and these differ in little.
const MOST: usize = 10;

pub(super) async fn run(url: &BrokerUrl, id: &str, output: Output) -> anyhow::Result<()> {
    let letters = find(url, id).await?;
    if output.json {
        return output.list(&letters.iter().map(whole).collect::<Vec<_>>(), &[]);
    }
    for letter in &letters {
        for_people(letter, output)?;
    }
    Ok(())
}

/// Writes the body as it is, to a file or to standard output.
pub(super) async fn raw(url: &BrokerUrl, id: &str, file: Option<&Path>) -> anyhow::Result<()> {
    let letters = find(url, id).await?;
    if letters.len() > 1 {
        note("several letters have this id; this is the body of one of them")?;
    }
    let body = &letters[0].body;
    match file {
        Some(file) => {
            let mut target = File::create(file).map_err(|fault| Failure::file(file, &fault))?;
            target.write_all(body).with_context(|| format!("{} was not written", file.display()))
        }
        None => Ok(std::io::stdout().write_all(body)?),
    }
}

/// The letters with this id, of which there is at least one.
async fn find(url: &BrokerUrl, id: &str) -> anyhow::Result<Vec<Letter>> {
    let mut letters = Vec::new();
    let outcome = walk(url, |letter| {
        if letter.id == id && letters.len() < MOST {
            letters.push(letter.clone());
        }
        if letters.len() < MOST { Choice::Keep } else { Choice::Stop }
    })
    .await?;
    let stopped = letters.len() == MOST;
    if stopped {
        note(&format!("{MOST} letters with this id; there may be more"))?;
    }
    check(outcome, stopped)?;
    if letters.is_empty() { Err(no_such(id).into()) } else { Ok(letters) }
}

/// A body, as it can be shown.
#[derive(Debug, PartialEq)]
enum Shown<'a> {
    Text(&'a str),
    /// The JSON of a message to send, and the number of bytes of its attachments, which follow it.
    Message(&'a str, usize),
    Bytes(&'a [u8]),
}

impl<'a> Shown<'a> {
    fn new(queue: Option<&str>, body: &'a [u8]) -> Self {
        if queue == Some(Queue::Sends.name()) {
            let head = serde_json::Deserializer::from_slice(body).into_iter::<&RawValue>().next();
            if let Some(Ok(head)) = head {
                return Self::Message(head.get(), body.trim_ascii_start().len() - head.get().len());
            }
        }
        std::str::from_utf8(body).map_or(Self::Bytes(body), Self::Text)
    }
}

fn headers(letter: &Letter) -> Map<String, Value> {
    letter.headers().into_iter().map(|(name, value)| (name, Value::String(value))).collect()
}

fn whole(letter: &Letter) -> Value {
    let mut value = summary(letter);
    value["contentType"] = json!(letter.content_type);
    value["headers"] = Value::Object(headers(letter));
    match Shown::new(letter.queue.as_deref(), &letter.body) {
        Shown::Text(text) => value["body"] = json!(text),
        Shown::Message(head, attachments) => {
            value["body"] = json!(head);
            value["attachmentBytes"] = json!(attachments);
        }
        Shown::Bytes(bytes) => value["bodyBase64"] = json!(STANDARD.encode(bytes)),
    }
    value
}

fn for_people(letter: &Letter, output: Output) -> anyhow::Result<()> {
    let mut fields = summary(letter);
    fields["contentType"] = json!(letter.content_type);
    for field in fields.as_object_mut().into_iter().flat_map(Map::values_mut) {
        if let Value::String(text) = field {
            *text = printable(text);
        }
    }
    output.one(&fields)?;
    for (name, value) in letter.headers() {
        print(&format!("{:<12} {}: {}\n", "header", printable(&name), printable(&value)))?;
    }
    let body = match Shown::new(letter.queue.as_deref(), &letter.body) {
        Shown::Text(text) => indented(text),
        Shown::Message(head, 0) => indented(head),
        Shown::Message(head, attachments) => {
            format!("{}\n({attachments} bytes of attachments follow; --raw or -o has them)", indented(head))
        }
        Shown::Bytes(bytes) => STANDARD.encode(bytes),
    };
    print(&format!("\n{}\n", printable(&body)))
}

/// JSON in lines; any other text as it is.
fn indented(text: &str) -> String {
    let pretty = serde_json::from_str::<Value>(text).and_then(|value| serde_json::to_string_pretty(&value));
    pretty.unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_shown_without_its_attachments() {
        let body = [br#"{"v":1}"#.as_slice(), &[0xff, 0x00]].concat();
        assert_eq!(Shown::new(Some("sends"), &body), Shown::Message(r#"{"v":1}"#, 2));
        assert_eq!(Shown::new(Some("sends"), br#" {"v":1}{}"#), Shown::Message(r#"{"v":1}"#, 2));
        assert_eq!(Shown::new(Some("events"), &body), Shown::Bytes(&body));
    }

    #[test]
    fn what_is_not_json_is_shown_as_it_is() {
        assert_eq!(Shown::new(Some("sends"), b"hello"), Shown::Text("hello"));
        assert_eq!(Shown::new(None, b""), Shown::Text(""));
        assert_eq!(indented("[1,{\"a\":2}"), "[1,{\"a\":2}");
    }

    #[test]
    fn a_body_does_not_steer_the_terminal() {
        assert_eq!(printable("a\u{1b}[2J\n\u{9b}b"), "a\\u{1b}[2J\n\\u{9b}b");
    }
}
