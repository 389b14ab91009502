// A model that misbehaves on request: /input/mode says how.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <wasi/api.h>

static int runs;
static char buffer[1 << 20];

static int is(const char *mode, const char *name) { return strcmp(mode, name) == 0; }

static FILE *answer(void) {
    FILE *file = fopen("/output/answer", "wb");
    if (!file) exit(9);
    return file;
}

static void attempt(FILE *report, const char *path, int flags) {
    int fd = open(path, flags, 0644);
    fprintf(report, "%s %s\n", path, fd < 0 ? "refused" : "OPENED");
    if (fd >= 0) close(fd);
}

static int entries(const char *path) {
    DIR *folder = opendir(path);
    int count = 0;
    if (!folder) return -1;
    for (struct dirent *entry; (entry = readdir(folder));)
        count += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
    closedir(folder);
    return count;
}

static void echo(void) {
    FILE *in = fopen("/input/data", "rb"), *out = answer();
    size_t count;
    while (in && (count = fread(buffer, 1, sizeof buffer, in))) fwrite(buffer, 1, count, out);
    fclose(out);
}

static void escape(void) {
    FILE *report = answer();
    attempt(report, "/etc/passwd", O_RDONLY);
    attempt(report, "/input/../../../../../../etc/passwd", O_RDONLY);
    attempt(report, "/output/../../../../../../etc/passwd", O_RDONLY);
    attempt(report, "/input/../input/../../slot-0/input/mode", O_RDONLY);
    attempt(report, "/proc/self/maps", O_RDONLY);
    attempt(report, "/tmp/x", O_WRONLY | O_CREAT);
    attempt(report, "/input/mode", O_WRONLY);
    attempt(report, "/input/new", O_WRONLY | O_CREAT);
    fprintf(report, "unlink %s\n", unlink("/input/mode") ? "refused" : "DONE");
    fprintf(report, "rename %s\n", rename("/input/data", "/output/data") ? "refused" : "DONE");
    fprintf(report, "symlink %s\n", symlink("/etc/passwd", "/output/link") ? "refused" : "DONE");
    fprintf(report, "symlink-near %s\n", symlink("answer", "/output/near") ? "refused" : "DONE");
    fprintf(report, "hardlink %s\n", link("/input/mode", "/output/hard") ? "refused" : "DONE");
    fprintf(report, "environment %s\n", getenv("PATH") || getenv("HOME") ? "SEEN" : "refused");
    fclose(report);
}

static void peek(void) {
    FILE *report = answer();
    fprintf(report, "runs %d output %d input %d", ++runs, entries("/output"), entries("/input"));
    fclose(report);
    for (int i = 0; i < 10; i++) {
        sprintf(buffer, "/output/left-%d", i);
        mkdir(buffer, 0755);
        strcat(buffer, "/x");
        fclose(fopen(buffer, "wb"));
    }
}

static void chance(void) {
    FILE *report = answer();
    struct timespec wall, one, two;
    unsigned char noise[32];
    struct stat data;
    clock_gettime(CLOCK_REALTIME, &wall);
    clock_gettime(CLOCK_MONOTONIC, &one);
    clock_gettime(CLOCK_MONOTONIC, &two);
    getentropy(noise, sizeof noise);
    stat("/input/data", &data);
    fprintf(report, "%lld %lld %ld %lld ", (long long)wall.tv_sec, (long long)one.tv_nsec,
            (long)(two.tv_nsec - one.tv_nsec), (long long)data.st_mtim.tv_sec);
    for (unsigned i = 0; i < sizeof noise; i++) fprintf(report, "%02x", noise[i]);
    fclose(report);
}

static void flood(void) {
    FILE *out = answer();
    for (;;) fwrite(buffer, 1, sizeof buffer, out);
}

// As much as the system accepts into one file, then a good end.
static void fill(void) {
    int fd = open("/output/answer", O_WRONLY | O_CREAT, 0644);
    while (write(fd, buffer, sizeof buffer) > 0) {}
}

static void litter(void) {
    for (int i = 0;; i++) {
        sprintf(buffer, "/output/%d", i);
        FILE *file = fopen(buffer, "wb");
        if (file) fclose(file);
    }
}

static void dig(void) {
    char path[4096] = "/output";
    for (int i = 0; i < 1000; i++) {
        strcat(path, "/d");
        mkdir(path, 0755);
    }
    fclose(answer());
}

static volatile int depth;
static int fall(int n) {
    volatile char frame[256];
    frame[0] = (char)n;
    depth++;
    return fall(n + 1) + frame[0];
}

static void eat(void) {
    // Volatile, or the compiler sees that nobody reads it and asks for nothing.
    static char *volatile more;
    for (;;) {
        more = malloc(1 << 20);
        if (more) memset(more, 1, 1 << 20);
    }
}

// Opens and never closes, until no more is given.
static void hoard(void) {
    int count = 0;
    while (count < 100000 && open("/input/data", O_RDONLY) >= 0) count++;
    for (int fd = 3; fd < 8 + count; fd++) if (fd > 4) close(fd);
    FILE *report = answer();
    fprintf(report, "%s", count < 100000 ? "bounded" : "UNBOUNDED");
    fclose(report);
}

static void open_forever(void) {
    for (;;) close(open("/input/data", O_RDONLY));
}

// A file that is large without a byte in it, and one byte far out.
static void sparse(void) {
    int fd = open("/output/sparse", O_RDWR | O_CREAT, 0644);
    int long_file = ftruncate(fd, 1LL << 40), far_byte = pwrite(fd, "x", 1, 1LL << 33) != 1;
    close(fd);
    FILE *report = answer();
    fprintf(report, "%s %s", long_file ? "refused" : "DONE", far_byte ? "refused" : "DONE");
    fclose(report);
}

// Random bytes beyond the end of memory; the system must neither make them all nor write them anywhere.
static void noise(void) {
    (void)__wasi_random_get((uint8_t *)buffer, 0xf0000000u);
    fclose(answer());
}

static void compute(void) {
    FILE *out = answer();
    uint64_t x = 1;
    for (int i = 0; i < 1000000; i++) x = x * 6364136223846793005u + 1442695040888963407u;
    fprintf(out, "%llu", (unsigned long long)x);
    fclose(out);
}

int main(int argc, char **argv) {
    char mode[32] = {0};
    FILE *file = fopen("/input/mode", "rb");
    if (!file) return 8;
    fread(mode, 1, sizeof mode - 1, file);
    fclose(file);
    printf("mode %s of %d arguments\n", mode, argc);
    if (is(mode, "echo")) echo();
    else if (is(mode, "escape")) escape();
    else if (is(mode, "peek")) peek();
    else if (is(mode, "chance")) chance();
    else if (is(mode, "compute")) compute();
    else if (is(mode, "flood")) flood();
    else if (is(mode, "fill")) fill();
    else if (is(mode, "litter")) litter();
    else if (is(mode, "dig")) dig();
    else if (is(mode, "eat")) eat();
    else if (is(mode, "fall")) return fall(0);
    else if (is(mode, "trap")) __builtin_trap();
    else if (is(mode, "exit0")) { fclose(answer()); exit(0); }
    else if (is(mode, "exit3")) exit(3);
    else if (is(mode, "loop")) for (;;) depth++;
    else if (is(mode, "sleep")) sleep(100);
    else if (is(mode, "chatter")) { fclose(answer()); for (int i = 0; i < 100000; i++) puts("held-out value 17.99"); }
    else if (is(mode, "print-forever")) for (;;) puts("held-out value 17.99");
    else if (is(mode, "hoard")) hoard();
    else if (is(mode, "open-forever")) open_forever();
    else if (is(mode, "sparse")) sparse();
    else if (is(mode, "noise")) noise();
    else if (is(mode, "folder")) mkdir("/output/answer", 0755);
    else if (!is(mode, "nothing")) return 7;
    return 0;
}
