/* Gradient-boosted regression trees of equal depth, stored as tables. */
#include <math.h>

#include "../common/classifier.h"
#include "weights.h"

/* Walks one complete binary tree; like the training code it compares in single precision. */
static double leaf_of(int tree, const double *features) {
    int node = 0;
    while (node < BOOSTED_SPLITS) {
        float value = (float)features[BOOSTED_FEATURE[tree][node]];
        node = 2 * node + (value <= BOOSTED_CUT[tree][node] ? 1 : 2);
    }
    return BOOSTED_LEAF[tree][node - BOOSTED_SPLITS];
}

int main(void) {
    double features[FEATURE_COUNT];
    read_features(features);
    double logit = BOOSTED_START;
    for (int tree = 0; tree < BOOSTED_TREES; tree++) logit += leaf_of(tree, features);
    write_probability(1.0 / (1.0 + exp(-logit)));
    return 0;
}
