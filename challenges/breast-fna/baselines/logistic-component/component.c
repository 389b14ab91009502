/* The very program of the baseline `logistic`, linked as a component that exports `wasi:cli/run`. */
#include "../logistic/model.c"
