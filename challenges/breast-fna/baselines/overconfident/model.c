/* The logistic regression made overconfident and alarmist: same order of cases, worse probabilities. */
#include "../common/logistic.h"

/* Strictly increasing; bends far values towards +-30 so that doubles near 1 still tell neighbours apart. */
static double exaggerate(double logit) {
    double steep = 3.0 * logit + 4.0;
    return 30.0 * steep / (30.0 + fabs(steep));
}

int main(void) {
    double features[FEATURE_COUNT];
    read_features(features);
    write_probability(1.0 / (1.0 + exp(-exaggerate(logistic_logit(features)))));
    return 0;
}
