/* Finds no lesion in any phantom. */
#include "../common/volume.h"

int main(void) {
    static struct volume image;
    read_image(&image);
    unsigned char *mask = allocate(image.voxels);
    memset(mask, 0, image.voxels);
    write_mask(&image, mask);
    return 0;
}
