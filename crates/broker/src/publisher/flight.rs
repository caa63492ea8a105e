//! A publish on its way.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Answer;

/// How long the end waits for the last of them.
const LAST: Duration = Duration::from_secs(3);

/// What is left of a publish after its first poll.
pub(super) type Flying = BoxFuture<'static, Answer>;

/// A publish that its caller waits for. When the caller gives up, the broker will answer all the same, and what was
/// published still takes up room until then: it goes to [`see_off`].
pub(super) struct Flight {
    flying: Option<Flying>,
    strays: mpsc::UnboundedSender<Flying>,
}

impl Flight {
    pub(super) fn new(flying: Flying, strays: mpsc::UnboundedSender<Flying>) -> Self {
        Self { flying: Some(flying), strays }
    }
}

impl Future for Flight {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        let Some(flying) = self.flying.as_mut() else { return Poll::Pending };
        let answer = flying.as_mut().poll(context);
        if answer.is_ready() {
            self.flying = None;
        }
        answer
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if let Some(flying) = self.flying.take() {
            let _ = self.strays.send(flying);
        }
    }
}

/// Waits for the publishes that nobody waits for any more. They are bounded by the room that they take up.
pub(super) async fn see_off(mut strays: mpsc::UnboundedReceiver<Flying>, shutdown: CancellationToken) {
    let mut flying = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some(stray) = strays.recv() => flying.push(stray),
            Some(_) = flying.next(), if !flying.is_empty() => {}
            () = shutdown.cancelled() => break,
            else => return,
        }
    }
    // The channels close at the same time, which answers all that is left.
    let all = flying.for_each(|_| std::future::ready(()));
    let _ = tokio::time::timeout(LAST, all).await;
}
