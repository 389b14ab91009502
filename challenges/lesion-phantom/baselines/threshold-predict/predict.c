/* Every voxel above one density is a lesion: a component that is given values and gives back values. */
#include "../../../../sandbox/wit/model.h"

static const float CUT_HU = 88.0f;

static bool predict(const struct named_value *inputs, size_t count, struct answer *answer) {
    static struct named_value lesions;
    const struct named_value *ct = value_named(inputs, count, "ct");
    if (!ct || ct->kind != IMAGE) {
        answer->problem = text_of("there is no image `ct` among the inputs");
        return false;
    }
    uint8_t *voxels = malloc(ct->image.count);
    if (!voxels) {
        answer->problem = text_of("not enough memory for the mask");
        return false;
    }
    for (size_t at = 0; at < ct->image.count; at++) voxels[at] = ct->image.voxels[at] > CUT_HU;
    lesions = (struct named_value){.name = text_of("lesions"), .kind = MASK, .mask = {ct->image.grid, voxels, ct->image.count}};
    answer->outputs = &lesions;
    answer->count = 1;
    return true;
}
