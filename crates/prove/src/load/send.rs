//! Clients that send: one message or several, with a key and without, now and later.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use fastrand::Rng;
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use super::Load;
use crate::client::{Answer, ask};
use crate::told::{Canceled, Sent};
use crate::words::Word;

/// Errands under way at most; while nothing is answered, no more are begun.
const MOST: usize = 400;
/// How long ahead what is to be withdrawn is scheduled.
const AHEAD: Duration = Duration::from_secs(20);

/// The pause before a message that is not there yet is withdrawn again.
const TOO_EARLY: Duration = Duration::from_millis(200);

/// What a client is about to do.
#[derive(Debug, Clone)]
struct Errand {
    tenant: usize,
    number: u64,
    /// What becomes of each message.
    words: Vec<Word>,
    keyed: bool,
    /// For how long it is put off.
    delay: Option<Duration>,
    cancel: bool,
    /// Once answered, it is posted once more, as by a client that forgot.
    again: bool,
}

/// Sends at this rate until the load has ended, and sees every errand through.
pub(super) async fn run(load: Arc<Load>, rate: f64, mut rng: Rng) -> Result<()> {
    let mut number = 0;
    let pace = Duration::from_secs_f64(1.0 / rate);
    load.keep_beginning(pace, MOST, || {
        number += 1;
        let errand = Errand::draw(number, load.site.tenants.len(), &mut rng);
        let load = Arc::clone(&load);
        async move { errand.run(&load).await }
    })
    .await
}

impl Errand {
    fn draw(number: u64, tenants: usize, rng: &mut Rng) -> Self {
        let tenant = rng.usize(..tenants);
        let ticket = rng.usize(..100);
        let count = match ticket {
            0..6 => rng.usize(2..=20),
            // Enough for the queue of floods.
            6 => 220,
            _ => 1,
        };
        let cancel = (7..11).contains(&ticket);
        let delay = match ticket {
            7..11 => Some(AHEAD),
            11..16 => Some(Duration::from_millis(rng.u64(500..4000))),
            _ => None,
        };
        let words = (0..count).map(|_| Word::draw(rng)).collect();
        let keyed = cancel || rng.u8(..10) < 7;
        Self { tenant, number, words, keyed, delay, cancel, again: keyed && rng.u8(..10) == 0 }
    }

    async fn run(self, load: &Load) {
        let at = self.delay.map(|delay| Timestamp::now() + delay);
        let mut marks = self.marks(load, 0);
        let mut patience = load.insist("a send", &[200]);
        let mut tries = 0;
        let answer = loop {
            let answer = self.post(load, &marks, at).await;
            if patience.is_over(&answer).await {
                break answer;
            }
            tries += 1;
            // Without a key another try is another message; so each has marks of its own, and each may go out.
            if !self.keyed {
                marks = self.marks(load, tries);
            }
        };
        let several = self.words.len() > 1;
        let Some(accepted) = ids(&answer, several) else { return load.told.give_up(&answer) };
        load.told.book().all_answered(&marks, &accepted);
        if self.again {
            let answer = self.post(load, &marks, at).await;
            load.told.note("a send once more", &answer, &[200]);
            if let Some(again) = ids(&answer, several) {
                load.told.book().all_answered(&marks, &again);
            }
        }
        if self.cancel {
            self.cancel(load, &accepted).await;
        }
    }

    /// Marks for one try, which are entered before anybody can have taken what bears them.
    fn marks(&self, load: &Load, attempt: usize) -> Vec<String> {
        let mut book = load.told.book();
        let marks = self.words.iter().enumerate().map(|(place, word)| {
            let mark = format!("m{}t{attempt}p{place}", self.number);
            book.enter(Sent {
                tenant: self.tenant,
                mark: mark.clone(),
                word: *word,
                recipients: self.recipients(),
                keyed: self.keyed,
                id: None,
                canceled: Canceled::No,
            });
            mark
        });
        marks.collect()
    }

    /// Every seventh goes to two.
    fn recipients(&self) -> usize {
        if self.number.is_multiple_of(7) { 2 } else { 1 }
    }

    async fn post(&self, load: &Load, marks: &[String], at: Option<Timestamp>) -> Answer {
        let messages: Vec<Value> =
            marks.iter().zip(&self.words).map(|(mark, word)| self.message(mark, *word, at)).collect();
        let (path, body) = match &messages[..] {
            [one] => ("/v1/messages", one.clone()),
            several => ("/v1/messages/batch", json!({ "messages": several })),
        };
        let request = load.site.tenant(self.tenant).request(load.ingest(), Method::POST, path).json(&body);
        let request = if self.keyed {
            request.header("Idempotency-Key", format!("errand-{}", self.number))
        } else {
            request
        };
        ask(request).await
    }

    fn message(&self, mark: &str, word: Word, at: Option<Timestamp>) -> Value {
        let mut message = json!({
            "to": [format!("{}+{mark}@example.com", word.text)], "subject": mark, "bodyText": "Hello there.",
        });
        if self.recipients() == 2 {
            message["cc"] = json!(format!("{}+{mark}cc@example.com", word.text));
        }
        if let Some(at) = at {
            message["scheduledAt"] = json!(at);
        }
        message
    }

    async fn cancel(&self, load: &Load, ids: &[String]) {
        let tenant = load.site.tenant(self.tenant);
        for id in ids {
            let mut unheard = false;
            let path = format!("/v1/messages/{id}/cancel");
            let until = Timestamp::now() + AHEAD;
            let mut patience = load.insist("a withdrawal", &[200, 409, 404]);
            let answer = loop {
                load.told.book().canceled(id, Canceled::Perhaps);
                let answer = tenant.post(load.ingest(), &path, &Value::Null).await;
                // Until a worker has stored it, it is not there.
                let too_early = matches!(answer, Answer::Status(404, _)) && Timestamp::now() < until;
                if patience.is_over(&answer).await && !too_early {
                    break answer;
                }
                if too_early {
                    tokio::time::sleep(TOO_EARLY).await;
                } else {
                    unheard = true;
                }
            };
            match answer {
                Answer::Status(200, _) => load.told.book().canceled(id, Canceled::Yes),
                // Only a try of which nothing was heard may have done it.
                Answer::Status(409 | 404, _) if !unheard => load.told.book().canceled(id, Canceled::No),
                last if last.is_for_now() => load.told.give_up(&last),
                _ => {}
            }
        }
    }
}

/// The ids of what was accepted.
fn ids(answer: &Answer, several: bool) -> Option<Vec<String>> {
    let Answer::Status(200, body) = answer else { return None };
    let id = |row: &Value| row["id"].as_str().map(str::to_owned);
    if several { body["data"].as_array()?.iter().map(id).collect() } else { Some(vec![id(body)?]) }
}
