//! Images in registries: `registry.example.org/group/tool:1.0`, as people write it, taken apart and checked.

use crate::submission::Source;

/// Longest name of a registry, and of a repository, bytes.
pub const NAME_BYTES_MAX: usize = 255;
/// Where names without a registry lead, as container tools have it.
const HUB: &str = "docker.io";
/// What a reference looks like, for messages.
const FORM: &str = "`REGISTRY/REPOSITORY:TAG` or `REGISTRY/REPOSITORY@sha256:DIGEST`, for instance \
                    `registry.example.org/group/tool:1.0`";

/// An image in a registry as people refer to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Registry and repository.
    pub source: Source,
    /// Which of the repository's images.
    pub version: Version,
}

/// Which image of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Version {
    /// What the registry calls so at the moment.
    Tag(String),
    /// The one with this SHA-256, lower-case hexadecimal.
    Digest(String),
}

impl Reference {
    /// Reads a reference. Without a tag it means `latest`; without a registry, Docker's.
    ///
    /// # Errors
    /// What is wrong, as a sentence.
    ///
    /// ```
    /// use fiel_schemas::reference::{Reference, Version};
    /// let tool = Reference::parse("registry.example.org:5000/group/tool:1.0").unwrap();
    /// assert_eq!(tool.source.registry, "registry.example.org:5000");
    /// assert_eq!(tool.source.repository, "group/tool");
    /// assert_eq!(tool.version, Version::Tag("1.0".into()));
    /// ```
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("`{}`: {what}; a reference is {FORM}.", text.escape_default());
        let (name, version) = match text.split_once('@') {
            Some((name, digest)) => {
                let hex = digest.strip_prefix("sha256:").filter(|hex| is_sha256(hex));
                let hex = hex.ok_or_else(|| wrong("the digest is not a SHA-256"))?;
                // A tag beside a digest is for people; the digest decides.
                (split_tag(name).0, Version::Digest(hex.to_owned()))
            }
            None => match split_tag(text) {
                (name, Some(tag)) if is_tag(tag) => (name, Version::Tag(tag.to_owned())),
                (_, Some(_)) => return Err(wrong("the tag has a form that no registry knows")),
                (name, None) => (name, Version::Tag("latest".to_owned())),
            },
        };
        let (registry, repository) = split_registry(name);
        if !is_registry(&registry) {
            return Err(wrong("the name of the registry is not a host"));
        }
        if !is_repository(&repository) {
            return Err(wrong("the repository has a form that no registry knows"));
        }
        Ok(Self { source: Source { registry, repository }, version })
    }
}

fn split_tag(name: &str) -> (&str, Option<&str>) {
    match name.rsplit_once(':') {
        Some((before, tag)) if !tag.contains('/') => (before, Some(tag)),
        _ => (name, None),
    }
}

/// The first part is a registry where it cannot be anything else.
fn split_registry(name: &str) -> (String, String) {
    match name.split_once('/') {
        Some((host, rest)) if host == "localhost" || host.contains(['.', ':']) => {
            let host = host.to_ascii_lowercase();
            let official = host == HUB && !rest.contains('/');
            (host, if official { format!("library/{rest}") } else { rest.to_owned() })
        }
        Some(_) => (HUB.to_owned(), name.to_owned()),
        None => (HUB.to_owned(), format!("library/{name}")),
    }
}

/// Whether a text is a registry's host in lower case, with a port or without.
pub fn is_registry(name: &str) -> bool {
    let (host, port) = name.split_once(':').map_or((name, None), |(host, port)| (host, Some(port)));
    let is_label = |label: &str| {
        label.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
            && !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_port = |port: &str| {
        port.bytes().all(|b| b.is_ascii_digit()) && !port.starts_with('0') && port.parse::<u16>().is_ok()
    };
    name.len() <= NAME_BYTES_MAX && host.split('.').all(is_label) && port.is_none_or(is_port)
}

/// Whether a text is the name of a repository: components with `/` between them.
pub fn is_repository(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX && name.split('/').all(is_component)
}

/// Whether a text is a component of a repository's name as the distribution specification has it, of at most 128 bytes.
pub fn is_component(name: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let separators = name.split(|c: char| c.is_ascii() && is_word(c as u8)).filter(|s| !s.is_empty());
    let known = |s: &str| matches!(s, "." | "_" | "__") || s.bytes().all(|b| b == b'-');
    (1..=128).contains(&name.len())
        && name.bytes().next().is_some_and(is_word)
        && name.bytes().last().is_some_and(is_word)
        && separators.into_iter().all(known)
}

fn is_tag(tag: &str) -> bool {
    (1..=128).contains(&tag.len())
        && !tag.starts_with(['.', '-'])
        && tag.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

    use super::*;

    fn check(text: &str, registry: &str, repository: &str, version: Version) {
        let source = Source { registry: registry.into(), repository: repository.into() };
        assert_eq!(Reference::parse(text), Ok(Reference { source, version }), "{text}");
    }

    #[test]
    fn references_are_read_as_container_tools_read_them() {
        let tag = |tag: &str| Version::Tag(tag.into());
        let digest = "ab".repeat(32);
        let pinned = Version::Digest(digest.clone());
        check("registry.example.org/group/tool:1.0", "registry.example.org", "group/tool", tag("1.0"));
        check("Registry.Example.org/tool", "registry.example.org", "tool", tag("latest"));
        check("localhost:5000/a/b/c:x_y", "localhost:5000", "a/b/c", tag("x_y"));
        check("localhost/tool", "localhost", "tool", tag("latest"));
        check("127.0.0.1:5000/tool:1", "127.0.0.1:5000", "tool", tag("1"));
        check("debian:12", "docker.io", "library/debian", tag("12"));
        check("docker.io/debian", "docker.io", "library/debian", tag("latest"));
        check("group/tool:1", "docker.io", "group/tool", tag("1"));
        check(&format!("ghcr.io/a/b@sha256:{digest}"), "ghcr.io", "a/b", pinned.clone());
        check(&format!("ghcr.io:444/a/b:1.0@sha256:{digest}"), "ghcr.io:444", "a/b", pinned);
    }

    #[test]
    fn what_is_no_reference_is_refused_with_what_is_wrong_and_the_form() {
        let upper = format!("ghcr.io/a@sha256:{}", "AB".repeat(32));
        for (text, words) in [
            ("", "repository"),
            ("ghcr.io/", "repository"),
            ("ghcr.io/Tool:1", "repository"),
            ("ghcr.io/a//b", "repository"),
            ("ghcr.io/../b", "repository"),
            ("ghcr.io/a:", "tag"),
            ("ghcr.io/a:-1", "tag"),
            ("ghcr.io/a:1 2", "tag"),
            ("ghcr.io/a@sha256:ab", "SHA-256"),
            ("ghcr.io/a@md5:ab", "SHA-256"),
            (&*upper, "SHA-256"),
            ("user@ghcr.io/a", "SHA-256"),
            ("-x.org/a", "registry"),
            ("ghcr.io:0/a", "registry"),
            ("ghcr.io:65536/a", "registry"),
            ("ghcr..io/a", "registry"),
            ("https://ghcr.io/a", "registry"),
        ] {
            let found = Reference::parse(text).unwrap_err();
            assert!(found.contains(words) && found.contains("registry.example.org"), "{text}: {found}");
        }
    }

    #[test]
    fn components_are_those_of_the_distribution_specification() {
        for name in ["a", "9", "breast-fna", "a.b_c__d---e", &"x".repeat(128)] {
            assert!(is_component(name), "{name}");
        }
        for name in ["", "-a", "a-", "A", "a..b", "a___b", "a._b", "a/b", "é", "a b", "..", &"x".repeat(129)]
        {
            assert!(!is_component(name), "{name}");
        }
    }
}
