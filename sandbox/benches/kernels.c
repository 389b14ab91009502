// Two kernels of medical imaging on a volume of 128 voxels along each axis, single precision. The same source is built
// for this machine and as a WebAssembly module.
//
// Reads "<kernel> <times>" from <root>/input/plan, applies the kernel so many times to its own result, and writes a
// checksum of the last volume to <root>/output/answer.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 128, PLANE = N * N, VOXELS = N * N * N, RADIUS = 8 };

static float from[VOXELS], to[VOXELS];

// A dense kernel of 3 x 3 x 3, the border staying as it is: the inner work of a convolutional network.
static void convolve(const float *restrict in, float *restrict out) {
    float w[27];
    for (int i = 0; i < 27; i++) w[i] = (float)(i % 5 + 1) / 79.0f;
    memcpy(out, in, sizeof to);
    for (int z = 1; z < N - 1; z++)
        for (int y = 1; y < N - 1; y++) {
            const float *row = in + z * PLANE + y * N;
            float *result = out + z * PLANE + y * N;
            for (int x = 1; x < N - 1; x++) {
                float sum = 0;
                for (int k = 0; k < 27; k++)
                    sum += w[k] * row[(k / 9 - 1) * PLANE + (k / 3 % 3 - 1) * N + k % 3 - 1 + x];
                result[x] = sum;
            }
        }
}

// One axis of a Gaussian filter of standard deviation 2 (17 taps), the border repeated.
static void smooth(const float *restrict in, float *restrict out, int stride) {
    // exp(-i * i / 8): libraries differ in the last bit, and every build must give the same sum.
    static const float half[RADIUS + 1] = {1.0f, 0.8824969f, 0.60653067f, 0.32465246f, 0.13533528f, 0.043936934f,
                                           0.011108997f, 0.002187491f, 0.00033546263f};
    float w[2 * RADIUS + 1], sum = 0;
    for (int i = -RADIUS; i <= RADIUS; i++) sum += w[i + RADIUS] = half[i < 0 ? -i : i];
    for (int i = 0; i <= 2 * RADIUS; i++) w[i] /= sum;
    if (stride == 1) {
        for (int row = 0; row < PLANE; row++) {
            float line[N + 2 * RADIUS];
            const float *own = in + row * N;
            for (int x = 0; x < RADIUS; x++) line[x] = own[0], line[N + RADIUS + x] = own[N - 1];
            memcpy(line + RADIUS, own, N * sizeof *own);
            for (int x = 0; x < N; x++) {
                float value = 0;
                for (int i = 0; i <= 2 * RADIUS; i++) value += w[i] * line[x + i];
                out[row * N + x] = value;
            }
        }
        return;
    }
    for (int z = 0; z < N; z++)
        for (int y = 0; y < N; y++) {
            int at = stride == N ? y : z;
            float *result = out + z * PLANE + y * N;
            memset(result, 0, N * sizeof *result);
            for (int i = -RADIUS; i <= RADIUS; i++) {
                int other = at + i < 0 ? 0 : at + i >= N ? N - 1 : at + i;
                const float *row = in + z * PLANE + y * N + (other - at) * stride;
                for (int x = 0; x < N; x++) result[x] += w[i + RADIUS] * row[x];
            }
        }
}

static void gauss(void) {
    smooth(from, to, 1);
    smooth(to, from, N);
    smooth(from, to, PLANE);
}

int main(int count, char **words) {
    const char *root = count > 1 ? words[1] : "";
    char path[512], kernel[16];
    int times;
    snprintf(path, sizeof path, "%s/input/plan", root);
    FILE *plan = fopen(path, "r");
    if (!plan || fscanf(plan, "%15s %d", kernel, &times) != 2) return 1;
    for (int i = 0; i < VOXELS; i++) from[i] = (float)(i * 37 % 1001) / 1000.0f;
    for (int i = 0; i < times; i++) {
        if (strcmp(kernel, "gauss")) convolve(from, to);
        else gauss();
        memcpy(from, to, sizeof to);
    }
    double sum = 0;
    for (int i = 0; i < VOXELS; i++) sum += (double)from[i] * (i % 7 + 1);
    snprintf(path, sizeof path, "%s/output/answer", root);
    FILE *answer = fopen(path, "w");
    return !answer || fprintf(answer, "%.17g", sum) < 0 || fclose(answer);
}
