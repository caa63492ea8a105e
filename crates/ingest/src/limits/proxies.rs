//! From which address a request comes, where proxies stand in between.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

/// The networks of proxies that are believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Proxies(Vec<IpNet>);

/// A text that is no list of networks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("holds {0:?}, which is no address and no network such as 10.0.0.0/8")]
pub(crate) struct InvalidNetwork(String);

impl Proxies {
    /// Reads addresses and networks with commas or blanks between them.
    pub(crate) fn read(text: &str) -> Result<Self, InvalidNetwork> {
        let network = |word: &str| {
            let address = || word.parse::<IpAddr>().ok().map(|address| IpNet::from(address.to_canonical()));
            word.parse().ok().or_else(address).ok_or_else(|| InvalidNetwork(word.to_owned()))
        };
        let words = text.split([',', ' ', '\n', '\t']).filter(|word| !word.is_empty());
        words.map(network).collect::<Result<_, _>>().map(Self)
    }

    /// Who is at the other end: the peer, or what a trusted proxy says of its own peer, and so on. `forwarded` is
    /// `X-Forwarded-For` in the order of the request; anyone may write anything at its beginning, so it is read from its
    /// end, and only as far as each hop is trusted.
    pub(crate) fn client(&self, peer: IpAddr, forwarded: &[&str]) -> IpAddr {
        let mut client = peer.to_canonical();
        for hop in forwarded.iter().flat_map(|value| value.split(',')).rev() {
            if !self.trust(client) {
                break;
            }
            let Some(before) = address(hop.trim()) else { break };
            client = before;
        }
        client
    }

    /// Whether there is anyone to be trusted.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn trust(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// A hop as proxies write it: an address, some with its port.
fn address(hop: &str) -> Option<IpAddr> {
    let plain = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(hop);
    let with_port = || hop.parse::<SocketAddr>().ok().map(|address| address.ip());
    plain.parse::<IpAddr>().ok().or_else(with_port).map(|address| address.to_canonical())
}

/// What is counted together: an address, or the network of 64 bits of which one subscriber has every address.
pub(crate) fn household(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(whole) => Ipv6Addr::from_bits(whole.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn client(proxies: &str, peer: &str, forwarded: &[&str]) -> String {
        Proxies::read(proxies).unwrap().client(peer.parse().unwrap(), forwarded).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let ours = "10.0.0.0/8, 192.0.2.1 2001:db8::/32";
        assert_eq!(client("", "203.0.113.9", &["198.51.100.1"]), "203.0.113.9", "no proxies");
        assert_eq!(client(ours, "203.0.113.9", &["198.51.100.1"]), "203.0.113.9", "a stranger");
        assert_eq!(client(ours, "10.1.2.3", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(client(ours, "10.1.2.3", &["6.6.6.6, 198.51.100.1, 192.0.2.1"]), "198.51.100.1");
        assert_eq!(client(ours, "10.1.2.3", &["6.6.6.6", "198.51.100.1:4711,10.9.9.9"]), "198.51.100.1");
        assert_eq!(client(ours, "10.1.2.3", &["10.0.0.7"]), "10.0.0.7", "nobody else there");
        assert_eq!(client(ours, "10.1.2.3", &["198.51.100.1, unknown"]), "10.1.2.3", "unreadable");
        assert_eq!((client(ours, "10.1.2.3", &[]), client(ours, "10.1.2.3", &[""])), twice("10.1.2.3"));
        assert_eq!(client(ours, "::ffff:10.1.2.3", &["[2001:db9::5]:80"]), "2001:db9::5", "mapped");
        assert_eq!(client(ours, "2001:db8::1", &["::ffff:198.51.100.1"]), "198.51.100.1");
    }

    fn twice(text: &str) -> (String, String) {
        (text.to_owned(), text.to_owned())
    }

    #[test]
    fn networks_are_read() {
        assert!(Proxies::read(" ").unwrap().is_empty());
        assert_eq!(Proxies::read("10.0.0.0/33"), Err(InvalidNetwork("10.0.0.0/33".to_owned())));
        assert_eq!(Proxies::read("10.0.0.1,proxy"), Err(InvalidNetwork("proxy".to_owned())));
        assert_eq!(Proxies::read("::1").unwrap().0.len(), 1);
    }

    #[test]
    fn a_subscriber_of_ipv6_is_one() {
        let of = |text: &str| household(text.parse().unwrap()).to_string();
        assert_eq!(
            (of("2001:db8:1:2:3:4:5:6"), of("192.0.2.7")),
            ("2001:db8:1:2::".into(), "192.0.2.7".into())
        );
    }

    proptest! {
        #[test]
        fn junk_never_panics(text in ".{0,60}", hops in prop::collection::vec("[0-9a-f.:,\\[\\] ]{0,40}", 0..4)) {
            let proxies = Proxies::read(&text).unwrap_or_default();
            let hops: Vec<&str> = hops.iter().map(String::as_str).collect();
            proxies.client("10.0.0.1".parse().unwrap(), &hops);
            Proxies::read("0.0.0.0/0 ::/0").unwrap().client("10.0.0.1".parse().unwrap(), &hops);
        }
    }
}
