/* How fast one core of this machine can count two masks of 512x512x300 voxels at all: the loop of `count_masks` by hand with
   vector instructions, with nothing, with fetching ahead at several distances, from several places at once, in small and in
   large pages; whole tiles merely loaded, 16 lines with one instruction; and an eighth of the masks, which stays in the host's
   last cache: as quick as that, the loop itself could be. Where the fastest of them takes longer than a target, no code meets
   that target on this core.

     gcc -O3 -march=native -o /tmp/memory metrics/peers/memory.c && taskset -c 1 /tmp/memory

   Needs AVX-512 and Linux; without AMX, the line of the tiles is left out. */
#define _GNU_SOURCE
#include <immintrin.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { VOXELS = 512 * 512 * 300, RUNS = 12, HUGE_PAGE = 2 << 20 };

static long voxels = VOXELS;

typedef unsigned char mask;

typedef struct {
    __m512i both, first, second;
} sums;

static double cpu_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec + now.tv_nsec * 1e-9;
}

static inline void count(sums *s, const mask *a, const mask *b) {
    __m512i x = _mm512_loadu_si512(a), y = _mm512_loadu_si512(b);
    s->both = _mm512_add_epi8(s->both, _mm512_and_si512(x, y));
    s->first = _mm512_add_epi8(s->first, x);
    s->second = _mm512_add_epi8(s->second, y);
}

static unsigned long total(const sums *s) {
    __m512i zero = _mm512_setzero_si512();
    return _mm512_reduce_add_epi64(_mm512_sad_epu8(s->both, zero)) +
           _mm512_reduce_add_epi64(_mm512_sad_epu8(s->first, zero)) * 3 +
           _mm512_reduce_add_epi64(_mm512_sad_epu8(s->second, zero)) * 5;
}

/* From begin to end, fetching `ahead` bytes ahead; 0 leaves it to the processor. */
static unsigned long straight(const mask *a, const mask *b, long ahead) {
    unsigned long sum = 0;
    for (long from = 0; from < voxels; from += 64 * 240) {
        long to = from + 64 * 240 < voxels ? from + 64 * 240 : voxels;
        sums s = {0};
        for (long i = from; i < to; i += 64) {
            if (ahead) {
                _mm_prefetch(a + i + ahead, _MM_HINT_T0);
                _mm_prefetch(b + i + ahead, _MM_HINT_T0);
            }
            count(&s, a + i, b + i);
        }
        sum += total(&s);
    }
    return sum;
}

/* From `places` places at once, each a part of its own. */
static unsigned long side_by_side(const mask *a, const mask *b, long places) {
    unsigned long sum = 0;
    long part = voxels / places;
    for (long from = 0; from < part; from += 64 * 60) {
        long to = from + 64 * 60 < part ? from + 64 * 60 : part;
        for (long place = 0; place < places; place += 4) {
            sums s = {0};
            for (long i = from; i < to; i += 64)
                for (long p = place; p < place + 4 && p < places; p++) count(&s, a + p * part + i, b + p * part + i);
            sum += total(&s);
        }
    }
    return sum;
}

/* Loads whole tiles and does nothing with them. */
__attribute__((target("amx-tile"))) static unsigned long tiles(const mask *a, const mask *b, long unused) {
    (void)unused;
    for (long i = 0; i < voxels; i += 2048) {
        _tile_loadd(0, a + i, 64);
        _tile_loadd(1, a + i + 1024, 64);
        _tile_loadd(2, b + i, 64);
        _tile_loadd(3, b + i + 1024, 64);
    }
    return 0;
}

/* Asks the kernel for the tiles' registers, and says whether they are there. */
__attribute__((target("amx-tile"))) static int has_tiles(void) {
    enum { ASK_FOR = 0x1023, TILES = 18 };
    struct {
        unsigned char palette, start, reserved[14];
        unsigned short bytes[16];
        unsigned char rows[16];
    } shape = {.palette = 1};
    if (syscall(SYS_arch_prctl, ASK_FOR, TILES)) return 0;
    for (int i = 0; i < 4; i++) shape.bytes[i] = 64, shape.rows[i] = 16;
    _tile_loadconfig(&shape);
    return 1;
}

static mask *filled(int large_pages) {
    char *memory = mmap(0, VOXELS + 2 * HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memory = (char *)(((unsigned long)memory + HUGE_PAGE - 1) & -(unsigned long)HUGE_PAGE);
    if (large_pages) madvise(memory, VOXELS, MADV_HUGEPAGE);
    for (long i = 0; i < VOXELS; i++) memory[i] = (i * 2654435761u >> 13) & 1;
    return (mask *)memory;
}

static void measure(const char *name, long setting, unsigned long (*work)(const mask *, const mask *, long), const mask *a,
                    const mask *b) {
    double best = 1e9;
    unsigned long sum = 0;
    for (int run = 0; run < RUNS; run++) {
        double start = cpu_seconds();
        sum = work(a, b, setting);
        double took = cpu_seconds() - start;
        if (took < best) best = took;
    }
    printf("%-20s %5ld  %.5f s  %4.1f GB/s  (sum %lu)\n", name, setting, best, 2.0 * voxels / best / 1e9, sum);
}

int main(void) {
    for (int large = 0; large < 2; large++) {
        mask *a = filled(large), *b = filled(large);
        printf("%s pages\n", large ? "large" : "small");
        for (long ahead = 0; ahead <= 8192; ahead = ahead ? 2 * ahead : 512) measure("fetched ahead", ahead, straight, a, b);
        for (long places = 2; places <= 8; places *= 2) measure("side by side", places, side_by_side, a, b);
        if (has_tiles()) measure("tiles", 0, tiles, a, b);
        voxels = VOXELS / 8;
        measure("an eighth of them", 0, straight, a, b);
        voxels = VOXELS;
    }
}
