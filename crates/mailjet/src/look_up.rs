//! Reading `GET /v3/REST/message`.

use domain::address::key_of;
use domain::{Acceptance, MessageId, Reason};
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use crate::answer::exact;
use crate::client::LookUp;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    data: Vec<Row>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Row {
    #[serde(rename = "ID")]
    id: Value,
    #[serde(rename = "UUID")]
    uuid: Value,
    #[serde(rename = "CustomID")]
    custom_id: Value,
    contact_alt: Value,
}

pub(crate) fn read(status: StatusCode, body: &[u8], id: MessageId) -> LookUp {
    if !status.is_success() {
        let words = format!("Mailjet answered {status} to the question what became of the message.");
        return LookUp::Unavailable(Reason::new(format!("http_{}", status.as_u16()), words));
    }
    // serde would take an array for a page as well: `[[]]` for one without rows.
    let page = body.trim_ascii_start().starts_with(b"{").then(|| serde_json::from_slice::<Page>(body));
    let Some(Ok(page)) = page else {
        let words = "Mailjet's answer to the question what became of the message cannot be read.";
        return LookUp::Unavailable(Reason::new("answer_unreadable", words));
    };
    // Mailjet was asked for rows of ours only. Where others come, it has not understood the question, and shows the latest
    // of everything; and it leaves empty what it does not say, so that a row without an id may well be ours. To take any
    // of them for a "no" would send the message again.
    if page.data.is_empty() {
        return LookUp::NotHeard;
    }
    let ours: Vec<Acceptance> =
        page.data.into_iter().filter(|row| row.is_of(id)).map(Row::acceptance).collect();
    if ours.is_empty() {
        let words = "Mailjet's answer to the question what became of the message tells of other messages.";
        return LookUp::Unavailable(Reason::new("answer_unreadable", words));
    }
    LookUp::Found(ours)
}

impl Row {
    fn is_of(&self, id: MessageId) -> bool {
        self.custom_id.as_str().and_then(|text| Uuid::try_parse(text).ok()) == Some(id.0)
    }

    fn acceptance(self) -> Acceptance {
        Acceptance {
            email_key: self.contact_alt.as_str().map(key_of).unwrap_or_default(),
            message_id: exact(&self.id).filter(|&id| id != 0),
            message_uuid: self.uuid.as_str().and_then(|text| Uuid::try_parse(text).ok()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: MessageId = MessageId(Uuid::from_u128(0xabc));

    #[test]
    fn only_an_empty_list_says_that_it_has_not_heard() {
        let body = br#"{"Count":0,"Data":[],"Total":0}"#;
        assert_eq!(read(StatusCode::OK, body, ID), LookUp::NotHeard);
    }

    #[test]
    fn our_rows_bring_the_ids() {
        let body =
            format!(r#"{{"Data":[{{"ID":1152921505370435001,"CustomID":"{ID}","ContactAlt":"A@b.co"}}]}}"#);
        let LookUp::Found(rows) = read(StatusCode::OK, body.as_bytes(), ID) else { panic!("not found") };
        assert_eq!(rows[0].message_id, Some(1_152_921_505_370_435_001));
        assert_eq!(rows[0].email_key, "a@b.co");
    }

    #[test]
    fn rows_of_other_messages_or_of_nobody_prove_nothing() {
        let read = |rows: &str| read(StatusCode::OK, format!(r#"{{"Data":[{rows}]}}"#).as_bytes(), ID);
        let strange = r#"{"ID":"5","CustomID":"something-else","ContactAlt":"a@b.co"}"#;
        for rows in [strange, r#"{"ID":5}"#, r#"{"CustomID":null}"#, r#"{"CustomID":""},{"CustomID":7}"#] {
            assert!(matches!(read(rows), LookUp::Unavailable(_)), "{rows}");
        }
        assert!(matches!(read(&format!(r#"{{"ID":5}},{{"CustomID":"{ID}"}}"#)), LookUp::Found(_)));
    }

    #[test]
    fn a_failing_look_up_is_no_answer() {
        assert!(matches!(read(StatusCode::INTERNAL_SERVER_ERROR, b"", ID), LookUp::Unavailable(_)));
        for body in ["<html>", "[[]]", "[]", r#"{"Count":0}"#] {
            assert!(matches!(read(StatusCode::OK, body.as_bytes(), ID), LookUp::Unavailable(_)), "{body}");
        }
    }
}
