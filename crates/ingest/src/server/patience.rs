//! How long a connection may go on while nothing of it is at work here.
//!
//! The server's own limits are for the first head, and for the time until a next request begins. A peer that answers each
//! byte's worth of patience with one more byte has it wait for ever: with the head of a second request, with the rest of a
//! body that was answered already, or by not reading its answer. So whatever a peer does, it has so long from the end of one
//! request's work to the beginning of the next, and is then cut off. While a handler is at work other limits hold: each
//! has its own, as has the body that it reads.

use std::cell::Cell;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::BodySize;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// How long that is: enough to read the largest answer over a slow line.
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
    /// Since when no handler is at work.
    since: Cell<Option<Instant>>,
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
            unasked: Cell::new(0),
            waiting: Cell::new(0),
            matched: Cell::new(0),
        }))
    }

    /// A handler is at work.
    pub(crate) fn work(&self) {
        self.0.since.set(None);
        self.0.unasked.set(0);
        self.0.waiting.set(self.0.waiting.get().saturating_sub(1));
    }

    /// It has answered. An answer that is a stream is still being made, and may be long.
    pub(crate) fn answered(&self, size: BodySize) {
        if size != BodySize::Stream {
            self.0.since.set(Some(Instant::now()));
        }
    }

    /// Whether these bytes more are too many.
    fn hears_enough(&self, bytes: &[u8]) -> bool {
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
            let end = self.patience.0.since.get().unwrap_or(now) + LIMIT;
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
        self.unless_over(context, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let outcome = Pin::new(&mut self.io).poll_write_vectored(context, parts);
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
        assert!(
            bears(|patience| {
                patience.work();
                patience.answered(BodySize::Stream);
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

    #[tokio::test(start_paused = true)]
    async fn who_does_not_read_is_cut_off() {
        let (_peer, near) = duplex(64);
        let fault = Patient::new(near).write_all(&[0; 65]).await.unwrap_err();
        assert_eq!(fault.kind(), ErrorKind::TimedOut);
    }
}
