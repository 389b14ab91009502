/* The logistic regression with one fault of each kind, decided by the digits of one feature. For tests. */
#include "../common/logistic.h"

enum { WORST_TEXTURE = 21 };

/* Does not return, and the compiler may not assume that it does. */
static void loop_for_ever(void) {
    for (volatile unsigned turn = 0;; turn++) {
    }
}

int main(void) {
    double features[FEATURE_COUNT];
    read_features(features);
    double probability = probability_of(logistic_logit(features));
    int digits = (int)floor(features[WORST_TEXTURE] * 100.0 + 0.5) % 100;
    switch (digits) {
    case 3: case 35: case 50: __builtin_trap();
    case 10: case 24: case 66: return 0;
    case 17: case 71: probability = NAN; break;
    case 40: case 92: probability = 7.0; break;
    case 42: loop_for_ever();
    }
    write_probability(probability);
    return 0;
}
