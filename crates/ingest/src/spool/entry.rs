//! A publication as it stands in the log: one JSON document, directly followed by the body as it is.

use std::borrow::Cow;

use broker::{Publication, Queue};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The version that this build writes. It reads this one only.
const VERSION: u8 = 1;

/// Queues that callers publish to.
const QUEUES: [Queue; 3] = [Queue::Sends, Queue::BulkSends, Queue::Events];

/// What stands before the body.
#[derive(Serialize, Deserialize)]
struct Head<'a> {
    v: u8,
    #[serde(borrow)]
    queue: Cow<'a, str>,
    id: Cow<'a, str>,
    #[serde(rename = "type")]
    content_type: Cow<'a, str>,
    headers: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    bytes: usize,
}

/// Why bytes are no entry of this build's.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("its head is not readable: {0}")]
    Head(#[from] serde_json::Error),
    #[error("it has version {0}; this build reads version {VERSION}")]
    Version(u8),
    #[error("it is for the queue {0}, which this build does not know")]
    Queue(String),
    #[error("its head announces {announced} bytes, and {found} follow")]
    Body { announced: usize, found: usize },
}

/// The bytes to write down.
pub(super) fn encode(publication: &Publication) -> Result<Vec<u8>, serde_json::Error> {
    let headers = publication.headers.iter();
    let head = Head {
        v: VERSION,
        queue: publication.queue.name().into(),
        id: publication.message_id.as_str().into(),
        content_type: publication.content_type.as_ref().into(),
        headers: headers.map(|(name, value)| (name.as_ref().into(), value.as_str().into())).collect(),
        bytes: publication.body.len(),
    };
    let mut bytes = serde_json::to_vec(&head)?;
    bytes.extend_from_slice(&publication.body);
    Ok(bytes)
}

/// Reads what [`encode`] wrote. The body shares `bytes`.
pub(super) fn decode(bytes: &Bytes) -> Result<Publication, Unreadable> {
    let mut heads = serde_json::Deserializer::from_slice(bytes).into_iter::<Head<'_>>();
    let Some(head) = heads.next() else { return Err(Unreadable::Body { announced: 0, found: 0 }) };
    let head = head?;
    if head.v != VERSION {
        return Err(Unreadable::Version(head.v));
    }
    let body = bytes.slice(heads.byte_offset()..);
    if body.len() != head.bytes {
        return Err(Unreadable::Body { announced: head.bytes, found: body.len() });
    }
    let queue = QUEUES.into_iter().find(|queue| queue.name() == head.queue);
    let queue = queue.ok_or_else(|| Unreadable::Queue(head.queue.to_string()))?;
    let headers = head.headers.into_iter();
    Ok(Publication {
        queue,
        message_id: head.id.into_owned(),
        content_type: head.content_type.into_owned().into(),
        headers: headers.map(|(name, value)| (name.into_owned().into(), value.into_owned())).collect(),
        body,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample(id: &str, body: Vec<u8>) -> Publication {
        Publication {
            queue: Queue::BulkSends,
            message_id: id.to_owned(),
            content_type: "application/json".into(),
            headers: vec![("raven-tenant".into(), "\"t\u{0}".to_owned())],
            body: body.into(),
        }
    }

    #[test]
    fn the_shape_on_disk_is_kept() {
        let bytes = encode(&sample("1", b"{}".to_vec())).unwrap();
        let shape = r#"{"v":1,"queue":"sends-bulk","id":"1","type":"application/json","headers":[["raven-tenant","\"t\u0000"]],"bytes":2}{}"#;
        assert_eq!(String::from_utf8(bytes).unwrap(), shape);
    }

    #[test]
    fn what_another_build_wrote_is_told_apart() {
        let other = br#"{"v":2,"queue":"x","id":"1","type":"t","headers":[],"bytes":0}"#;
        assert!(matches!(decode(&Bytes::from_static(other)), Err(Unreadable::Version(2))));
        let other = br#"{"v":1,"queue":"x","id":"1","type":"t","headers":[],"bytes":0}"#;
        assert!(matches!(decode(&Bytes::from_static(other)), Err(Unreadable::Queue(name)) if name == "x"));
        let mut short = encode(&sample("1", vec![1, 2, 3])).unwrap();
        short.pop();
        assert!(matches!(decode(&short.into()), Err(Unreadable::Body { announced: 3, found: 2 })));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(id in any::<String>(), body in any::<Vec<u8>>()) {
            let publication = sample(&id, body);
            let read = decode(&encode(&publication).unwrap().into()).unwrap();
            prop_assert_eq!(format!("{read:?}"), format!("{publication:?}"));
        }

        #[test]
        fn junk_never_panics(junk in any::<Vec<u8>>()) {
            prop_assert!(decode(&junk.into()).is_err());
        }
    }
}
