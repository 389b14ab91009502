// A command component that runs the network in /input/data through wasi:nn, as /input/mode says, and writes what came of it.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NN(interface, name) \
    __attribute__((import_module("wasi:nn/" interface "@0.2.0-rc-2024-10-28"), import_name(name)))

struct bytes {
    const void *at;
    size_t length;
};

struct result {
    uint8_t failed;
    union {
        int32_t handle;
        struct bytes list;
    };
};

struct named {
    struct bytes name;
    int32_t tensor;
};

NN("graph", "load")
void nn_load(const struct bytes *builders, size_t count, int32_t encoding, int32_t target, struct result *result);
NN("graph", "load-by-name") void nn_load_by_name(const char *name, size_t length, struct result *result);
NN("graph", "[method]graph.init-execution-context") void nn_context(int32_t graph, struct result *result);
NN("tensor", "[constructor]tensor")
int32_t nn_tensor(const uint32_t *shape, size_t rank, int32_t type, const void *data, size_t length);
NN("tensor", "[method]tensor.dimensions") void nn_dimensions(int32_t tensor, struct bytes *shape);
NN("tensor", "[method]tensor.ty") int32_t nn_type(int32_t tensor);
NN("tensor", "[method]tensor.data") void nn_data(int32_t tensor, struct bytes *data);
NN("tensor", "[resource-drop]tensor") void nn_drop_tensor(int32_t tensor);
NN("inference", "[method]graph-execution-context.compute")
void nn_compute(int32_t context, const struct named *inputs, size_t count, struct result *result);
NN("errors", "[method]error.code") int32_t nn_code(int32_t error);
NN("errors", "[method]error.data") void nn_words(int32_t error, struct bytes *words);

enum { FP16, FP32, FP64, BF16, U8, I32, I64 };

// A call of its own keeps the linker from putting constructors and destructors around `cabi_realloc`, which is called
// where a component may not call out.
void __wasm_call_ctors(void);

__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size) {
    (void)old_size;
    if (size == 0) return (void *)align;
    void *room = realloc(old, size);
    if (!room) __builtin_trap();
    return room;
}

static FILE *answer;
static char mode[64];

static int is(const char *name) {
    return strcmp(mode, name) == 0;
}

// Writes down why there is nothing, and ends well.
static struct result must(struct result result) {
    if (!result.failed) return result;
    struct bytes words;
    nn_words(result.handle, &words);
    fprintf(answer, "%d: %.*s\n", nn_code(result.handle), (int)words.length, (const char *)words.at);
    fclose(answer);
    exit(0);
}

static struct result load(struct bytes model) {
    struct bytes builders[2] = {model, model};
    struct result result;
    nn_load(builders, is("two-models") ? 2 : 1, is("openvino") ? 0 : is("ggml") ? 5 : is("any") ? 6 : 1, is("gpu"), &result);
    return result;
}

static int32_t tensor(void) {
    static const float numbers[64] = {1.5f, -3.25f};
    static const uint32_t shape[9] = {1, 2, 1, 1, 1, 1, 1, 1, 1}, empty[2] = {0, 2}, vast[2] = {1u << 31, 1u << 30};
    if (is("short")) return nn_tensor(shape, 2, FP32, numbers, 7);
    if (is("rank")) return nn_tensor(shape, 9, FP32, numbers, 8);
    if (is("empty")) return nn_tensor(empty, 2, FP32, numbers, 0);
    if (is("vast")) return nn_tensor(vast, 2, I64, numbers, 0);
    if (is("half")) return nn_tensor(shape, 2, FP16, numbers, 4);
    if (is("type")) return nn_tensor(shape, 2, I32, numbers, 8);
    if (is("shape")) return nn_tensor(shape, 1, FP32, numbers, 4);
    return nn_tensor(shape, 2, FP32, numbers, 8);
}

static void tell(struct named output) {
    struct bytes shape, data;
    nn_dimensions(output.tensor, &shape);
    nn_data(output.tensor, &data);
    fprintf(answer, "%.*s %d", (int)output.name.length, (const char *)output.name.at, nn_type(output.tensor));
    for (size_t i = 0; i < shape.length; i++) fprintf(answer, " %u", ((const uint32_t *)shape.at)[i]);
    fprintf(answer, ":");
    for (size_t i = 0; i < data.length / 4; i++) fprintf(answer, " %g", ((const float *)data.at)[i]);
    fprintf(answer, "\n");
}

// The same bytes kept over and over, or little ones without end.
static void eat(size_t size) {
    static uint8_t bytes[8 << 20];
    uint32_t shape = size;
    for (;;) nn_tensor(&shape, 1, U8, bytes, size);
}

// Far more than the case's memory, a piece at a time, each dropped.
static void churn(void) {
    static uint8_t bytes[8 << 20];
    uint32_t shape = sizeof bytes;
    for (int i = 0; i < 40; i++) nn_drop_tensor(nn_tensor(&shape, 1, U8, bytes, sizeof bytes));
}

int main(void) {
    __wasm_call_ctors();
    FILE *file = fopen("/input/mode", "rb");
    mode[fread(mode, 1, sizeof mode - 1, file)] = 0;
    static uint8_t model[1 << 16];
    struct bytes bytes = {model, fread(model, 1, sizeof model, fopen("/input/data", "rb"))};
    answer = fopen("/output/answer", "wb");
    struct result result;
    if (is("large-tensors")) eat(8 << 20);
    if (is("many-tensors")) eat(1);
    if (is("churn")) churn();
    if (is("by-name")) nn_load_by_name("unet", 4, &result), must(result);
    if (is("graphs")) for (;;) must(load(bytes));
    if (is("wild-list")) bytes.at = (const void *)0xfffffff0u;
    if (is("wild-length")) bytes.length = 0xffffffffu;
    int32_t graph = must(load(bytes)).handle;
    nn_context(is("wild-handle") ? 77 : graph, &result);
    int32_t context = must(result).handle;
    struct named inputs[2] = {{{is("name") ? "z" : "x", 1}, tensor()}, {{"x", 1}, tensor()}};
    // A tensor can be given away only once.
    if (is("given-away")) inputs[1].tensor = inputs[0].tensor;
    size_t count = is("none") ? 0 : is("twice") || is("given-away") ? 2 : 1;
    for (int rounds = 0; rounds < 2; rounds++) {
        nn_compute(context, inputs, count, &result);
        must(result);
        for (size_t i = 0; i < result.list.length; i++) tell(((const struct named *)result.list.at)[i]);
        // The tensor was given away.
        inputs[0].tensor = tensor();
    }
    return fclose(answer);
}
