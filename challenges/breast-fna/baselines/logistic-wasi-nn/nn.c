/* The network of logistic.onnx.tar, run by the engine of the site through wasi-nn. */
#include <math.h>

#include "../common/classifier.h"
#include "../common/wasi_nn.h"
#include "../logistic/weights.h"
#include "graph.h"

static void must(uint32_t error, const char *what) {
    if (error) give_up("wasi-nn refused", what);
}

/* What the network makes of one row: `x` and the result are in single precision, as it wants and gives them. */
static float logit_of(const float *x) {
    static const uint32_t shape[2] = {1, FEATURE_COUNT};
    const struct nn_bytes model = {GRAPH, sizeof GRAPH};
    const struct nn_tensor input = {shape, 2, NN_TYPE_F32, (const uint8_t *)x, FEATURE_COUNT * sizeof *x};
    uint32_t graph, context, written;
    float logit;
    must(nn_load(&model, 1, NN_ENCODING_ONNX, NN_TARGET_CPU, &graph), "the graph");
    must(nn_init_execution_context(graph, &context), "a context");
    must(nn_set_input(context, 0, &input), "the features");
    must(nn_compute(context), "the run");
    must(nn_get_output(context, 0, (uint8_t *)&logit, sizeof logit, &written), "the logit");
    if (written != sizeof logit) give_up("not one number in", "the logit");
    return logit;
}

int main(void) {
    double features[FEATURE_COUNT];
    float x[FEATURE_COUNT];
    read_features(features);
    for (int i = 0; i < FEATURE_COUNT; i++) x[i] = (float)((features[i] - LOGISTIC_MEAN[i]) / LOGISTIC_SCALE[i]);
    write_probability(1.0f / (1.0f + expf(-logit_of(x))));
    return 0;
}
