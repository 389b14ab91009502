/* Reading the image port and writing the mask port: uncompressed little-endian NIfTI-1. */
#ifndef FIEL_VOLUME_H
#define FIEL_VOLUME_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Folders of the contract; a native test build names others. */
#ifndef FIEL_INPUT
#define FIEL_INPUT "/input"
#endif
#ifndef FIEL_OUTPUT
#define FIEL_OUTPUT "/output"
#endif

#define IMAGE_PATH FIEL_INPUT "/ct.nii"
#define MASK_PATH FIEL_OUTPUT "/lesions.nii"

enum { HEADER_BYTES = 348, EXTENSION_BYTES = 4, TYPE_U8 = 2, TYPE_I16 = 4, TYPE_F32 = 16, VOXELS_MAX = 1 << 26 };

struct volume {
    unsigned char header[HEADER_BYTES];
    int nx, ny, nz;
    long voxels;
    float spacing_mm[3];
    float *values; /* Hounsfield units, x fastest */
};

/* Says what is wrong (the log stays at the site) and ends the run. */
static void give_up(const char *what) {
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static int16_t i16_at(const unsigned char *bytes) {
    int16_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static float f32_at(const unsigned char *bytes) {
    float value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static void *allocate(size_t bytes) {
    void *memory = malloc(bytes);
    if (!memory) give_up("not enough memory for the volume");
    return memory;
}

static void read_shape(struct volume *volume) {
    const unsigned char *header = volume->header;
    if (i16_at(header + 40) < 3) give_up(IMAGE_PATH " is not a 3-D volume");
    volume->nx = i16_at(header + 42);
    volume->ny = i16_at(header + 44);
    volume->nz = i16_at(header + 46);
    if (volume->nx < 1 || volume->ny < 1 || volume->nz < 1) give_up(IMAGE_PATH " has an empty axis");
    int64_t voxels = (int64_t)volume->nx * volume->ny * volume->nz;
    if (voxels > VOXELS_MAX) give_up(IMAGE_PATH " has too many voxels");
    volume->voxels = (long)voxels;
    for (int axis = 0; axis < 3; axis++) volume->spacing_mm[axis] = f32_at(header + 80 + 4 * axis);
}

static void read_values(struct volume *volume, FILE *file) {
    int type = i16_at(volume->header + 70);
    if (type != TYPE_I16 && type != TYPE_F32) give_up(IMAGE_PATH " is neither 16-bit integer nor 32-bit float");
    size_t width = type == TYPE_I16 ? 2 : 4;
    float slope = f32_at(volume->header + 112), offset = f32_at(volume->header + 116);
    /* A slope of 0 says that values are stored as they are. */
    if (slope == 0.0f) slope = 1.0f, offset = 0.0f;
    unsigned char *raw = allocate(width * volume->voxels);
    volume->values = allocate(sizeof(float) * volume->voxels);
    if (fread(raw, width, volume->voxels, file) != (size_t)volume->voxels) give_up(IMAGE_PATH " ends too early");
    for (long at = 0; at < volume->voxels; at++) {
        float stored = type == TYPE_I16 ? (float)i16_at(raw + 2 * at) : f32_at(raw + 4 * at);
        volume->values[at] = slope * stored + offset;
    }
    free(raw);
}

static inline void read_image(struct volume *volume) {
    FILE *file = fopen(IMAGE_PATH, "rb");
    if (!file) give_up("cannot open " IMAGE_PATH);
    if (fread(volume->header, 1, HEADER_BYTES, file) != HEADER_BYTES || memcmp(volume->header + 344, "n+1", 4) != 0)
        give_up(IMAGE_PATH " is not a NIfTI-1 file");
    read_shape(volume);
    if (fseek(file, (long)f32_at(volume->header + 108), SEEK_SET) != 0) give_up(IMAGE_PATH " has a wrong vox_offset");
    read_values(volume, file);
    fclose(file);
}

/* The image's header with another type, so that the grid stays the same to the last bit. */
static void write_mask(const struct volume *volume, const unsigned char *mask) {
    unsigned char header[HEADER_BYTES + EXTENSION_BYTES] = {0};
    const int16_t type = TYPE_U8, bits = 8;
    const float offset = HEADER_BYTES + EXTENSION_BYTES, slope = 1.0f, zero = 0.0f;
    memcpy(header, volume->header, HEADER_BYTES);
    memcpy(header + 70, &type, 2);
    memcpy(header + 72, &bits, 2);
    memcpy(header + 108, &offset, 4);
    memcpy(header + 112, &slope, 4);
    memcpy(header + 116, &zero, 4);
    FILE *file = fopen(MASK_PATH, "wb");
    if (!file) give_up("cannot write " MASK_PATH);
    fwrite(header, 1, sizeof header, file);
    fwrite(mask, 1, volume->voxels, file);
    if (ferror(file) || fclose(file) != 0) give_up("cannot finish " MASK_PATH);
}

#endif
