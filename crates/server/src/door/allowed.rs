//! Who may connect: the protocol knows no passwords, so an agency is known by its network.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

/// Networks from which agencies may connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed(Networks);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Networks {
    Any,
    These(Vec<IpNet>),
}

/// A text that names no networks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAllowed(String);

impl std::fmt::Display for NotAllowed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let NotAllowed(text) = self;
        write!(
            f,
            "{text:?} is no network: write addresses and networks with commas between them, \
             as 192.168.1.7,10.0.0.0/8, or the word any"
        )
    }
}

impl std::error::Error for NotAllowed {}

impl Allowed {
    /// This machine alone.
    pub fn loopback() -> Self {
        let v4 = IpAddr::from([127, 0, 0, 0]);
        let v6 = IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]);
        let networks = [IpNet::new(v4, 8), IpNet::new(v6, 128)];
        Allowed(Networks::These(networks.into_iter().flatten().collect()))
    }

    /// Everybody: the protocol knows who is there.
    pub fn any() -> Self {
        Allowed(Networks::Any)
    }

    /// Whether somebody may connect from an address.
    pub fn contains(&self, address: IpAddr) -> bool {
        // A listener on `::` sees IPv4 addresses in their IPv6 form.
        let address = address.to_canonical();
        match &self.0 {
            Networks::Any => true,
            Networks::These(networks) => networks.iter().any(|net| net.contains(&address)),
        }
    }
}

impl FromStr for Allowed {
    type Err = NotAllowed;

    /// Addresses and networks with commas between them, or `any`.
    fn from_str(text: &str) -> Result<Self, NotAllowed> {
        if text.trim() == "any" {
            return Ok(Allowed(Networks::Any));
        }
        let network = |part: &str| {
            let part = part.trim();
            let address = part.parse::<IpAddr>().map(IpNet::from);
            address
                .or_else(|_| part.parse::<IpNet>())
                .map_err(|_| NotAllowed(part.to_owned()))
        };
        let networks: Result<Vec<IpNet>, NotAllowed> = text.split(',').map(network).collect();
        Ok(Allowed(Networks::These(networks?)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn networks_are_named() {
        let inside = |allowed: &str, address: &str| {
            let allowed: Allowed = allowed.parse().unwrap();
            allowed.contains(address.parse().unwrap())
        };
        assert!(inside("10.0.0.0/8, 192.168.1.7", "10.9.8.7"));
        assert!(inside("10.0.0.0/8, 192.168.1.7", "::ffff:192.168.1.7"));
        assert!(!inside("10.0.0.0/8, 192.168.1.7", "192.168.1.8"));
        assert!(!inside("10.0.0.0/8", "::1"));
        assert!(inside("any", "2001:db8::1"));
        for text in ["", "10.0.0.0/33", "any,10.0.0.1", "everybody"] {
            assert!(text.parse::<Allowed>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn by_default_it_is_this_machine() {
        let here = Allowed::loopback();
        for address in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert!(here.contains(address.parse().unwrap()), "{address}");
        }
        assert!(!here.contains("192.168.1.1".parse().unwrap()));
    }
}
