/* The standardised logistic regression that three baselines share. */
#ifndef FIEL_LOGISTIC_H
#define FIEL_LOGISTIC_H

#include <math.h>

#include "../logistic/weights.h"
#include "classifier.h"

static inline double logistic_logit(const double *features) {
    double sum = LOGISTIC_INTERCEPT;
    for (int i = 0; i < FEATURE_COUNT; i++)
        sum += LOGISTIC_WEIGHT[i] * ((features[i] - LOGISTIC_MEAN[i]) / LOGISTIC_SCALE[i]);
    return sum;
}

/* Kept apart from exact 0 and 1, so that a logit can always be taken back. */
static inline double probability_of(double logit) {
    const double margin = 1e-15;
    double probability = 1.0 / (1.0 + exp(-logit));
    if (probability < margin) return margin;
    if (probability > 1.0 - margin) return 1.0 - margin;
    return probability;
}

#endif
