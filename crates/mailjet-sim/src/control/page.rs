//! `/`: a page for people, with the last messages and the counters.

use std::sync::Arc;

use actix_web::{HttpResponse, http::header::ContentType, web};
use serde_json::Value;

use super::stats::Figures;
use crate::{
    events::post::PostOffice,
    ledger::{Ledger, message::Message},
    stats::Stats,
    util::lock,
};

/// Messages shown.
const SHOWN: usize = 50;

/// Mounts the page.
pub(super) fn mount(config: &mut web::ServiceConfig) {
    config.service(web::resource("/").get(page));
}

async fn page(
    stats: web::Data<Arc<Stats>>,
    ledger: web::Data<Arc<Ledger>>,
    post: web::Data<Arc<PostOffice>>,
) -> HttpResponse {
    let figures = serde_json::to_value(Figures::read(&stats, &ledger, &post)).unwrap_or(Value::Null);
    let figures = figures.as_object().into_iter().flatten();
    let figures: Vec<String> = figures.map(|(name, value)| format!("<tr><th>{name}<td>{value}")).collect();
    let figures = figures.concat();
    let messages: String = ledger.latest(SHOWN, |_| true).iter().map(|message| line(message)).collect();
    let body = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>mailjet-sim</title>\
         <style>body{{font:14px system-ui;margin:2em}}th{{text-align:left}}td,th{{padding:.2em 1em .2em 0}}</style>\
         <h1>mailjet-sim</h1><p>A stand-in for Mailjet. Nothing here is sent to anyone.\
         <h2>Counters</h2><table>{figures}</table>\
         <h2>Last accepted messages</h2>\
         <table><tr><th>#<th>at<th>from<th>recipients<th>subject<th>CustomID{messages}</table></html>"
    );
    HttpResponse::Ok().content_type(ContentType::html()).body(body)
}

fn line(message: &Message) -> String {
    let draft = &message.draft;
    let recipients = message.recipients.iter().map(|recipient| {
        let status = if message.sandbox { "sandbox" } else { lock(&recipient.track).status() };
        format!("{} ({status})", escape(&recipient.email))
    });
    let recipients = recipients.collect::<Vec<_>>().join(", ");
    format!(
        "<tr><td>{}<td>{:.0}<td>{}<td>{recipients}<td>{}<td>{}",
        message.seq,
        message.accepted_at,
        escape(draft.from.as_ref().map_or("", |from| &from.email)),
        escape(draft.subject.as_deref().unwrap_or_default()),
        escape(&draft.custom_id),
    )
}

/// Takes every meaning in HTML away from the text.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_keeps_a_meaning() {
        assert_eq!(escape(r#"<a href="x" b='&'>"#), "&lt;a href=&quot;x&quot; b=&#39;&amp;&#39;&gt;");
    }
}
