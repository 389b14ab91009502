// A program for a container: does what the file /input/mode says, decent or not. Linked statically, so that an image
// of this one file is enough: gcc -O1 -static -o model hostile.c
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static FILE *answer;
// Stands before the names of attempts that are made again.
static const char *again = "";

static void copy(const char *from, const char *to) {
    char bytes[65536];
    FILE *in = fopen(from, "r"), *out = fopen(to, "w");
    if (!in || !out) exit(9);
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, in)) > 0;) fwrite(bytes, 1, n, out);
    fclose(out);
}

static void say(const char *text) {
    FILE *out = fopen("/output/answer", "w");
    if (!out) exit(9);
    fputs(text, out);
    fclose(out);
}

// One line for each attempt: what must not be possible, and whether the system refused.
static void tried(const char *what, int possible) {
    fprintf(answer, "%s%s %s", again, what, possible ? "POSSIBLE" : "refused");
    if (possible) fprintf(answer, " (%s)", strerror(errno));
    fputc('\n', answer);
}

// A file that is hidden behind /dev/null can be written, to no effect.
static int writes(const char *path) {
    struct stat found;
    int file = open(path, O_WRONLY | O_CREAT, 0600);
    return file >= 0 && fstat(file, &found) == 0 && !S_ISCHR(found.st_mode) && write(file, "1", 1) == 1;
}

// A call is refused by permission or by not being there at all; anything else means that the kernel looked at it.
static int looked_at(long result) {
    return result >= 0 || (errno != EPERM && errno != ENOSYS && errno != EACCES && errno != EAFNOSUPPORT);
}

static int connects(int family, const void *address, socklen_t size) {
    int sock = socket(family, SOCK_STREAM, 0);
    struct timeval wait = {1, 0};
    setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    int answered = sock >= 0 && connect(sock, address, size) == 0;
    int on_the_way = errno == EINPROGRESS || errno == ETIMEDOUT;
    close(sock);
    return answered || on_the_way;
}

static int port_of_host(void) {
    FILE *in = fopen("/input/port", "r");
    int port = 0;
    if (!in || fscanf(in, "%d", &port) != 1) exit(9);
    return port;
}

static void network(void) {
    static const int families[] = {AF_NETLINK, AF_PACKET, 40 /* vsock */, 38 /* alg */, 31 /* bluetooth */,
                                   29 /* can */, 44 /* xdp */, 30 /* tipc */, 16, 5, 21};
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        char name[32];
        snprintf(name, sizeof name, "socket-family-%d", families[i]);
        tried(name, looked_at(socket(families[i], SOCK_RAW, 0)));
    }
    tried("raw-ip", looked_at(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)));
    struct sockaddr_in host = {.sin_family = AF_INET, .sin_port = htons(port_of_host())};
    host.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    tried("host-loopback", connects(AF_INET, &host, sizeof host));
    host.sin_addr.s_addr = inet_addr("192.0.2.1");
    tried("outside", connects(AF_INET, &host, sizeof host));
    int udp = socket(AF_INET, SOCK_DGRAM, 0);
    tried("udp-outside", sendto(udp, "x", 1, 0, (void *)&host, sizeof host) == 1);
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = host.sin_port};
    inet_pton(AF_INET6, "2001:db8::1", &six.sin6_addr);
    tried("outside-6", connects(AF_INET6, &six, sizeof six));
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    snprintf(local.sun_path + 1, sizeof local.sun_path - 1, "fiel-canary-%d", port_of_host());
    socklen_t size = offsetof(struct sockaddr_un, sun_path) + 1 + strlen(local.sun_path + 1);
    tried("abstract-socket", connects(AF_UNIX, &local, size));
}

static void files(void) {
    static const char *places[] = {
        "/new", "/model", "/etc/new", "/input/new", "/input/data", "/dev/new", "/dev/mem", "/dev/kmsg", "/dev/vda",
        "/proc/sys/kernel/core_pattern", "/proc/sys/vm/overcommit_memory", "/proc/sys/kernel/hostname",
        "/proc/sysrq-trigger", "/proc/kcore", "/proc/1/oom_score_adj_", "/proc/irq/0/smp_affinity",
        "/proc/self/uid_map", "/sys/kernel/uevent_helper", "/sys/power/state", "/sys/fs/cgroup/cgroup.procs",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/devices/system/cpu/cpu1/online"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) tried(places[i], writes(places[i]));
    tried("read-kcore", open("/proc/kcore", O_RDONLY) >= 0 && read(open("/proc/kcore", O_RDONLY), &(char){0}, 1) == 1);
    int priority = open("/proc/self/oom_score_adj", O_WRONLY);
    tried("oom-score", write(priority, "-1000", 5) == 5);
    tried("device", mknod("/output/device", S_IFCHR | 0666, 0x0101) == 0);
    tried("device-in-tmp", mknod("/tmp/device", S_IFBLK | 0666, 0xfe00) == 0);
    tried("device-opened", open("/tmp/device", O_RDONLY) >= 0);
    // Paths of the host, one per line: other cases, the truth.
    char path[4096];
    FILE *in = fopen("/input/paths", "r");
    while (in && fgets(path, sizeof path, in)) {
        path[strcspn(path, "\n")] = 0;
        tried(path, access(path, F_OK) == 0);
    }
}

static void mounts(void) {
    tried("mount", looked_at(mount("none", "/tmp", "tmpfs", 0, NULL)));
    tried("bind", looked_at(mount("/proc", "/tmp", NULL, MS_BIND, NULL)));
    tried("umount", looked_at(umount2("/input", MNT_DETACH)));
    tried("pivot-root", looked_at(syscall(SYS_pivot_root, ".", ".")));
    tried("chroot", looked_at(chroot("/tmp")));
    tried("fsopen", looked_at(syscall(SYS_fsopen, "tmpfs", 0)));
    tried("open-tree", looked_at(syscall(SYS_open_tree, AT_FDCWD, "/", 1)));
}

static void calls(void) {
    char none[256] = {0};
    tried("unshare-user", looked_at(unshare(CLONE_NEWUSER)));
    tried("unshare-mounts", looked_at(unshare(CLONE_NEWNS)));
    tried("clone-user", looked_at(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0)));
    struct clone_args plan = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
    tried("clone3-user", looked_at(syscall(SYS_clone3, &plan, sizeof plan)));
    tried("setns", looked_at(setns(-1, 0)));
    tried("ptrace", looked_at(ptrace(PTRACE_TRACEME, 0, 0, 0)));
    tried("process-vm-readv", looked_at(syscall(SYS_process_vm_readv, 1, 0, 0, 0, 0, 0)));
    tried("kcmp", looked_at(syscall(SYS_kcmp, 1, 1, 0, 0, 0)));
    tried("bpf", looked_at(syscall(SYS_bpf, 0, none, sizeof none)));
    tried("keyctl", looked_at(syscall(SYS_keyctl, 0, -3, 1)));
    tried("add-key", looked_at(syscall(SYS_add_key, "user", "k", "v", 1, -3)));
    tried("request-key", looked_at(syscall(SYS_request_key, "user", "k", 0, -3)));
    tried("io-uring", looked_at(syscall(SYS_io_uring_setup, 1, none)));
    tried("perf", looked_at(syscall(SYS_perf_event_open, none, 0, -1, -1, 0)));
    tried("userfaultfd", looked_at(syscall(SYS_userfaultfd, 0)));
    tried("init-module", looked_at(syscall(SYS_init_module, none, 1, "")));
    tried("finit-module", looked_at(syscall(SYS_finit_module, -1, "", 0)));
    tried("kexec", looked_at(syscall(SYS_kexec_load, 0, 0, 0, 0)));
    tried("reboot", looked_at(syscall(SYS_reboot, 0, 0, 0, 0)));
    tried("handle", looked_at(syscall(SYS_open_by_handle_at, AT_FDCWD, none, 0)));
    tried("set-time", looked_at(syscall(SYS_clock_settime, 0, none)));
    tried("set-host-name", looked_at(sethostname("x", 1)));
    tried("swap-on", looked_at(syscall(SYS_swapon, "/tmp", 0)));
    tried("fanotify", looked_at(syscall(SYS_fanotify_init, 0, 0)));
    tried("syslog", looked_at(syscall(SYS_syslog, 3, none, sizeof none)));
    tried("32-bit-personality", looked_at(syscall(SYS_personality, 8)));
    tried("be-root", setuid(0) == 0);
    tried("be-root-group", setgid(0) == 0);
    tried("raise-priority", setpriority(PRIO_PROCESS, 0, -20) == 0);
    tried("real-time", sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){1}) == 0);
    struct rlimit more = {1 << 20, 1 << 20};
    tried("raise-limit", setrlimit(RLIMIT_NOFILE, &more) == 0);
    struct rlimit core = {1 << 20, 1 << 20};
    tried("core-dumps", setrlimit(RLIMIT_CORE, &core) == 0);
    tried("kill-outside", kill(2000000, 0) == 0);
}

static void escape(void) {
    answer = fopen("/output/answer", "w");
    network();
    files();
    mounts();
    calls();
    // Whoever got a namespace of its own is its root, and tries again what root might do.
    again = "then:";
    network();
    files();
    mounts();
    fclose(answer);
}

static int entries(const char *path) {
    int count = 0;
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));) count += entry->d_name[0] != '.';
    return count;
}

static int processes(void) {
    int count = 0;
    DIR *folder = opendir("/proc");
    for (struct dirent *entry; folder && (entry = readdir(folder));) count += entry->d_name[0] >= '0' && entry->d_name[0] <= '9';
    return count;
}

// What is there of earlier cases; then leaves something itself, in every place.
static void peek(void) {
    answer = fopen("/tmp/.answer", "w+");
    fprintf(answer, "tmp %d shm %d output %d processes %d input %d", entries("/tmp"), entries("/dev/shm"),
            entries("/output"), processes(), entries("/input"));
    fclose(answer);
    copy("/tmp/.answer", "/output/answer");
    writes("/tmp/left");
    writes("/dev/shm/left");
    writes("/output/left");
    if (fork() == 0) {
        setsid();
        for (int i = 0; i < 65; i++) signal(i, SIG_IGN);
        for (;;) pause();
    }
}

// Leaves the process that the platform started, twice, and works on after it.
static void daemonise(void) {
    say("first");
    if (fork() != 0) return;
    setsid();
    if (fork() != 0) _exit(0);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    for (;;) {
        usleep(2000);
        say("second");
    }
}

// More processes that never rest than a machine has cores.
static void spin(void) {
    for (int i = 0; i < 3; i++) {
        if (fork() == 0) break;
    }
    for (;;) ;
}

static void fork_bomb(void) {
    for (;;) {
        if (fork() < 0) usleep(1000);
    }
}

static void count_forks(void) {
    int count = 0;
    for (pid_t child; (child = fork()) >= 0 && count < 100000; count++) {
        if (child == 0) for (;;) pause();
    }
    char text[32];
    snprintf(text, sizeof text, "%d", count);
    say(text);
}

static void eat(void) {
    for (;;) {
        char *more = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (more == MAP_FAILED) exit(7);
        memset(more, 1, 1 << 20);
    }
}

static void eat_in_child(void) {
    say("well");
    if (fork() == 0) eat();
    wait(NULL);
    usleep(200000);
}

// Fills a file until the system refuses; gives the MiB that went in.
static int fill(const char *path) {
    static char mib[1 << 20];
    int file = open(path, O_WRONLY | O_CREAT, 0600), count = 0;
    memset(mib, 1, sizeof mib);
    while (write(file, mib, sizeof mib) == sizeof mib) count++;
    close(file);
    return count;
}

static void fill_scratch(void) {
    signal(SIGXFSZ, SIG_IGN);
    int tmp = fill("/tmp/a") + fill("/tmp/b");
    unlink("/tmp/a"), unlink("/tmp/b");
    int shm = fill("/dev/shm/a") + fill("/dev/shm/b");
    char text[64];
    snprintf(text, sizeof text, "tmp %d shm %d", tmp, shm);
    say(text);
}

static void litter(void) {
    for (int i = 0;; i++) {
        char path[64];
        snprintf(path, sizeof path, "/output/%d", i);
        close(open(path, O_WRONLY | O_CREAT, 0600));
    }
}

static void dig(void) {
    if (chdir("/output")) exit(9);
    for (;;) {
        mkdir("d", 0700);
        if (chdir("d")) pause();
    }
}

static void chatter(size_t bytes) {
    static char line[65536];
    memset(line, 'x', sizeof line);
    for (size_t sent = 0; sent < bytes; sent += 2 * sizeof line) {
        if (write(1, line, sizeof line) < 0 || write(2, line, sizeof line) < 0) exit(9);
    }
}

static void local_socket_as_answer(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/output/answer"};
    if (bind(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&address, sizeof address)) exit(9);
}

// What decent programs do with their neighbours: pipes, shared memory, local sockets, loopback, threads of libraries.
static void neighbours(void) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) exit(10);
    int shared = shm_open("/shared", O_RDWR | O_CREAT, 0600);
    if (shared < 0 || ftruncate(shared, 8 << 20)) exit(11);
    int *value = mmap(NULL, 8 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, shared, 0);
    int server = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof own;
    if (bind(server, (void *)&own, size) || listen(server, 1) || getsockname(server, (void *)&own, &size)) exit(12);
    if (fork() == 0) {
        *value = 7;
        if (write(pair[1], "x", 1) != 1 || !connects(AF_INET, &own, sizeof own)) _exit(1);
        _exit(0);
    }
    char byte;
    int status;
    if (read(pair[0], &byte, 1) != 1 || accept(server, NULL, NULL) < 0 || wait(&status) < 0 || status) exit(13);
    char text[32];
    snprintf(text, sizeof text, "shared %d", *value);
    say(text);
}

static void environment(void) {
    answer = fopen("/output/answer", "w");
    for (char **variable = environ; *variable; variable++) fprintf(answer, "%s\n", *variable);
    char folder[256] = "", host[256] = "";
    getcwd(folder, sizeof folder), gethostname(host, sizeof host);
    fprintf(answer, "user %d group %d folder %s host %s pid %d\n", getuid(), getgid(), folder, host, getpid());
    fclose(answer);
}

// Grand Challenge's warm interface, in the smallest way; `health` is what it says about its own.
static int serve(const char *health) {
    char request[4096];
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(4743), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int server = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(server, (void *)&own, sizeof own) || listen(server, 8)) return 9;
    for (;;) {
        int client = accept(server, NULL, NULL);
        ssize_t size = read(client, request, sizeof request);
        int asked = size > 3 && !memcmp(request, "GET", 3);
        if (!asked) copy("/input/data", "/output/answer");
        dprintf(client, "HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n", asked ? health : "201 Created");
        close(client);
    }
}

int main(int count, char **words) {
    char mode[64] = "";
    if (count > 1 && !strcmp(words[1], "serve")) return serve(count > 2 ? words[2] : "200 OK");
    FILE *in = fopen("/input/mode", "r");
    if (!in || fscanf(in, "%63s", mode) != 1) return 9;
    printf("mode %s\n", mode);
    fflush(stdout);
#define MODE(name) if (!strcmp(mode, name))
    MODE("echo") copy("/input/data", "/output/answer");
    MODE("nothing") return 0;
    MODE("exit3") return 3;
    MODE("exit137") return 137;
    MODE("abort") abort();
    MODE("fault") *(volatile int *)8 = 1;
    MODE("loop") for (;;) ;
    MODE("deaf") {
        for (int i = 0; i < 65; i++) signal(i, SIG_IGN);
        for (;;) pause();
    }
    MODE("spin") spin();
    MODE("fork-bomb") fork_bomb();
    MODE("count-forks") count_forks();
    MODE("eat") eat();
    MODE("eat-in-child") eat_in_child();
    MODE("fill") fill("/output/answer");
    MODE("fill-scratch") fill_scratch();
    MODE("sparse") {
        say("x");
        if (truncate("/output/answer", 30 << 20)) return 9;
        pause();
    }
    MODE("huge") {
        say("x");
        if (truncate("/output/answer", 1LL << 40)) return 9;
    }
    MODE("litter") litter();
    MODE("dig") dig();
    MODE("chatter") {
        chatter(32 << 20);
        say("done");
    }
    MODE("flood") chatter((size_t)-1);
    MODE("daemonise") daemonise();
    MODE("kill-all") {
        kill(-1, SIGKILL);
        say("alive");
    }
    MODE("link") return symlink("/etc/passwd", "/output/answer");
    MODE("link-input") return symlink("/input/data", "/output/answer");
    MODE("two-names") {
        copy("/input/data", "/output/other");
        return link("/output/other", "/output/answer");
    }
    MODE("hard-link-input") return link("/input/data", "/output/answer") == 0 ? 0 : 18;
    MODE("fifo") return mkfifo("/output/answer", 0600);
    MODE("socket") local_socket_as_answer();
    MODE("folder") return mkdir("/output/answer", 0700);
    MODE("setuid") {
        copy("/input/data", "/output/answer");
        return chmod("/output/answer", 06777);
    }
    MODE("escape") escape();
    MODE("peek") peek();
    MODE("neighbours") neighbours();
    MODE("environment") environment();
    return 0;
}
