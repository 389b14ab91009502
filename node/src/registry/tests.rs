#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use super::hosts::{check_public, is_public, is_this_machine};
use super::*;

#[test]
fn only_this_machine_is_spoken_to_in_the_clear() {
    for here in ["localhost", "localhost:5000", "127.0.0.1:5000", "127.9.9.9"] {
        assert!(is_this_machine(here), "{here}");
    }
    for there in ["registry.example.org", "10.0.0.1:5000", "localhost.example.org", "128.0.0.1", "0.0.0.0:1"]
    {
        assert!(!is_this_machine(there), "{there}");
    }
    let base = |registry: &str| {
        let source = Source { registry: registry.to_owned(), repository: "tool".to_owned() };
        Registry::new(source).unwrap().base.to_string()
    };
    assert_eq!(base("localhost:5000"), "http://localhost:5000/");
    assert_eq!(base("registry.example.org"), "https://registry.example.org/");
    assert_eq!(base("10.0.0.1:5000"), "https://10.0.0.1:5000/");
    assert_eq!(base("docker.io"), "https://registry-1.docker.io/");
}

#[test]
fn a_download_is_sent_on_to_encrypted_public_hosts_only() {
    for open in [
        "https://cdn.example.org/a",
        "https://cdn.example.org:8443/a",
        "https://1.1.1.1/",
        "https://[2606:4700::1]/",
    ] {
        assert_eq!(check_public(&Url::parse(open).unwrap()), Ok(()), "{open}");
    }
    for (closed, words) in [
        ("http://cdn.example.org/a", "encrypted"),
        ("ftp://cdn.example.org/a", "encrypted"),
        ("file:///etc/passwd", "encrypted"),
        ("https://localhost/", "public"),
        ("https://LOCALHOST./", "public"),
        ("https://a.localhost:1/", "public"),
        ("https://127.0.0.1/", "public"),
        ("https://2130706433/", "public"),
        ("https://0x7f.1/", "public"),
        ("https://10.1.2.3/", "public"),
        ("https://169.254.169.254/latest/meta-data", "public"),
        ("https://[::1]/", "public"),
        ("https://[::ffff:10.0.0.1]/", "public"),
        ("https://[fd00::1]/", "public"),
    ] {
        let found = check_public(&Url::parse(closed).unwrap()).unwrap_err();
        assert!(found.contains(words), "{closed}: {found}");
    }
}

#[test]
fn addresses_of_the_site_are_told_from_those_of_the_internet() {
    for public in
        ["1.1.1.1", "100.63.255.255", "100.128.0.0", "172.15.0.1", "172.32.0.1", "198.17.0.1", "2a00::1"]
    {
        assert!(is_public(public.parse().unwrap()), "{public}");
    }
    for private in [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "169.254.1.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "fe80::1",
        "fc00::1",
        "fd12::1",
        "ff02::1",
        "2001:db8::1",
        "2001::1",
        "2002:7f00:1::",
    ] {
        assert!(!is_public(private.parse().unwrap()), "{private}");
    }
}

#[tokio::test]
async fn a_name_that_leads_into_the_site_resolves_to_nothing() {
    use reqwest::dns::Resolve as _;
    let Err(error) = hosts::PublicOnly.resolve("localhost".parse().unwrap()).await else {
        panic!("localhost is not on the internet")
    };
    assert!(error.to_string().contains("localhost has no address on the public internet"), "{error}");
}
