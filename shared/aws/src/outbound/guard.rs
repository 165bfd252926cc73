//! Addresses that users give: which may be called. The form of a URL is checked when it is given and before every call; the
//! addresses that its name stands for are checked in the resolver that dials, so that what was checked is what is dialled.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError};
use http::Uri;
use http::uri::Scheme;

use crate::config::Lookup;

/// Longest URL, in characters.
const URL_CHARS_MAX: usize = 2_048;
/// Longest name of a host.
const HOST_CHARS_MAX: usize = 253;
/// Ports that may be called.
const PORTS: [u16; 2] = [443, 8_443];
/// The variable by which a stage for development lets loopback be called. The template gives it to no function.
const LOOPBACK: &str = "WEBHOOKS_TO_LOOPBACK";

/// How far calls reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Public addresses by HTTPS.
    Public,
    /// Loopback too, there also without TLS and on any port: for development on one machine.
    Loopback,
}

/// A URL that may not be called, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlFlaw {
    /// It is too long.
    #[error("must have 1 to {URL_CHARS_MAX} characters")]
    Length,
    /// It is no URL, or has a part that is not sent.
    #[error("must be a URL of the form https://host/path, without a fragment")]
    Form,
    /// It is not HTTPS.
    #[error("must begin with https://")]
    Scheme,
    /// It holds a user or a password.
    #[error("must not hold a user name or password")]
    UserInfo,
    /// Its port is another.
    #[error("must use port 443 or 8443")]
    Port,
    /// Its host is neither a name below a top-level domain nor an address.
    #[error("must name a public host")]
    Host,
    /// Its host is an address that may not be called.
    #[error("must not be a private, local or reserved address")]
    Address,
}

/// No address of a name may be called.
#[derive(Debug, thiserror::Error)]
#[error("the name stands for no public address")]
pub(super) struct NotPublic;

impl Reach {
    /// As far as the function's variables say; [`Self::Public`] unless they say otherwise.
    #[must_use]
    pub fn of(lookup: Lookup<'_>) -> Self {
        if lookup(LOOPBACK).as_deref() == Some("allowed") { Self::Loopback } else { Self::Public }
    }

    /// Whether an address may be called.
    #[must_use]
    pub fn allows(self, address: IpAddr) -> bool {
        // An IPv4 address can be written as an IPv6 one, and is reached all the same.
        let address = address.to_canonical();
        if address.is_loopback() {
            return self == Self::Loopback;
        }
        match address {
            IpAddr::V4(address) => is_public_v4(address),
            IpAddr::V6(address) => is_public_v6(address),
        }
    }

    /// Checks the form of a URL, and its host where that is an address.
    ///
    /// # Errors
    /// [`UrlFlaw`] says what is wrong.
    pub fn check(self, url: &str) -> Result<Uri, UrlFlaw> {
        if !(1..=URL_CHARS_MAX).contains(&url.chars().count()) {
            return Err(UrlFlaw::Length);
        }
        let uri: Uri = url.parse().map_err(|_| UrlFlaw::Form)?;
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(UrlFlaw::Form);
        };
        if url.contains(['#', '\\']) {
            return Err(UrlFlaw::Form);
        }
        let host = authority.host();
        let literal = literal(host);
        let is_near = literal.map_or(host == "localhost", |address| address.to_canonical().is_loopback());
        let is_near = is_near && self == Self::Loopback;
        if *scheme != Scheme::HTTPS && !(is_near && *scheme == Scheme::HTTP) {
            return Err(UrlFlaw::Scheme);
        }
        if authority.as_str().contains('@') {
            return Err(UrlFlaw::UserInfo);
        }
        // What follows the host is a port, or nothing.
        let port = authority.as_str().get(host.len()..).unwrap_or_default();
        let fits = port.is_empty() || uri.port_u16().is_some_and(|port| is_near || PORTS.contains(&port));
        if !fits {
            return Err(UrlFlaw::Port);
        }
        match literal {
            Some(address) if !self.allows(address) => Err(UrlFlaw::Address),
            None if !is_near && !is_name(host) => Err(UrlFlaw::Host),
            Some(_) | None => Ok(uri),
        }
    }
}

/// The address that a host is, unless it is a name.
fn literal(host: &str) -> Option<IpAddr> {
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match inner {
        Some(inner) => inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => host.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}

/// Whether a host is a name below a top-level domain. The last label of such a name begins with a letter, so no way of
/// writing an address as a number (`127.1`, `0x7f.0x1`, `2130706433`) is one.
fn is_name(host: &str) -> bool {
    let label = |label: &str| {
        let plain = |sign: u8| sign.is_ascii_alphanumeric() || sign == b'-' || sign == b'_';
        (1..=63).contains(&label.len()) && label.bytes().all(plain) && !label.starts_with('-')
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    host.len() <= HOST_CHARS_MAX
        && host.contains('.')
        && host.split('.').all(label)
        && last.starts_with(|sign: char| sign.is_ascii_alphabetic())
}

/// Neither private nor set apart: <https://www.iana.org/assignments/iana-ipv4-special-registry>.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    let reserved = matches!(
        (first, second, third),
        // "This" network, shared between providers, protocol assignments, relays, benchmarks, and what is not in use.
        (0, _, _) | (100, 64..=127, _) | (192, 0, 0) | (192, 88, 99) | (198, 18..=19, _) | (240..=255, _, _)
    );
    !(reserved
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_multicast()
        || address.is_documentation())
}

/// Within what is given out for use on the Internet (`2000::/3`), and there not set apart:
/// <https://www.iana.org/assignments/iana-ipv6-special-registry>. So it is no loopback, local, private, multicast or
/// discarded address, and none that stands for an IPv4 address through a translator (`64:ff9b::/96`).
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let reserved = matches!(
        (first, second),
        // Protocol assignments with Teredo, documentation, and 6to4, which stands for IPv4 addresses.
        (0x2001, 0..=0x1ff | 0xdb8) | (0x2002, _) | (0x3fff, 0..=0xfff)
    );
    (0x2000..=0x3fff).contains(&first) && !reserved
}

/// A resolver that answers only addresses that may be called.
#[derive(Debug, Clone)]
pub(super) struct GuardedResolver<R> {
    pub(super) inner: R,
    pub(super) reach: Reach,
}

impl<R: ResolveDns> ResolveDns for GuardedResolver<R> {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async move {
            let mut addresses = self.inner.resolve_dns(name).await?;
            addresses.retain(|address| self.reach.allows(*address));
            if addresses.is_empty() { Err(ResolveDnsError::new(NotPublic)) } else { Ok(addresses) }
        })
    }
}

/// The system's resolver.
#[derive(Debug, Clone, Copy)]
pub struct SystemResolver;

impl ResolveDns for SystemResolver {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async move {
            let found = tokio::net::lookup_host((name, 0)).await.map_err(ResolveDnsError::new)?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
