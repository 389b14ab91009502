//! Tokens that a registry gives to everybody: where its challenge says to ask, and what is answered.

use reqwest::Url;
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// Longest token, bytes.
const TOKEN_BYTES_MAX: usize = 16 << 10;

/// Where to ask for a token (`WWW-Authenticate: Bearer realm="...",service="..."`).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Challenge {
    realm: String,
    service: Option<String>,
}

impl Challenge {
    /// The address to ask for leave to read a repository.
    pub(super) fn address(&self, repository: &str) -> Result<Url, String> {
        let mut url = Url::parse(&self.realm).map_err(|e| format!("tokens are given at no address: {e}"))?;
        let mut query = url.query_pairs_mut();
        if let Some(service) = &self.service {
            query.append_pair("service", service);
        }
        query.append_pair("scope", &format!("repository:{repository}:pull"));
        drop(query);
        Ok(url)
    }
}

/// The challenge among the headers of an answer, if any is one that a stranger can meet.
pub(super) fn challenge(headers: &HeaderMap) -> Option<Challenge> {
    headers.get_all(WWW_AUTHENTICATE).iter().find_map(|value| bearer(value.to_str().ok()?))
}

fn bearer(header: &str) -> Option<Challenge> {
    let (scheme, mut rest) = header.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let (mut realm, mut service) = (None, None);
    while let Some((name, after)) = rest.split_once('=') {
        let (value, left) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(',').unwrap_or((after, "")),
        };
        match name.trim_matches([' ', ',']).to_ascii_lowercase().as_str() {
            "realm" => realm = Some(value.to_owned()),
            "service" => service = Some(value.to_owned()),
            _ => {}
        }
        rest = left;
    }
    Some(Challenge { realm: realm?, service })
}

/// The token in an answer, if it can stand in a header.
pub(super) fn token(body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Answer {
        token: Option<String>,
        access_token: Option<String>,
    }
    let answer: Answer = serde_json::from_slice(body).ok()?;
    let token = answer.token.or(answer.access_token)?;
    let is_plain = token.bytes().all(|b| b.is_ascii_graphic());
    ((1..=TOKEN_BYTES_MAX).contains(&token.len()) && is_plain).then_some(token)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

    use super::*;

    #[test]
    fn a_challenge_says_where_to_ask() {
        let header = r#"Bearer realm="https://auth.example.org/token?a=b",service="registry.example.org",scope="repository:x:pull,push""#;
        let found = bearer(header).unwrap();
        let url = found.address("group/tool").unwrap();
        assert_eq!(
            url.as_str(),
            "https://auth.example.org/token?a=b&service=registry.example.org&scope=repository%3Agroup%2Ftool%3Apull"
        );
        let bare = bearer("bearer service=s, realm=https://a.org/t").unwrap();
        assert_eq!(bare, Challenge { realm: "https://a.org/t".into(), service: Some("s".into()) });
        for other in ["", "Bearer", "Basic realm=\"a\"", "Bearer service=\"s\"", "Bearer realm=\"unclosed"] {
            assert_eq!(bearer(other), None, "{other}");
        }
        assert!(bearer("Bearer realm=\"nowhere\"").unwrap().address("a").is_err());
    }

    #[test]
    fn a_token_is_one_that_can_stand_in_a_header() {
        assert_eq!(token(br#"{"token": "abc.def"}"#).as_deref(), Some("abc.def"));
        assert_eq!(token(br#"{"access_token": "x", "expires_in": 60}"#).as_deref(), Some("x"));
        let long = format!(r#"{{"token": "{}"}}"#, "a".repeat(TOKEN_BYTES_MAX + 1));
        for body in [&b"{}"[..], b"", b"[]", br#"{"token": ""}"#, br#"{"token": "a\r\nb"}"#, long.as_bytes()]
        {
            assert_eq!(token(body), None);
        }
    }
}
