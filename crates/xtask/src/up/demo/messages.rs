//! Sending the four mails and following each to its end.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::table::Table;
use super::{Tenant, expect};
use crate::http::{Header, Http};
use crate::interrupt::Interrupt;
use crate::os;
use crate::secret::{hex, random};
use crate::up::services::Urls;

const LIMIT: Duration = Duration::from_mins(1);

/// One mail and where it has to end.
pub(super) struct Mail {
    pub(super) to: String,
    id: String,
    /// The status that ends the wait.
    goal: &'static str,
    /// Whether the history must also tell that the mail was opened.
    wants_open: bool,
    pub(super) status: String,
    pub(super) opened: bool,
}

impl Mail {
    fn new(to: String, goal: &'static str, wants_open: bool) -> Self {
        Self {
            to,
            id: String::new(),
            goal,
            wants_open,
            status: "sending it to Raven".to_owned(),
            opened: false,
        }
    }

    /// Whether it is where it should be.
    pub(super) fn is_done(&self) -> bool {
        self.status == self.goal && (self.opened || !self.wants_open)
    }

    /// What a person reads in the column of the status.
    pub(super) fn shown(&self) -> String {
        if self.opened { format!("{}, opened", self.status) } else { self.status.clone() }
    }
}

/// The addresses tell the simulator what to do. Those that will be suppressed are new in each run: a second mail to
/// them would not be sent, and that is right.
fn mails(run: &str) -> [Mail; 4] {
    [
        Mail::new("anna@example.com".to_owned(), "delivered", false),
        Mail::new("open@example.com".to_owned(), "delivered", true),
        Mail::new(format!("bounce+{run}@example.com"), "bounced", false),
        Mail::new(format!("spam+{run}@example.com"), "complained", false),
    ]
}

/// Fails when a mail is not where it should be in time.
pub(super) fn send_and_follow(
    http: &Http,
    urls: &Urls,
    tenant: &Tenant,
    interrupt: &Interrupt,
) -> Result<()> {
    let api = Api {
        http,
        url: format!("{}/v1/messages", urls.ingest),
        key: ("x-raven-key", tenant.api_key.clone()),
    };
    let begun = Instant::now();
    let mut mails = mails(&hex(&random::<3>()?));
    let mut table = Table::new();
    for mail in &mut mails {
        interrupt.check()?;
        mail.id = api.send(&mail.to, begun)?;
        "accepted".clone_into(&mut mail.status);
    }
    loop {
        interrupt.check()?;
        for mail in mails.iter_mut().filter(|mail| !mail.is_done()) {
            api.look(mail)?;
        }
        table.show(&mails, begun.elapsed());
        if mails.iter().all(Mail::is_done) {
            return Ok(());
        }
        if begun.elapsed() > LIMIT {
            let late = mails.iter().find(|mail| !mail.is_done()).context("one is late")?;
            bail!("{} is `{}` after {} s, not `{}`", late.to, late.shown(), LIMIT.as_secs(), late.goal);
        }
        os::pause(Duration::from_millis(150));
    }
}

struct Api<'a> {
    http: &'a Http,
    url: String,
    key: Header<'static>,
}

impl Api<'_> {
    /// 503 is Raven's word for "nothing was accepted, try again", so that is done.
    fn send(&self, to: &str, begun: Instant) -> Result<String> {
        let body = json!({
            "to": to,
            "subject": "Hello from Raven",
            "bodyHtml": "<p>It <b>flies</b>.</p>",
            "bodyText": "It flies.",
            "tags": ["demo"],
        });
        loop {
            let answer = self.http.post(&self.url, &self.key, &body)?;
            if answer.status == 503 && begun.elapsed() < LIMIT / 2 {
                os::pause(Duration::from_millis(500));
                continue;
            }
            let answer = expect("POST /v1/messages", answer)?;
            return Ok(answer.body["id"].as_str().context("the answer has no id")?.to_owned());
        }
    }

    /// A message is not found until a worker has stored it, and 503 passes.
    fn look(&self, mail: &mut Mail) -> Result<()> {
        let url = format!("{}/{}", self.url, mail.id);
        let answer = self.http.get(&url, Some(&self.key))?;
        if matches!(answer.status, 404 | 503) {
            return Ok(());
        }
        let answer = expect("GET /v1/messages/{id}", answer)?;
        answer.body["status"].as_str().context("a message has no status")?.clone_into(&mut mail.status);
        if mail.wants_open && mail.status == mail.goal {
            let answer = expect(
                "GET /v1/messages/{id}/events",
                self.http.get(&format!("{url}/events"), Some(&self.key))?,
            )?;
            mail.opened = has_open(&answer.body);
        }
        Ok(())
    }
}

fn has_open(events: &Value) -> bool {
    events["data"].as_array().is_some_and(|events| events.iter().any(|event| event["type"] == "open"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_that_must_be_opened_is_not_done_when_delivered() {
        let [_, mut mail, ..] = mails("1");
        "delivered".clone_into(&mut mail.status);
        assert!(!mail.is_done());
        mail.opened = has_open(&json!({"data": [{"type": "delivered"}, {"type": "open"}]}));
        assert!(mail.is_done());
        assert_eq!(mail.shown(), "delivered, opened");
    }

    #[test]
    fn addresses_that_will_be_suppressed_are_new_in_each_run() {
        let ([.., bounce, spam], [.., other_bounce, other_spam]) = (mails("a"), mails("b"));
        assert_eq!(bounce.to, "bounce+a@example.com");
        assert_ne!(bounce.to, other_bounce.to);
        assert_ne!(spam.to, other_spam.to);
    }
}
