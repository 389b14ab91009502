//! The system calls a container may make, as the runtime specification writes them.
//!
//! A list of what is allowed, in the spirit of the profile that container engines use by default but shorter: no
//! mounting, no namespaces, no tracing, no keys, no BPF, no performance counters, no io_uring, no modules, no clocks
//! to set, no swap, no other machine's calls. `clone3` answers `ENOSYS`, which sends the C library to `clone`, whose
//! flags a filter can see. Sockets are local ones and the Internet's; the network namespace has nothing but loopback.

use serde::Serialize;

use super::spec::Action;

/// Files and folders, within what mounts and permissions leave.
const FILES: &str = "\
    access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 \
    fadvise64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr \
    flistxattr flock fremovexattr fsetxattr fstat fstatfs fsync ftruncate futimesat getcwd getdents \
    getdents64 getxattr inotify_add_watch inotify_init inotify_init1 inotify_rm_watch ioctl lchown \
    lgetxattr link linkat listxattr llistxattr lremovexattr lseek lsetxattr lstat mkdir mkdirat mknod \
    mknodat newfstatat open openat openat2 pipe pipe2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 \
    read readahead readlink readlinkat readv removexattr rename renameat renameat2 rmdir sendfile \
    setxattr splice stat statfs statx symlink symlinkat sync sync_file_range syncfs tee truncate umask \
    unlink unlinkat utime utimensat utimes vmsplice write writev";

/// Memory, shared between the processes of one container too.
const MEMORY: &str = "\
    brk get_mempolicy madvise mbind membarrier memfd_create mincore mlock mlock2 mlockall mmap mprotect \
    mremap msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect remap_file_pages \
    set_mempolicy shmat shmctl shmdt shmget";

/// Processes, threads, users and groups (which no capability lets change), waiting for each other.
const PROCESSES: &str = "\
    alarm arch_prctl capget capset execve execveat exit exit_group fork futex futex_waitv \
    get_robust_list get_thread_area getcpu getegid geteuid getgid getgroups getitimer getpgid getpgrp \
    getpid getppid getpriority getresgid getresuid getrlimit getrusage getsid gettid getuid ioprio_get \
    ioprio_set kill landlock_add_rule landlock_create_ruleset landlock_restrict_self msgctl msgget \
    msgrcv msgsnd nice pause pidfd_open pidfd_send_signal prctl prlimit64 restart_syscall rseq \
    rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait \
    rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr \
    sched_getparam sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setattr \
    sched_setparam sched_setscheduler sched_yield seccomp semctl semget semop semtimedop set_robust_list \
    set_thread_area set_tid_address setfsgid setfsuid setgid setgroups setitimer setpgid setpriority \
    setregid setresgid setresuid setreuid setrlimit setsid setuid sigaltstack signalfd signalfd4 sysinfo \
    tgkill tkill uname vfork wait4 waitid";

/// Time and events.
const EVENTS: &str = "\
    clock_getres clock_gettime clock_nanosleep epoll_create epoll_create1 epoll_ctl epoll_pwait \
    epoll_pwait2 epoll_wait eventfd eventfd2 getrandom gettimeofday nanosleep poll ppoll pselect6 select \
    time timer_create timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create \
    timerfd_gettime timerfd_settime times";

/// Sockets once they exist.
const SOCKETS: &str = "\
    accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmmsg recvmsg \
    sendmmsg sendmsg sendto setsockopt shutdown";

/// Flags of `clone` that make a namespace.
const NEW_NAMESPACE: u64 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u64;

/// The profile.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Seccomp {
    default_action: Action,
    default_errno_ret: i32,
    architectures: Vec<&'static str>,
    syscalls: Vec<Rule>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    names: Vec<&'static str>,
    action: Action,
    #[serde(skip_serializing_if = "Option::is_none")]
    errno_ret: Option<i32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    args: Vec<Argument>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Argument {
    index: u32,
    value: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_two: Option<u64>,
    op: &'static str,
}

impl Rule {
    fn allow(names: Vec<&'static str>) -> Self {
        Self { names, action: Action::Allow, errno_ret: None, args: Vec::new() }
    }

    fn allow_when(name: &'static str, index: u32, value: u64) -> Self {
        let argument = Argument { index, value, value_two: None, op: "SCMP_CMP_EQ" };
        Self { args: vec![argument], ..Self::allow(vec![name]) }
    }
}

/// The profile of every container.
pub(super) fn profile() -> Seccomp {
    let always = [FILES, MEMORY, PROCESSES, EVENTS, SOCKETS].into_iter().flat_map(str::split_whitespace);
    let mut syscalls = vec![Rule::allow(always.collect())];
    for family in [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6] {
        syscalls.push(Rule::allow_when("socket", 0, u64::from(family.cast_unsigned())));
    }
    syscalls.push(Rule::allow_when("socketpair", 0, u64::from(libc::AF_UNIX.cast_unsigned())));
    // What programs and libraries ask for: the present personality, Linux's own, without address randomisation.
    for personality in [0, 0x0004_0000, 0xffff_ffff] {
        syscalls.push(Rule::allow_when("personality", 0, personality));
    }
    let no_flag = Argument { index: 0, value: NEW_NAMESPACE, value_two: Some(0), op: "SCMP_CMP_MASKED_EQ" };
    syscalls.push(Rule { args: vec![no_flag], ..Rule::allow(vec!["clone"]) });
    syscalls.push(Rule {
        names: vec!["clone3"],
        action: Action::Errno,
        errno_ret: Some(libc::ENOSYS),
        args: Vec::new(),
    });
    let architectures = match std::env::consts::ARCH {
        "aarch64" => vec!["SCMP_ARCH_AARCH64"],
        _ => vec!["SCMP_ARCH_X86_64"],
    };
    Seccomp { default_action: Action::Errno, default_errno_ret: libc::EPERM, architectures, syscalls }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_out_of_a_container_is_not_allowed() {
        let allowed: Vec<_> = profile().syscalls.into_iter().flat_map(|rule| rule.names).collect();
        for name in [
            "mount",
            "umount2",
            "pivot_root",
            "chroot",
            "unshare",
            "setns",
            "ptrace",
            "process_vm_readv",
            "bpf",
            "keyctl",
            "add_key",
            "request_key",
            "io_uring_setup",
            "perf_event_open",
            "kexec_load",
            "init_module",
            "finit_module",
            "delete_module",
            "open_by_handle_at",
            "userfaultfd",
            "clock_settime",
            "swapon",
            "reboot",
        ] {
            assert!(!allowed.contains(&name), "{name}");
        }
        let mut once = allowed.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len() + 2 + 2, allowed.len(), "each name once, but for `socket` and `personality`");
    }
}
