/* Logistic regression on standardised features. */
#include "../common/logistic.h"

int main(void) {
    double features[FEATURE_COUNT];
    read_features(features);
    write_probability(probability_of(logistic_logit(features)));
    return 0;
}
