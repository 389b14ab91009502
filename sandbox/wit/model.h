/* The world `predictor` of model.wit for C on wasm32: types as they lie in memory, and the glue around `predict`.
 *
 *   #include "model.h"
 *   static bool predict(const struct named_value *inputs, size_t count, struct answer *answer) { ... }
 *
 *   clang --target=wasm32-wasi -mexec-model=reactor -O2 model.c -o model.wasm \
 *     -fuse-ld="$(rustc --print target-libdir)/../bin/wasm-component-ld" \
 *     -Wl,--wasm-ld-path,/usr/bin/wasm-ld,--component-type,model.wit
 *
 * Everything `predict` is given or gives back may stay allocated: an instance runs one case. */
#ifndef FIEL_MODEL_H
#define FIEL_MODEL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* UTF-8, without a terminating zero. */
struct text {
    const char *at;
    size_t length;
};

struct grid {
    uint32_t shape[3];
    double spacing_mm[3], origin_mm[3], direction[9];
};

struct image {
    struct grid grid;
    const float *voxels;
    size_t count;
};

struct mask {
    struct grid grid;
    const uint8_t *voxels;
    size_t count;
};

struct cell {
    struct text column;
    double number;
};

struct row {
    const struct cell *cells;
    size_t count;
};

enum value_kind { ROW, SCALAR, IMAGE, MASK };

struct named_value {
    struct text name;
    uint8_t kind; /* of enum value_kind */
    union {
        struct row row;
        double scalar;
        struct image image;
        struct mask mask;
    };
};

/* What `predict` gives back: outputs, or what went wrong. */
struct answer {
    const struct named_value *outputs;
    size_t count;
    struct text problem;
};

/* Written by the model: true with outputs, false with a problem. */
static bool predict(const struct named_value *inputs, size_t count, struct answer *answer);

static inline struct text text_of(const char *string) {
    return (struct text){string, strlen(string)};
}

static inline bool text_is(struct text text, const char *string) {
    return text.length == strlen(string) && memcmp(text.at, string, text.length) == 0;
}

/* The input of this name, or NULL. */
static inline const struct named_value *value_named(const struct named_value *values, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++)
        if (text_is(values[i].name, name)) return &values[i];
    return NULL;
}

/* Called by the caller's side for room in this memory. */
__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size) {
    (void)old_size;
    /* malloc aligns to 16 bytes, more than any type here asks for */
    if (size == 0) return (void *)align;
    void *room = realloc(old, size);
    if (!room) __builtin_trap();
    return room;
}

/* result<list<named-value>, string> as it lies in memory. */
struct result {
    uint8_t failed;
    const void *at;
    size_t length;
};

__attribute__((export_name("fiel:model/inference@1.0.0#predict"))) const struct result *
fiel_predict(const struct named_value *inputs, size_t count) {
    static struct result result;
    struct answer answer = {0};
    result.failed = !predict(inputs, count, &answer);
    result.at = result.failed ? (const void *)answer.problem.at : (const void *)answer.outputs;
    result.length = result.failed ? answer.problem.length : answer.count;
    return &result;
}

_Static_assert(sizeof(struct named_value) == 160 && sizeof(struct cell) == 16, "as model.wit is laid out in memory");

#endif
