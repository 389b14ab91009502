// A predictor whose own glue lies; LIE says where: 1 and 2 realloc, 3 and 4 the result's place, 5 and 6 what runs
// after the answer was read, 7 what runs before everything.
#include <stddef.h>
#include <stdint.h>

#ifndef LIE
#define LIE 0
#endif

static char room[1 << 19];
static size_t used;
static volatile int turns;

__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size) {
    (void)old, (void)old_size, (void)align;
    if (LIE == 1) return (void *)0xffffff00u;
    if (LIE == 2) return (void *)1;
    used = (used + 15) / 16 * 16 + size;
    return room + used - size;
}

struct result {
    uint8_t failed;
    const void *at;
    size_t length;
};

__attribute__((export_name("fiel:model/inference@1.0.0#predict"))) const struct result *predict(void *at, size_t count) {
    static struct result result;
    (void)at, (void)count;
    if (LIE == 3) return (const struct result *)0xfffffff8u;
    if (LIE == 4) return (const struct result *)((uintptr_t)&result + 1);
    return &result;
}

__attribute__((export_name("cabi_post_fiel:model/inference@1.0.0#predict"))) void after(const struct result *result) {
    (void)result;
    if (LIE == 5) __builtin_trap();
    if (LIE == 6) for (;;) turns++;
}

__attribute__((constructor)) static void before(void) {
    if (LIE == 7) for (;;) turns++;
}
