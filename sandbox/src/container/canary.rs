//! What the engine's canary does inside a container: tries what a model must not be able to do, and reports.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::protocol;

/// What a canary is sent to do.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Canary {
    /// Look around, try everything and report; then start so many processes and report how many there are. `hidden`
    /// must not be seen; of the `devices` each must be there to read and to write as told, and no other way.
    Look { hidden: Vec<PathBuf>, processes: usize, file_bytes: u64, devices: Vec<Granted> },
    /// Use up so much memory.
    Eat { bytes: usize },
}

/// A device that a container should have.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Granted {
    pub(super) path: PathBuf,
    pub(super) read: bool,
    pub(super) write: bool,
}

/// What a canary found.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Sight {
    /// The name of each of its namespaces.
    pub(super) namespaces: BTreeMap<String, String>,
    /// Network interfaces.
    pub(super) interfaces: Vec<String>,
    /// Addresses outside that could be reached.
    pub(super) reached: Vec<String>,
    /// Places of the root file system that could be written.
    pub(super) written: Vec<String>,
    /// All capabilities of any kind, as bits.
    pub(super) capabilities: u64,
    pub(super) no_new_privs: bool,
    /// 2 when a filter of system calls is in force.
    pub(super) seccomp: u64,
    /// System calls that were not refused.
    pub(super) calls: Vec<String>,
    /// Release of the kernel that answers it.
    pub(super) kernel: String,
    /// Bytes of the largest file that could be written to `/output`.
    pub(super) file_bytes: u64,
    /// Files of the host that were seen.
    pub(super) seen: Vec<PathBuf>,
    /// What is wrong with the devices it should have.
    pub(super) devices: Vec<String>,
}

/// Carries a canary's errand out.
pub(crate) fn fly(errand: Canary, to: &mut impl Write) -> Result<(), String> {
    match errand {
        Canary::Look { hidden, processes, file_bytes, devices } => {
            let mut sight = look(hidden, file_bytes);
            sight.devices = devices.iter().flat_map(tried).collect();
            // A runtime may not survive what follows: the report goes first.
            let told = protocol::send(to, &sight).and_then(|()| protocol::send(to, &start(processes)));
            told.map_err(|error| format!("report: {error}"))
        }
        Canary::Eat { bytes } => {
            let eaten = vec![1_u8; bytes];
            // The sum keeps the memory in use until here.
            let sum: u64 = eaten.iter().step_by(4096).map(|&byte| u64::from(byte)).sum();
            Err(format!("{sum} pages could be used"))
        }
    }
}

fn look(hidden: Vec<PathBuf>, file_bytes: u64) -> Sight {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    };
    let kinds = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];
    let bits = |name: &&str| match field(name) {
        Some(value) => u64::from_str_radix(value, 16).unwrap_or(u64::MAX),
        // A kernel without ambient capabilities does not list them.
        None if *name == "CapAmb" => 0,
        None => u64::MAX,
    };
    Sight {
        namespaces: namespaces(),
        interfaces: interfaces(),
        reached: reached(),
        written: written(),
        capabilities: kinds.iter().map(bits).fold(0, |all, bits| all | bits),
        no_new_privs: rustix::thread::no_new_privs().unwrap_or(false),
        seccomp: field("Seccomp").and_then(|mode| mode.parse().ok()).unwrap_or(0),
        calls: calls(),
        kernel: kernel(),
        seen: hidden.into_iter().filter(|path| path.exists()).collect(),
        file_bytes: write_up_to(file_bytes),
        devices: Vec::new(),
    }
}

/// Opens a device in both ways; gives what is not as it should be.
fn tried(device: &Granted) -> Vec<String> {
    let path = device.path.display();
    match fs::metadata(&device.path) {
        Ok(found) if found.file_type().is_char_device() || found.file_type().is_block_device() => {}
        Ok(_) => return vec![format!("{path} is no device")],
        Err(error) => return vec![format!("{path}: {error}")],
    }
    let ways = [("read", device.read, true), ("write", device.write, false)];
    let try_it = |(word, granted, reading): (&str, bool, bool)| {
        let mut options = fs::OpenOptions::new();
        options.read(reading).write(!reading).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
        match options.open(&device.path).map_err(|error| error.raw_os_error()) {
            Ok(_) if !granted => {
                Some(format!("{path} can be opened to {word}, which its specification forbids"))
            }
            Err(Some(libc::EACCES | libc::EPERM)) if granted => {
                Some(format!("{path} cannot be opened to {word}: the runtime or the machine forbids it"))
            }
            // Whatever else a driver answers is the device's own business: it was reached.
            _ => None,
        }
    };
    ways.into_iter().filter_map(try_it).collect()
}

/// The names of the namespaces of this process.
pub(super) fn namespaces() -> BTreeMap<String, String> {
    let name = |kind: &str| Some((kind.to_owned(), fs::read_link(format!("/proc/self/ns/{kind}")).ok()?));
    let found = ["pid", "net", "ipc", "uts", "mnt", "cgroup", "user"].into_iter().filter_map(name);
    found.map(|(kind, link)| (kind, link.to_string_lossy().into_owned())).collect()
}

fn interfaces() -> Vec<String> {
    let table = fs::read_to_string("/proc/net/dev").unwrap_or_default();
    table.lines().filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned())).collect()
}

/// Addresses of the documentation's ranges: nothing would answer, but a network that exists lets a packet leave.
fn reached() -> Vec<String> {
    let outside =
        [SocketAddr::from(([192, 0, 2, 1], 80)), SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 80))];
    let leaves = |address: &&SocketAddr| {
        let own: SocketAddr = if address.is_ipv4() { ([0; 4], 0).into() } else { ([0_u16; 8], 0).into() };
        let sent = UdpSocket::bind(own).and_then(|socket| socket.send_to(b"x", address));
        let refused =
            |error: io::Error| matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock);
        sent.is_ok() || TcpStream::connect_timeout(address, Duration::from_millis(50)).is_err_and(refused)
    };
    outside.iter().filter(leaves).map(ToString::to_string).collect()
}

/// `/dev`, `/tmp` and `/dev/shm` are not among the places: they lie in memory and go with the container.
fn written() -> Vec<String> {
    let places = ["/canary", "/etc/canary", "/input/canary", "/proc/sys/kernel/hostname", "/sys/canary"];
    places.into_iter().filter(|path| fs::write(path, "x").is_ok()).map(str::to_owned).collect()
}

/// Release of the kernel that answers this process.
pub(super) fn kernel() -> String {
    let text = fs::read_to_string("/proc/version").unwrap_or_default();
    text.split_whitespace().nth(2).unwrap_or_default().to_owned()
}

/// Makes system calls that lead out of a container, with arguments that do no harm should they be allowed, and names
/// those that the system did more than refuse.
#[expect(unsafe_code, reason = "the system calls have no safe form, and none may be carried out")]
fn calls() -> Vec<String> {
    let new_user = libc::c_long::from(libc::CLONE_NEWUSER);
    let attempts: [(&str, libc::c_long, [libc::c_long; 3]); 14] = [
        ("bpf", libc::SYS_bpf, [-1, 0, 0]),
        ("keyctl", libc::SYS_keyctl, [-1, 0, 0]),
        ("io_uring_setup", libc::SYS_io_uring_setup, [1, 0, 0]),
        ("perf_event_open", libc::SYS_perf_event_open, [0, 0, -1]),
        ("ptrace", libc::SYS_ptrace, [-1, 0, 0]),
        ("process_vm_readv", libc::SYS_process_vm_readv, [0, 0, 0]),
        ("init_module", libc::SYS_init_module, [0, 0, 0]),
        ("kexec_load", libc::SYS_kexec_load, [0, 0, 0]),
        ("mount", libc::SYS_mount, [0, 0, 0]),
        ("setns", libc::SYS_setns, [-1, 0, 0]),
        ("unshare", libc::SYS_unshare, [new_user, 0, 0]),
        ("netlink", libc::SYS_socket, [libc::AF_NETLINK.into(), libc::SOCK_RAW.into(), 0]),
        ("packet", libc::SYS_socket, [libc::AF_PACKET.into(), libc::SOCK_RAW.into(), 0]),
        ("alg", libc::SYS_socket, [libc::AF_ALG.into(), libc::SOCK_SEQPACKET.into(), 0]),
    ];
    let refused = |(_, call, [a, b, c]): &(&str, libc::c_long, [libc::c_long; 3])| {
        // SAFETY: null pointers, bad descriptors and unknown commands make every call fail at the latest when the
        // kernel looks at them, but for a socket, which is left open, and a new user namespace, which is harmless.
        let answer = unsafe { libc::syscall(*call, *a, *b, *c, 0, 0) };
        let error = io::Error::last_os_error().raw_os_error();
        let no = [libc::EPERM, libc::EACCES, libc::ENOSYS, libc::EAFNOSUPPORT];
        answer < 0 && error.is_some_and(|error| no.contains(&error))
    };
    attempts.iter().filter(|attempt| !refused(attempt)).map(|(name, ..)| (*name).to_owned()).collect()
}

fn write_up_to(bytes: u64) -> u64 {
    let path = "/output/canary";
    let chunk = vec![0; 1 << 20];
    if let Ok(mut file) = fs::File::create(path) {
        let mut left = bytes;
        while left > 0 {
            let part = usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len());
            match file.write(&chunk[..part]) {
                Ok(count) if count > 0 => left -= count as u64,
                _ => break,
            }
        }
    }
    fs::metadata(path).map_or(0, |found| found.len())
}

/// Starts processes that do nothing, until the system refuses or there are so many. They end with the container.
#[expect(unsafe_code, reason = "a process that does nothing needs no program")]
fn start(processes: usize) -> usize {
    for started in 0..processes {
        // SAFETY: this process has one thread; the child only sleeps.
        match unsafe { libc::fork() } {
            -1 => return started,
            0 => loop {
                std::thread::sleep(Duration::from_mins(1));
            },
            _ => {}
        }
    }
    processes
}
