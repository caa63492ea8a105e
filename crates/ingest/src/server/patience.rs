//! How long a connection may go on while nothing of it is at work here.
//!
//! The server's own limits are for the first head, and for the time until a next request begins. A peer that answers each
//! byte's worth of patience with one more byte has it wait for ever: with the head of a second request, with the rest of a
//! body that was answered already, or by not reading its answer. So whatever a peer says, it has so long from the end of one
//! request's work to the beginning of the next, and is then cut off, unless it reads: each time it took something of an
//! answer it has as long again. While a handler is at work, and while it makes an answer that is a stream, other limits hold:
//! each has its own, as has the body that it reads. Who takes nothing of what stands ready is cut off then as well.

use std::cell::Cell;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::BodySize;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// How long that is.
const LIMIT: Duration = Duration::from_secs(15);

/// What is read of a peer meanwhile: the rest of a body that was answered already, and heads. Beyond this it has no end.
const UNASKED: usize = 32 * 1024 * 1024;
/// Requests that may wait on one connection. The server takes in at once whatever its buffer holds, thousands of small ones,
/// each of which costs some kilobytes.
const PIPELINED: usize = 100;

/// What stands at the end of a request's first line but for the last digit. No JSON holds it with an end of the line.
const END_OF_REQUEST_LINE: &[u8] = b" HTTP/1.";

/// What a connection's requests tell of it.
#[derive(Clone)]
pub(crate) struct Patience(Rc<Standing>);

struct Standing {
    /// Since when no handler is at work and the peer reads nothing.
    since: Cell<Option<Instant>>,
    /// Since when it has taken nothing of what stands ready.
    stalled: Cell<Option<Instant>>,
    /// The last answer is a stream.
    streaming: Cell<bool>,
    /// Bytes that came in since.
    unasked: Cell<usize>,
    /// Request lines that came in, less the requests that were begun.
    waiting: Cell<usize>,
    /// How much of [`END_OF_REQUEST_LINE`] came in last.
    matched: Cell<usize>,
}

impl Patience {
    fn new() -> Self {
        Self(Rc::new(Standing {
            since: Cell::new(Some(Instant::now())),
            stalled: Cell::new(None),
            streaming: Cell::new(false),
            unasked: Cell::new(0),
            waiting: Cell::new(0),
            matched: Cell::new(0),
        }))
    }

    /// A handler is at work.
    pub(crate) fn work(&self) {
        self.0.since.set(None);
        self.0.streaming.set(false);
        self.0.unasked.set(0);
        self.0.waiting.set(self.0.waiting.get().saturating_sub(1));
    }

    /// It has answered. An answer that is a stream is still being made, and may be long in coming.
    pub(crate) fn answered(&self, size: BodySize) {
        let streams = size == BodySize::Stream;
        self.0.streaming.set(streams);
        self.0.since.set((!streams).then(Instant::now));
    }

    /// What became of bytes that stood ready for the peer.
    fn wrote(&self, outcome: &Poll<Result<usize>>) {
        let now = Instant::now();
        match outcome {
            Poll::Pending if self.0.stalled.get().is_none() => self.0.stalled.set(Some(now)),
            Poll::Ready(Ok(1..)) => {
                self.0.stalled.set(None);
                self.0.since.set(self.0.since.get().map(|_| now));
            }
            _ => {}
        }
    }

    /// Since when the peer has been waited for.
    fn waited_for(&self) -> Option<Instant> {
        let (since, stalled) = (self.0.since.get(), self.0.stalled.get());
        since.into_iter().chain(stalled).min()
    }

    /// Whether these bytes more are too many.
    fn hears_enough(&self, bytes: &[u8]) -> bool {
        let nothing_came_since = self.0.since.get().is_some() && self.0.unasked.get() == 0;
        if nothing_came_since && self.0.stalled.get().is_none() {
            // All was answered and taken: no request waits, whatever in a header may have looked like one.
            self.0.waiting.set(0);
            self.0.matched.set(0);
        }
        if self.0.streaming.get() && self.0.since.get().is_none() && !bytes.is_empty() {
            // Who speaks while an answer streams, or after its end, is waited for from then on.
            self.0.since.set(Some(Instant::now()));
        }
        let (mut matched, mut waiting) = (self.0.matched.get(), self.0.waiting.get());
        for &byte in bytes {
            matched = match END_OF_REQUEST_LINE.get(matched) {
                Some(next) if *next == byte => matched + 1,
                None if byte == b'\n' => {
                    waiting += 1;
                    0
                }
                // The last digit of the version, and what may stand before the end of the line.
                None if matches!(byte, b'0' | b'1' | b'\r') => matched,
                _ => usize::from(byte == b' '),
            };
        }
        self.0.matched.set(matched);
        self.0.waiting.set(waiting);
        if self.0.since.get().is_some() {
            self.0.unasked.set(self.0.unasked.get() + bytes.len());
        }
        waiting > PIPELINED || self.0.unasked.get() > UNASKED
    }
}

/// A connection that ends when patience does.
pub(super) struct Patient<T> {
    io: T,
    patience: Patience,
    alarm: Pin<Box<Sleep>>,
}

impl<T> Patient<T> {
    pub(super) fn new(io: T) -> Self {
        Self { io, patience: Patience::new(), alarm: Box::pin(sleep(LIMIT)) }
    }

    pub(super) fn patience(&self) -> Patience {
        self.patience.clone()
    }

    /// What was not ready, unless it is over. The alarm is put off only when it rings, which is cheaper than at each request.
    fn unless_over<R>(&mut self, context: &mut Context<'_>, outcome: Poll<Result<R>>) -> Poll<Result<R>> {
        if outcome.is_ready() {
            return outcome;
        }
        while self.alarm.as_mut().poll(context).is_ready() {
            let now = Instant::now();
            let end = self.patience.waited_for().unwrap_or(now) + LIMIT;
            if end <= now {
                return Poll::Ready(Err(Error::from(ErrorKind::TimedOut)));
            }
            self.alarm.as_mut().reset(end);
        }
        Poll::Pending
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Patient<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.io).poll_read(context, buffer);
        if self.patience.hears_enough(&buffer.filled()[before..]) {
            return Poll::Ready(Err(Error::from(ErrorKind::TimedOut)));
        }
        self.unless_over(context, outcome)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Patient<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let outcome = Pin::new(&mut self.io).poll_write(context, bytes);
        self.patience.wrote(&outcome);
        self.unless_over(context, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let outcome = Pin::new(&mut self.io).poll_write_vectored(context, parts);
        self.patience.wrote(&outcome);
        self.unless_over(context, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let outcome = Pin::new(&mut self.io).poll_flush(context);
        self.unless_over(context, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let outcome = Pin::new(&mut self.io).poll_shutdown(context);
        self.unless_over(context, outcome)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    /// Lets the peer send a byte now and then; answers whether the connection still holds after twice the limit.
    async fn bears(told: impl Fn(&Patience)) -> bool {
        let (mut peer, near) = duplex(64);
        let mut near = Patient::new(near);
        told(&near.patience());
        let trickle = async {
            for _ in 0..(2 * LIMIT.as_secs()) {
                tokio::time::sleep(Duration::from_secs(1)).await;
                if peer.write_all(b"x").await.is_err() {
                    return;
                }
            }
        };
        let mut bytes = [0; 1];
        let reading = async { while near.read_exact(&mut bytes).await.is_ok() {} };
        tokio::select! {
            () = trickle => true,
            () = reading => false,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_trickle_is_borne_only_while_there_is_work() {
        assert!(!bears(|_| {}).await, "nothing was ever asked");
        assert!(bears(Patience::work).await, "a body of its own pace has a limit of its own");
        assert!(
            !bears(|patience| {
                patience.work();
                patience.answered(BodySize::Sized(3));
            })
            .await
        );
    }

    #[test]
    fn only_what_nobody_asked_for_is_too_much() {
        let patience = Patience::new();
        let most = vec![b'x'; UNASKED];
        assert!(!patience.hears_enough(&most) && patience.hears_enough(b"x"));
        patience.work();
        assert!(!patience.hears_enough(&most) && !patience.hears_enough(&most), "a body has its own limit");
        patience.answered(BodySize::None);
        assert!(!patience.hears_enough(&most) && patience.hears_enough(b"x"));
    }

    #[test]
    fn only_so_many_requests_wait() {
        let patience = Patience::new();
        let head = b"GET / HTTP/1.1\r\nHost: raven\r\n\r\n";
        for _ in 0..1000 {
            assert!(!patience.hears_enough(head), "each is begun");
            patience.work();
        }
        assert!(!patience.hears_enough(&[b'\n'; 1000]), "a body may have empty lines");
        let in_pieces = |_: &usize| !head.chunks(3).any(|piece| patience.hears_enough(piece));
        assert_eq!((0..1000).take_while(in_pieces).count(), PIPELINED);
    }

    #[test]
    fn what_looks_like_a_request_in_a_header_adds_nothing_up() {
        let patience = Patience::new();
        let head = b"GET / HTTP/1.1\r\nHost: raven\r\nX-Line: GET / HTTP/1.1\r\n\r\n";
        for number in 0..1000 {
            assert!(!head.chunks(7).any(|piece| patience.hears_enough(piece)), "at request {number}");
            patience.work();
            patience.answered(BodySize::Sized(3));
        }
        let at_once = head.repeat(PIPELINED / 2 + 1);
        assert!(patience.hears_enough(&at_once), "while one after the other without an answer does");
    }

    /// Writes more than the connection holds, having answered like this, while the peer takes a byte in so long.
    async fn is_taken(size: BodySize, pause: Duration) -> Result<()> {
        let (mut peer, near) = duplex(1);
        let mut near = Patient::new(near);
        near.patience().work();
        near.patience().answered(size);
        let reading = async {
            loop {
                tokio::time::sleep(pause).await;
                let _ = peer.read_u8().await;
            }
        };
        tokio::select! {
            written = near.write_all(b"12345") => written,
            () = reading => Ok(()),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_slowly_is_borne_and_who_does_not_read_is_cut_off() {
        for size in [BodySize::Sized(5), BodySize::Stream] {
            assert!(is_taken(size, LIMIT * 2 / 3).await.is_ok(), "{size:?}");
            let fault = is_taken(size, LIMIT * 2).await.unwrap_err();
            assert_eq!(fault.kind(), ErrorKind::TimedOut, "{size:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_may_be_long_in_coming_but_its_peer_may_not_trickle() {
        let (mut peer, near) = duplex(64);
        let mut near = Patient::new(near);
        near.patience().work();
        near.patience().answered(BodySize::Stream);
        let long = tokio::time::timeout(LIMIT * 3, near.read_u8()).await;
        assert!(long.is_err(), "nothing stands ready to be read, so nobody is at fault");
        near.write_all(b"row").await.unwrap();
        peer.write_all(b"G").await.unwrap();
        near.read_u8().await.unwrap();
        assert_eq!(near.read_u8().await.unwrap_err().kind(), ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_read_is_cut_off() {
        let (_peer, near) = duplex(64);
        let fault = Patient::new(near).write_all(&[0; 65]).await.unwrap_err();
        assert_eq!(fault.kind(), ErrorKind::TimedOut);
    }
}
