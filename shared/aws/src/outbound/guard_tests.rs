use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_types::SdkConfig;
use http::Request;

use super::*;
use crate::outbound::{Limits, Outbound, OutboundError};
use crate::{Clock, Platform};

const PRIVATE: [&str; 70] = [
    // This network, private, loopback, link-local with the services that clouds put there.
    "0.0.0.0",
    "0.1.2.3",
    "0.255.255.255",
    "10.0.0.0",
    "10.1.2.3",
    "10.255.255.255",
    "172.16.0.0",
    "172.20.1.1",
    "172.31.255.255",
    "192.168.0.1",
    "192.168.255.255",
    "127.0.0.1",
    "127.0.0.2",
    "127.255.255.255",
    "169.254.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "169.254.100.1",
    // Shared between providers, protocol assignments, documentation, relays, benchmarks.
    "100.64.0.0",
    "100.100.100.200",
    "100.127.255.255",
    "192.0.0.0",
    "192.0.0.192",
    "192.0.0.255",
    "192.0.2.1",
    "198.51.100.7",
    "203.0.113.9",
    "192.88.99.1",
    "198.18.0.0",
    "198.19.255.255",
    // Multicast, reserved, broadcast.
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "250.1.2.3",
    "255.255.255.254",
    "255.255.255.255",
    // The same written as IPv6, mapped, compatible and translated.
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "::ffff:0.0.0.0",
    "::127.0.0.1",
    "::a9fe:a9fe",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2001:0:7f00:1::",
    "2001::1",
    "2001:1ff::1",
    // Unspecified, loopback, discard, local, private, site-local, multicast, documentation, segment routing.
    "::",
    "::1",
    "100::1",
    "100:0:0:1::1",
    "fe80::1",
    "febf::1",
    "fc00::1",
    "fd00:ec2::254",
    "fdff::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "2001:db8::1",
    "2001:db8:ffff::1",
    "3fff::1",
    "3fff:fff::1",
    "5f00::1",
    "4000::1",
    "1fff::1",
];

const PUBLIC: [&str; 27] = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.1",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.0.3.0",
    "192.88.98.1",
    "192.88.100.1",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "::ffff:8.8.8.8",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2606:4700::1111",
    "2a00::1",
    "3ffe::1",
];

fn address(text: &str) -> IpAddr {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn no_private_local_or_reserved_address_may_be_called() {
    for text in PRIVATE {
        assert!(!Reach::Public.allows(address(text)), "{text}");
    }
    for text in PUBLIC {
        assert!(Reach::Public.allows(address(text)), "{text}");
        assert!(Reach::Loopback.allows(address(text)), "{text}");
    }
}

#[test]
fn a_stage_for_development_reaches_loopback_and_nothing_else() {
    for text in PRIVATE {
        let near = address(text).to_canonical().is_loopback();
        assert_eq!(Reach::Loopback.allows(address(text)), near, "{text}");
    }
    assert_eq!(Reach::of(&|_| None), Reach::Public);
    assert_eq!(Reach::of(&|_| Some("yes".to_owned())), Reach::Public);
    assert_eq!(Reach::of(&|name| (name == LOOPBACK).then(|| "allowed".to_owned())), Reach::Loopback);
}

#[test]
fn urls_of_public_hosts_are_taken() {
    for url in [
        "https://example.com",
        "https://example.com/hooks?a=b&c=%20",
        "HTTPS://EXAMPLE.COM/",
        "https://a-b.c_d.example.co.uk:443/x",
        "https://example.com:8443/x",
        "https://xn--mnchen-3ya.de/x",
        "https://8.8.8.8/x",
        "https://[2606:4700::1111]:8443/x",
    ] {
        assert!(Reach::Public.check(url).is_ok(), "{url}: {:?}", Reach::Public.check(url));
    }
    let longest = format!("https://example.com/{}", "x".repeat(URL_CHARS_MAX - 20));
    assert!(Reach::Public.check(&longest).is_ok());
    assert_eq!(Reach::Public.check(&format!("{longest}x")), Err(UrlFlaw::Length));
}

#[test]
fn urls_of_anything_else_are_refused() {
    let refused = [
        (UrlFlaw::Length, vec![""]),
        (
            UrlFlaw::Form,
            vec!["x", "/x", "*", "https:", "https:///x", "https://ex ample.com", "https://example.com/#x"],
        ),
        (
            UrlFlaw::Form,
            vec!["https://exämple.com", "https://example.com\\@127.0.0.1/", "https://example.com/\n"],
        ),
        (UrlFlaw::Scheme, vec!["http://example.com", "ftp://example.com/x", "file://example.com/etc/passwd"]),
        (
            UrlFlaw::UserInfo,
            vec!["https://user@example.com", "https://user:word@example.com/", "https://@example.com"],
        ),
        (
            UrlFlaw::Port,
            vec!["https://example.com:80", "https://example.com:22/", "https://example.com:444/x"],
        ),
        (
            UrlFlaw::Port,
            vec!["https://example.com:0/", "https://example.com:/", "https://example.com:99999/"],
        ),
        (
            UrlFlaw::Host,
            vec!["https://localhost", "https://intranet/x", "https://example.com./", "https://.com/"],
        ),
        (
            UrlFlaw::Host,
            vec!["https://2130706433/", "https://0x7f000001/", "https://127.1/", "https://0x7f.0x1/"],
        ),
        (
            UrlFlaw::Host,
            vec!["https://0177.0.0.1/", "https://1.2.3.4.5/", "https://-a.example.com/", "https://a..com/"],
        ),
        (UrlFlaw::Host, vec!["https://[::1%25eth0]/", "https://ex!ample.com/", "https://exam~ple.com/"]),
        (
            UrlFlaw::Address,
            vec!["https://127.0.0.1/", "https://10.0.0.1:8443/", "https://169.254.169.254/latest"],
        ),
        (UrlFlaw::Address, vec!["https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[fd00::1]:443/"]),
    ];
    for (flaw, urls) in refused {
        for url in urls {
            let found = Reach::Public.check(url).map(|uri| uri.to_string());
            // A text that is no URL at all may be told in either way.
            let told = found == Err(flaw) || (found == Err(UrlFlaw::Form) && flaw != UrlFlaw::Length);
            assert!(told, "{url}: {found:?}, not {flaw:?}");
        }
    }
}

#[test]
fn loopback_may_be_called_without_tls_where_it_may_be_called_at_all() {
    for url in
        ["http://127.0.0.1:4000/x", "http://localhost:4000", "http://[::1]:80/", "https://127.0.0.1:9/x"]
    {
        assert!(Reach::Loopback.check(url).is_ok(), "{url}");
        assert!(Reach::Public.check(url).is_err(), "{url}");
    }
    for url in ["http://example.com/", "http://10.0.0.1/", "https://10.0.0.1/", "https://intranet/"] {
        assert!(Reach::Loopback.check(url).is_err(), "{url}");
    }
}

/// A resolver whose answers a test changes.
#[derive(Debug, Clone, Default)]
struct Names(Arc<Mutex<(Vec<IpAddr>, u32)>>);

impl Names {
    fn say(&self, addresses: &[&str]) {
        self.0.lock().unwrap().0 = addresses.iter().map(|text| address(text)).collect();
    }
}

impl ResolveDns for Names {
    fn resolve_dns<'a>(&'a self, _: &'a str) -> DnsFuture<'a> {
        let mut names = self.0.lock().unwrap();
        names.1 += 1;
        DnsFuture::ready(Ok(names.0.clone()))
    }
}

#[tokio::test]
async fn a_name_that_turns_private_is_not_dialled() {
    let names = Names::default();
    // When the destination is made, its name stands for a public address.
    names.say(&["8.8.8.8"]);
    let url = Reach::Public.check("https://hooks.example.com/x").unwrap();
    let guarded = GuardedResolver { inner: names.clone(), reach: Reach::Public };
    assert_eq!(guarded.resolve_dns("hooks.example.com").await.unwrap(), [address("8.8.8.8")]);
    // When an event is delivered, it stands for others, behind which a listener would take the call.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let platform = Platform::new(SdkConfig::builder().build(), Clock::system());
    let outbound = Outbound::guarded(&platform, names.clone(), Reach::Public);
    for turned in [vec!["127.0.0.1"], vec!["::ffff:127.0.0.1", "169.254.169.254"], vec![]] {
        names.say(&turned);
        let asked = names.0.lock().unwrap().1;
        let request = Request::post(url.clone()).body(Vec::new()).unwrap();
        let limits = Limits { timeout: Duration::from_secs(5), body_bytes: 10 };
        let error = outbound.send(request, limits).await.unwrap_err();
        assert!(matches!(error, OutboundError::NotAllowed { .. }), "{turned:?}: {error:?}");
        // It is asked anew for every call.
        assert_eq!(names.0.lock().unwrap().1, asked + 1);
    }
    assert!(listener.accept().is_err(), "somebody has dialled");
}

#[tokio::test]
async fn of_several_addresses_only_the_public_ones_are_dialled() {
    let names = Names::default();
    names.say(&["10.0.0.1", "1.1.1.1", "::1", "2606:4700::1111", "::ffff:192.168.0.1"]);
    let guarded = GuardedResolver { inner: names, reach: Reach::Public };
    let found = guarded.resolve_dns("example.com").await.unwrap();
    assert_eq!(found, [address("1.1.1.1"), address("2606:4700::1111")]);
}

#[tokio::test]
async fn an_address_in_the_url_is_looked_at_before_it_is_dialled() {
    let platform = Platform::new(SdkConfig::builder().build(), Clock::system());
    let outbound = Outbound::guarded(&platform, SystemResolver, Reach::Public);
    let limits = Limits { timeout: Duration::from_secs(5), body_bytes: 10 };
    for url in ["https://127.0.0.1/", "https://[::ffff:10.0.0.1]/", "http://8.8.8.8/", "https://8.8.8.8:22/"]
    {
        let request = Request::post(url).body(Vec::new()).unwrap();
        let error = outbound.send(request, limits).await.unwrap_err();
        assert!(matches!(error, OutboundError::NotAllowed { .. }), "{url}: {error:?}");
    }
}
