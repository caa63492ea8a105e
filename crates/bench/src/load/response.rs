//! As much of an HTTP answer as a load generator must understand.

use anyhow::{Context, Result, ensure};

/// Longer heads are no answer of ours.
const LONGEST_HEAD: usize = 8192;

/// One answer at the beginning of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Response {
    pub(super) status: u16,
    /// Bytes of its head.
    pub(super) head: usize,
    /// Bytes of head and body.
    pub(super) length: usize,
}

/// Reads the answer at the beginning of `buffer`; `None` while its head or body is incomplete.
pub(super) fn parse(buffer: &[u8]) -> Result<Option<Response>> {
    let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else {
        ensure!(buffer.len() < LONGEST_HEAD, "the head of an answer does not end");
        return Ok(None);
    };
    let head = std::str::from_utf8(&buffer[..end]).context("an answer is not text")?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok());
    let status = status.context("an answer is not HTTP/1.1")?;
    let length = lines.filter_map(|line| line.split_once(':'));
    let length =
        length.filter(|(name, _)| name.eq_ignore_ascii_case("content-length")).map(|(_, value)| value);
    let body: usize = match length.last() {
        Some(value) => value.trim().parse().context("a content-length is no number")?,
        None => 0,
    };
    let head = end + 4;
    let length = head + body;
    Ok((buffer.len() >= length).then_some(Response { status, head, length }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\ndate: now\r\n\r\n";

    #[test]
    fn an_answer_may_come_in_pieces() {
        for end in 0..EMPTY.len() {
            assert_eq!(parse(&EMPTY[..end]).unwrap(), None, "{end}");
        }
        let length = EMPTY.len();
        assert_eq!(parse(EMPTY).unwrap(), Some(Response { status: 200, head: length, length }));
    }

    #[test]
    fn a_body_belongs_to_its_answer_and_what_follows_does_not() {
        let answer = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length:  5 \r\n\r\nhelloHTTP/1.1 200";
        let length = answer.len() - 12;
        assert_eq!(parse(&answer[..length - 1]).unwrap(), None);
        assert_eq!(parse(answer).unwrap(), Some(Response { status: 503, head: length - 5, length }));
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        assert!(parse(b"SSH-2.0\r\n\r\n").is_err());
        assert!(parse(b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n").is_err());
        assert!(parse(&[b'a'; LONGEST_HEAD]).is_err());
    }
}
