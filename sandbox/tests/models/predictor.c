// A predictor that misbehaves on request: the first column of the input `ask` says how.
#include "../../wit/model.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

static const struct named_value *ct;

static struct named_value score_of(double number) {
    static struct cell cell;
    cell = (struct cell){text_of("mean"), number};
    return (struct named_value){.name = text_of("score"), .kind = ROW, .row = {&cell, 1}};
}

// 1 in every voxel above 50.
static struct named_value lesions(void) {
    uint8_t *voxels = malloc(ct->image.count + 1);
    for (size_t i = 0; i < ct->image.count; i++) voxels[i] = ct->image.voxels[i] > 50;
    return (struct named_value){.name = text_of("lesions"), .kind = MASK, .mask = {ct->image.grid, voxels, ct->image.count}};
}

static double mean(void) {
    double sum = 0;
    for (size_t i = 0; i < ct->image.count; i++) sum += ct->image.voxels[i];
    return sum / (double)ct->image.count;
}

static bool problem(struct answer *answer, const char *text) {
    answer->problem = text_of(text);
    return false;
}

static int falls(volatile int *depth) {
    volatile char frame[256];
    frame[0] = (char)++*depth;
    return falls(depth) + frame[0];
}

// The beginning of this instance's memory, as many times as there is room for in a list.
static struct named_value *alias_everything(size_t times) {
    struct named_value *list = calloc(times, sizeof *list);
    for (size_t i = 0; i < times; i++) {
        list[i] = lesions();
        list[i].mask.voxels = (const uint8_t *)16;
        list[i].mask.count = 1 << 16;
    }
    return list;
}

static void eat(void) {
    // Volatile, or the compiler sees that nobody reads it and asks for nothing.
    static char *volatile more;
    for (;;) {
        more = malloc(1 << 20);
        if (more) memset(more, 1, 1 << 20);
    }
}

static bool misbehave(struct text mode, struct named_value *out, struct answer *answer) {
    volatile int depth = 0;
    if (text_is(mode, "no-list")) answer->count = 0;
    else if (text_is(mode, "only-score")) answer->count = 1;
    else if (text_is(mode, "unknown-name")) out[1].name = text_of("patient Jane Doe");
    else if (text_is(mode, "twice")) out[1] = out[0];
    else if (text_is(mode, "wrong-kind")) out[1] = (struct named_value){.name = text_of("lesions"), .kind = SCALAR};
    else if (text_is(mode, "no-kind")) out[1].kind = 200;
    else if (text_is(mode, "nan")) *out = score_of(NAN);
    else if (text_is(mode, "infinite")) *out = score_of(INFINITY);
    else if (text_is(mode, "short")) out[1].mask.count--;
    else if (text_is(mode, "moved")) out[1].mask.grid.origin_mm[2] += 1;
    else if (text_is(mode, "flat")) out[1].mask.grid.shape[0] *= out[1].mask.grid.shape[2], out[1].mask.grid.shape[2] = 1;
    else if (text_is(mode, "vast-shape")) memset(out[1].mask.grid.shape, 0xff, sizeof out[1].mask.grid.shape);
    else if (text_is(mode, "billion-voxels")) out[1].mask.count = 1000000000;
    else if (text_is(mode, "billion-values")) answer->count = 1000000000;
    else if (text_is(mode, "wild-pointer")) out[1].mask.voxels = (const uint8_t *)0xfffffff0u;
    else if (text_is(mode, "odd-pointer")) answer->outputs = (const struct named_value *)((uintptr_t)out + 1);
    else if (text_is(mode, "not-text")) out[1].name = (struct text){"\xff\xfe\xfd", 3};
    else if (text_is(mode, "alias")) answer->outputs = alias_everything(256), answer->count = 256;
    else if (text_is(mode, "problem")) return problem(answer, "the scan of Jane Doe is too dark");
    else if (text_is(mode, "problem-without-end")) {
        answer->problem = (struct text){(const char *)16, 1 << 30};
        return false;
    } else if (text_is(mode, "trap")) __builtin_trap();
    else if (text_is(mode, "loop")) for (;;) depth++;
    else if (text_is(mode, "fall")) return falls(&depth) == 0;
    else if (text_is(mode, "exit0")) exit(0);
    else if (text_is(mode, "exit3")) exit(3);
    else if (text_is(mode, "eat")) eat();
    else if (text_is(mode, "print-forever")) for (;;) puts("held-out value 17.99");
    else return problem(answer, "no such mode");
    return true;
}

static bool predict(const struct named_value *inputs, size_t count, struct answer *answer) {
    static struct named_value out[2];
    const struct named_value *ask = value_named(inputs, count, "ask");
    ct = value_named(inputs, count, "ct");
    if (!ask || ask->kind != ROW || ask->row.count < 1 || !ct || ct->kind != IMAGE) return problem(answer, "no inputs");
    struct text mode = ask->row.cells[0].column;
    printf("mode %.*s of %zu inputs\n", (int)mode.length, mode.at, count);
    fflush(stdout);
    out[0] = score_of(mean());
    out[1] = lesions();
    *answer = (struct answer){.outputs = out, .count = 2};
    if (text_is(mode, "answer")) return true;
    if (text_is(mode, "folders")) {
        // Whether any folder can be reached.
        FILE *in = fopen("/input/inputs.json", "rb"), *made = fopen("/output/made", "wb");
        out[0] = score_of((in ? 1 : 0) + (made ? 2 : 0));
        return true;
    }
    return misbehave(mode, out, answer);
}
