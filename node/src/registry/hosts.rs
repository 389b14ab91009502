//! Which hosts may be spoken to: a registry must not make the node knock at doors inside the site's network.

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Whether a registry's name is this machine, where no connection needs to be encrypted.
pub(super) fn is_this_machine(registry: &str) -> bool {
    let host = registry.split_once(':').map_or(registry, |(host, _)| host);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Refuses what is not `https` to a host that may be public; names are looked at again when they are resolved.
pub(super) fn check_public(url: &Url) -> Result<(), String> {
    let refused = |why: &str| Err(format!("sent on to {}, which {why}", url.origin().ascii_serialization()));
    if url.scheme() != "https" {
        return refused("is not encrypted");
    }
    let host = url.host_str().unwrap_or_default();
    let literal = host.trim_matches(['[', ']']).parse::<IpAddr>().ok();
    if host.is_empty() || is_local_name(host) || literal.is_some_and(|ip| !is_public(ip)) {
        return refused("is not on the public internet");
    }
    Ok(())
}

fn is_local_name(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    host == "localhost" || host.ends_with(".localhost")
}

/// Whether an address is one of the public internet: none of the ranges that IANA keeps for private networks, for one
/// machine or link, for translation, for documentation, for groups or for later.
pub(super) fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let reserved = match ip.octets() {
        [0 | 240..=255, ..] | [192, 0, 0, _] => true,
        [100, second, ..] => second & 0xc0 == 64,
        [198, second, ..] => second & 0xfe == 18,
        _ => false,
    };
    !(reserved
        || ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation()
        || ip.is_multicast())
}

/// Global unicast without documentation and without the two ranges that stand for IPv4 addresses (Teredo, 6to4).
fn is_public_v6(ip: Ipv6Addr) -> bool {
    match ip.segments() {
        [0x2001, 0 | 0xdb8, ..] | [0x2002, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

/// Resolves names to addresses of the public internet only. It is asked for the very connection that follows, so
/// that a name cannot mean something else a moment later. Behind a proxy it is the proxy that resolves.
#[derive(Debug, Clone, Copy)]
pub(super) struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err(format!("{} has no address on the public internet", name.as_str()).into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}
