//! One small HTTP/1.1 request to a model that serves on its container's loopback, and the status of its answer.
//!
//! The answer comes from a stranger: nothing of it is used but three digits, and no more than [`ANSWER_BYTES`] of it
//! are read.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};

/// Where a model serves, by the contract.
const PORT: u16 = 4743;

/// Longest answer that is read, head and body.
const ANSWER_BYTES: usize = 64 * 1024;

/// The network namespace of a container.
#[derive(Debug)]
pub(super) struct Network(File);

/// A request under way.
#[derive(Debug)]
pub(super) struct Exchange {
    socket: TcpStream,
    request: Vec<u8>,
    sent: usize,
    answer: Vec<u8>,
}

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// The status code.
    Status(u16),
    /// Nobody listens yet.
    Refused,
    /// The connection ended early, or what came is no HTTP.
    Broken,
}

impl Network {
    /// The network of a process in the container. Refuses the node's own.
    pub(super) fn of(process: u32) -> io::Result<Self> {
        let file = File::open(format!("/proc/{process}/ns/net"))?;
        if file.metadata()?.ino() == std::fs::metadata("/proc/self/ns/net")?.ino() {
            return Err(io::Error::other("the container has the node's own network"));
        }
        Ok(Self(file))
    }

    /// A socket in that network. It is made by a thread that enters the network and ends there: a thread that has
    /// entered a namespace must do nothing else.
    fn socket(&self) -> io::Result<OwnedFd> {
        std::thread::scope(|scope| {
            let enter = || -> io::Result<OwnedFd> {
                let network = rustix::thread::LinkNameSpaceType::Network;
                rustix::thread::move_into_link_name_space(self.0.as_fd(), Some(network))?;
                let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
                Ok(rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?)
            };
            let entered = std::thread::Builder::new().stack_size(64 * 1024).spawn_scoped(scope, enter)?;
            entered.join().map_err(|_| io::Error::other("the thread that enters a network panicked"))?
        })
    }

    /// Begins a request without a body.
    pub(super) fn request(&self, method: &str, path: &str) -> io::Result<Exchange> {
        let socket = self.socket()?;
        match rustix::net::connect(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, PORT)) {
            // A refusal is told by the socket itself, like every later one.
            Ok(()) | Err(Errno::INPROGRESS | Errno::CONNREFUSED) => {}
            Err(error) => return Err(error.into()),
        }
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{PORT}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        Ok(Exchange { socket: socket.into(), request: request.into_bytes(), sent: 0, answer: Vec::new() })
    }
}

impl Exchange {
    /// What to wait for: readable, and writable as long as something is to be sent.
    pub(super) fn waits(&self) -> (BorrowedFd<'_>, bool) {
        (self.socket.as_fd(), self.sent < self.request.len())
    }

    /// Sends and reads what can be without waiting; the answer once it is complete.
    pub(super) fn advance(&mut self) -> Option<Answer> {
        while self.sent < self.request.len() {
            match self.socket.write(&self.request[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) => return Self::trouble(&error),
            }
        }
        let mut chunk = [0; 4096];
        loop {
            match self.socket.read(&mut chunk) {
                Ok(0) => return Some(status(&self.answer).map_or(Answer::Broken, Answer::Status)),
                Ok(count) => self.answer.extend_from_slice(&chunk[..count]),
                // A model that breaks the connection after its status has answered.
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                    return status(&self.answer).map(Answer::Status).or_else(|| Self::trouble(&error));
                }
                Err(_) => return complete(&self.answer).map(Answer::Status),
            }
            if self.answer.len() > ANSWER_BYTES {
                return Some(status(&self.answer).map_or(Answer::Broken, Answer::Status));
            }
        }
    }

    fn trouble(error: &io::Error) -> Option<Answer> {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted | io::ErrorKind::NotConnected => None,
            io::ErrorKind::ConnectionRefused => Some(Answer::Refused),
            _ => Some(Answer::Broken),
        }
    }
}

/// The status once head and announced body are there; a server need not close the connection.
fn complete(answer: &[u8]) -> Option<u16> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let announced =
        head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    (answer.len() - end >= announced?).then(|| status(answer))?
}

/// The status of an answer's first line.
fn status(answer: &[u8]) -> Option<u16> {
    let rest = answer.strip_prefix(b"HTTP/1.")?.get(1..)?;
    let digits = rest.strip_prefix(b" ")?.get(..3)?;
    let ends = rest.get(4).is_none_or(|byte| matches!(byte, b' ' | b'\r'));
    let number = std::str::from_utf8(digits).ok().filter(|_| ends)?;
    number.bytes().all(|digit| digit.is_ascii_digit()).then(|| number.parse().ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_a_status_line_gives_a_status() {
        assert_eq!(status(b"HTTP/1.1 201 Created\r\n"), Some(201));
        assert_eq!(status(b"HTTP/1.0 200\r\n\r\n"), Some(200));
        for bad in
            ["", "HTTP/1.1", "HTTP/1.1 20", "HTTP/2 200", "HTTP/1.1 2011 x", "HTTP/1.1 +20 x", "201 Created"]
        {
            assert_eq!(status(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn an_answer_with_a_length_needs_no_end_of_the_connection() {
        assert_eq!(complete(b"HTTP/1.1 201 C\r\nContent-Length: 2\r\n\r\nok"), Some(201));
        assert_eq!(complete(b"HTTP/1.1 201 C\r\nContent-Length: 3\r\n\r\nok"), None);
        assert_eq!(complete(b"HTTP/1.1 201 C\r\n\r\n"), None);
        assert_eq!(complete(b"HTTP/1.1 201 C\r\nContent-Length: 99999999999999999999\r\n\r\n"), None);
    }

    proptest! {
        #[test]
        fn no_answer_makes_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _any = (status(&bytes), complete(&bytes));
            let mut answer = b"HTTP/1.1 ".to_vec();
            answer.extend(&bytes);
            let _any = (status(&answer), complete(&answer));
        }
    }
}
