/* What the library says of itself and of its process, and a look at decisions. */
#include <math.h>
#include <stdint.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#define EXPORT __attribute__((visibility("default")))
#define STRIP 16

EXPORT int32_t compiled_abi(void) {
    return 8;
}

/* Keeps up to `bytes` of freed memory instead of giving it back: each fresh page has to be asked for and cleared. */
EXPORT void keep_memory(int32_t bytes) {
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, 32 << 20); /* as large as it takes */
    mallopt(M_TRIM_THRESHOLD, bytes);
#else
    (void)bytes;
#endif
}

typedef double Pair __attribute__((vector_size(16), aligned(8)));
typedef int64_t Bits __attribute__((vector_size(16)));

/* Returns whether one of `count` values is infinite. */
EXPORT int32_t holds_infinite(const double *values, int64_t count) {
    const Pair most = {INFINITY, INFINITY};
    int64_t k = 0;
    for (; k + STRIP <= count; k += STRIP) {
        Bits found = {0, 0};
        for (int64_t i = k; i < k + STRIP; i += 2) {
            Pair two = *(const Pair *)(values + i);
            found |= (two == most) | (two == -most);
        }
        if (found[0] | found[1])
            return 1;
    }
    for (; k < count; k++)
        if (fabs(values[k]) == INFINITY)
            return 1;
    return 0;
}
