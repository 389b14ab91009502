//! Who an image runs as: numbers, or names of its own `/etc/passwd` and `/etc/group`.

use std::io::Read;

use super::limits::{ACCOUNTS_BYTES, OWNERS};
use super::refusal::{invalid, quote, site, unreadable};
use super::root::Root;
use crate::types::Refusal;

/// Resolves `user`, `user:group`, or nothing, which is root. A user without a group gets the one of its account.
pub(super) fn resolve(root: &Root, wanted: &str) -> Result<(u32, u32), Refusal> {
    if wanted.is_empty() {
        return Ok((0, 0));
    }
    let (user, group) = wanted.split_once(':').unwrap_or((wanted, ""));
    let accounts = accounts(root, "passwd")?;
    let account = match number(user)? {
        Some(id) => Account {
            id,
            group: line(&accounts, |line| field(line, 2) == Some(id)).and_then(|it| field(it, 3)),
        },
        None => named(&accounts, user).ok_or_else(|| unknown("user", user, "passwd"))?,
    };
    let group = match (group.is_empty(), number(group)?) {
        (true, _) => account.group.unwrap_or(0),
        (false, Some(id)) => id,
        (false, None) => {
            let groups = self::accounts(root, "group")?;
            named(&groups, group).ok_or_else(|| unknown("group", group, "group"))?.id
        }
    };
    if [account.id, group].into_iter().any(|id| u64::from(id) >= OWNERS) {
        return Err(invalid(format!("the user {} has an id of {OWNERS} or more", quote(wanted.as_bytes()))));
    }
    Ok((account.id, group))
}

struct Account {
    id: u32,
    group: Option<u32>,
}

fn unknown(what: &str, name: &str, file: &str) -> Refusal {
    invalid(format!("the {what} {} is not in the image's /etc/{file}; use a number", quote(name.as_bytes())))
}

/// A number, if it is one; one too large is none of either.
fn number(text: &str) -> Result<Option<u32>, Refusal> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    text.parse()
        .map(Some)
        .map_err(|_| invalid(format!("the user or group {} is too large", quote(text.as_bytes()))))
}

/// The account with a name; the third field of both files is its number, the fourth of a user its group.
fn named(content: &str, name: &str) -> Option<Account> {
    let found = line(content, |line| line.split(':').next() == Some(name))?;
    Some(Account { id: field(found, 2)?, group: field(found, 3) })
}

fn line(content: &str, wanted: impl Fn(&str) -> bool) -> Option<&str> {
    content.lines().find(|line| wanted(line))
}

fn field(line: &str, index: usize) -> Option<u32> {
    line.split(':').nth(index)?.parse().ok()
}

/// The content of `/etc/passwd` or `/etc/group`; empty where the image has none.
fn accounts(root: &Root, name: &str) -> Result<String, Refusal> {
    let Some(file) = root.file(&["etc", name])? else { return Ok(String::new()) };
    if !file.metadata().map_err(site)?.is_file() {
        return Err(invalid(format!("the image's /etc/{name} is not a file")));
    }
    let mut content = Vec::new();
    file.take(ACCOUNTS_BYTES + 1).read_to_end(&mut content).map_err(unreadable)?;
    if content.len() as u64 > ACCOUNTS_BYTES {
        return Err(invalid(format!("the image's /etc/{name} has more than {ACCOUNTS_BYTES} bytes")));
    }
    Ok(String::from_utf8_lossy(&content).into_owned())
}
