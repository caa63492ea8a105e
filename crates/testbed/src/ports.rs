//! Ports for programs that must be told theirs.

use std::{
    net::TcpListener,
    sync::atomic::{AtomicU16, Ordering},
};

/// Ports below those that systems give to outgoing connections, so that none is taken between look and use.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A port that nobody uses, given to nobody else in this run.
pub fn free() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Two runs on one machine begin at different places.
    let start = u16::try_from(std::process::id() % u32::from(COUNT)).unwrap_or_default();
    let mut candidates = std::iter::repeat_with(|| {
        let step = NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
        FIRST + (start + step) % COUNT
    });
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    candidates.by_ref().take(usize::from(COUNT)).find(free).expect("a free port")
}
