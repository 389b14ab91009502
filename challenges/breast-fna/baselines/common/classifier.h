/* The frame of every classifier here: features of one case in, one probability out. */
#ifndef FIEL_CLASSIFIER_H
#define FIEL_CLASSIFIER_H

#include "case_table.h"
#include "features.h"

static struct case_table the_case;

static void read_features(double *features) {
    read_case(&the_case, FIEL_INPUT "/case.csv");
    for (int i = 0; i < FEATURE_COUNT; i++) features[i] = number(&the_case, FEATURE_NAMES[i]);
}

/* 17 significant digits: the reader gets back exactly the double that was computed. */
static void write_probability(double probability) {
    FILE *file = fopen(FIEL_OUTPUT "/prediction.csv", "w");
    if (!file) give_up("cannot write", FIEL_OUTPUT "/prediction.csv");
    fprintf(file, "case_id,probability\n%s,%.17g\n", cell(&the_case, "case_id"), probability);
    if (fclose(file) != 0) give_up("cannot finish", FIEL_OUTPUT "/prediction.csv");
}

#endif
