/* wasi-nn as a module calls it: module `wasi_ephemeral_nn` of WASI preview 1. Every function gives 0 or an error code. */
#ifndef FIEL_WASI_NN_H
#define FIEL_WASI_NN_H

#include <stdint.h>

#define NN_IMPORT(name) __attribute__((import_module("wasi_ephemeral_nn"), import_name(name)))

enum { NN_ENCODING_ONNX = 1, NN_TARGET_CPU = 0, NN_TYPE_F32 = 1 };

struct nn_bytes {
    const uint8_t *data;
    uint32_t size;
};

struct nn_tensor {
    const uint32_t *dimensions;
    uint32_t rank;
    uint8_t type;
    const uint8_t *data;
    uint32_t size;
};

NN_IMPORT("load")
uint32_t nn_load(const struct nn_bytes *model, uint32_t count, uint32_t encoding, uint32_t target, uint32_t *graph);
NN_IMPORT("init_execution_context") uint32_t nn_init_execution_context(uint32_t graph, uint32_t *context);
NN_IMPORT("set_input") uint32_t nn_set_input(uint32_t context, uint32_t index, const struct nn_tensor *tensor);
NN_IMPORT("compute") uint32_t nn_compute(uint32_t context);
NN_IMPORT("get_output")
uint32_t nn_get_output(uint32_t context, uint32_t index, uint8_t *buffer, uint32_t size, uint32_t *written);

#endif
