/* Every voxel above one density is a lesion. */
#include "../common/volume.h"

static const float CUT_HU = 88.0f;

int main(void) {
    static struct volume image;
    read_image(&image);
    unsigned char *mask = allocate(image.voxels);
    for (long at = 0; at < image.voxels; at++) mask[at] = image.values[at] > CUT_HU;
    write_mask(&image, mask);
    return 0;
}
