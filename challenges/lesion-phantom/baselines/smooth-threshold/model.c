/* Gaussian smoothing in millimetres, a threshold, and no component that is too small to be a lesion. */
#include <math.h>

#include "../common/volume.h"

enum { REACH_MAX = 8 };

static const float CUT_HU = 80.0f;
static const float SIGMA_MM = 0.9f;
static const float VOLUME_MIN_MM3 = 40.0f;
/* Air would pull the rim of the body down for nothing; smoothing sees it as water. */
static const float FLOOR_HU = 0.0f;

/* Smooths along one axis, leaving out what lies beyond the volume. */
static void smooth_axis(const struct volume *image, const float *from, float *to, int axis) {
    const int length = axis == 0 ? image->nx : axis == 1 ? image->ny : image->nz;
    const long stride = axis == 0 ? 1 : axis == 1 ? image->nx : (long)image->nx * image->ny;
    const float sigma = SIGMA_MM / image->spacing_mm[axis];
    int reach = (int)ceilf(3.0f * sigma);
    if (reach > REACH_MAX) reach = REACH_MAX;
    float weight[REACH_MAX + 1];
    for (int step = 0; step <= reach; step++) weight[step] = expf(-0.5f * step * step / (sigma * sigma));
    for (long at = 0; at < image->voxels; at++) {
        const int place = (int)(at / stride % length);
        float sum = 0.0f, total = 0.0f;
        for (int step = -reach; step <= reach; step++) {
            if (place + step < 0 || place + step >= length) continue;
            float share = weight[step < 0 ? -step : step];
            sum += share * from[at + step * stride];
            total += share;
        }
        to[at] = sum / total;
    }
}

static float *smooth(const struct volume *image) {
    float *one = allocate(sizeof(float) * image->voxels), *other = allocate(sizeof(float) * image->voxels);
    for (long at = 0; at < image->voxels; at++) one[at] = fmaxf(image->values[at], FLOOR_HU);
    smooth_axis(image, one, other, 0);
    smooth_axis(image, other, one, 1);
    smooth_axis(image, one, other, 2);
    free(one);
    return other;
}

/* Adds the six neighbours of a voxel that are marked 1 to the list, marking them 2. */
static long spread(const struct volume *image, unsigned char *mask, long at, long *list, long count) {
    const long step[3] = {1, image->nx, (long)image->nx * image->ny};
    const int length[3] = {image->nx, image->ny, image->nz};
    for (int axis = 0; axis < 3; axis++) {
        int place = (int)(at / step[axis] % length[axis]);
        if (place > 0 && mask[at - step[axis]] == 1) mask[list[count++] = at - step[axis]] = 2;
        if (place + 1 < length[axis] && mask[at + step[axis]] == 1) mask[list[count++] = at + step[axis]] = 2;
    }
    return count;
}

/* Clears every component below the smallest volume; what stays is 1. */
static void drop_small(const struct volume *image, unsigned char *mask) {
    const float voxel_mm3 = image->spacing_mm[0] * image->spacing_mm[1] * image->spacing_mm[2];
    long *list = allocate(sizeof(long) * image->voxels);
    for (long start = 0; start < image->voxels; start++) {
        if (mask[start] != 1) continue;
        long count = 0;
        mask[list[count++] = start] = 2;
        for (long done = 0; done < count; done++) count = spread(image, mask, list[done], list, count);
        /* 3: looked at and too small, so that it is not found again. */
        if ((float)count * voxel_mm3 < VOLUME_MIN_MM3)
            for (long member = 0; member < count; member++) mask[list[member]] = 3;
    }
    for (long at = 0; at < image->voxels; at++) mask[at] = mask[at] == 2;
    free(list);
}

int main(void) {
    static struct volume image;
    read_image(&image);
    float *smoothed = smooth(&image);
    unsigned char *mask = allocate(image.voxels);
    for (long at = 0; at < image.voxels; at++) mask[at] = smoothed[at] > CUT_HU;
    drop_small(&image, mask);
    write_mask(&image, mask);
    return 0;
}
