/* One feature against one cut: two possible answers. */
#include "../common/classifier.h"
#include "weights.h"

int main(void) {
    double features[FEATURE_COUNT];
    read_features(features);
    write_probability(features[THRESHOLD_FEATURE] > THRESHOLD_CUT ? THRESHOLD_ABOVE : THRESHOLD_BELOW);
    return 0;
}
