//! Free ports that stay the same from run to run.

use std::net::{Ipv4Addr, TcpListener};

/// Below the range that Linux hands out for outgoing connections, which would take a remembered port now and then.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// Whether a server could listen there now.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// The first usable port: what was wished for, else one of the range from a place that `seed` chooses, so that
/// clones on one machine seldom ask for the same.
pub(crate) fn choose(wishes: &[u16], seed: u64, usable: impl Fn(u16) -> bool) -> Option<u16> {
    let start = u16::try_from(seed % u64::from(COUNT)).unwrap_or_default();
    let range = (0..COUNT).map(|step| FIRST + (start + step) % COUNT);
    wishes.iter().copied().chain(range).find(|port| usable(*port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_that_is_free_is_granted() {
        assert_eq!(choose(&[8080, 8081], 7, |_| true), Some(8080));
        assert_eq!(choose(&[8080, 8081], 7, |port| port != 8080), Some(8081));
    }

    #[test]
    fn without_a_wish_the_seed_chooses_and_the_range_wraps() {
        assert_eq!(choose(&[], 5, |_| true), Some(20_005));
        assert_eq!(choose(&[], 11_999, |port| port != 31_999), Some(20_000));
        assert_eq!(choose(&[], 0, |_| false), None);
    }

    #[test]
    fn a_port_in_use_is_not_free() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(!is_free(listener.local_addr().unwrap().port()));
    }
}
