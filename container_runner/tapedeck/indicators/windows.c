/* Sums over windows, joined as windows.tree joins them: the same bytes, a block of bars at a time, in the first-level cache. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define BLOCK 1536 /* values worked on at once */

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define WIDE __attribute__((target_clones("arch=x86-64-v3", "default"))) /* wider registers; additions are the same bits */
#else
#define WIDE
#endif

WIDE static void add(double *restrict to, const double *restrict a, const double *restrict b, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        to[i] = a[i] + b[i];
}

WIDE static void add_to(double *restrict to, const double *restrict a, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        to[i] += a[i];
}

WIDE static void divide(double *values, double by, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        values[i] /= by;
}

/* Parts of 4 x size out of parts of `size`: two joins in one pass. */
WIDE static void add_four(double *restrict to, const double *restrict a, int64_t size, int64_t count) {
    const double *restrict b = a + size, *restrict c = b + size, *restrict d = c + size;
    for (int64_t i = 0; i < count; i++)
        to[i] = (a[i] + b[i]) + (c[i] + d[i]);
}

/* Writes the `count` sums of full windows of `values`; `room` holds three rows of count + window values. */
static void sum(const double *values, int64_t count, int64_t window, double *out, double *room) {
    const double *part = values; /* at i: of the values [i, i + size) */
    const double *whole = NULL;  /* at i: of the first `done` values of the window that begins at i */
    int64_t length = count + window - 1, row = length, done = 0;
    for (int64_t size = 1;;) {
        if (window & size) {
            if (!done)
                whole = part;
            else if (whole == out)
                add_to(out, part + done, count);
            else
                add(out, whole, part + done, count), whole = out;
            done += size;
        }
        if (done == window)
            break;
        double *next = room;
        while (next == part || next == whole)
            next += row;
        int64_t times = window & 2 * size ? 2 : 4;
        length -= (times - 1) * size;
        if (times == 2)
            add(next, part, part + size, length);
        else
            add_four(next, part, size, length);
        part = next;
        size *= times;
    }
    if (whole != out)
        memcpy(out, whole, (size_t)count * sizeof(double));
}

/* Sums over windows of each of `lanes` rows of `length` values, divided by `divisor`; NaN before the first full window.
 * `step` and `out_step`: from lane to lane, in values. Returns 0, or 1 where there is no memory. */
EXPORT int32_t window_sums(const double *values, int64_t step, double *out, int64_t out_step, int64_t lanes,
                           int64_t length, int64_t window, double divisor) {
    int64_t block = window > BLOCK ? window : BLOCK;
    double *room = malloc(3 * (size_t)(block + window) * sizeof(double));
    if (!room)
        return 1;
    for (int64_t lane = 0; lane < lanes; lane++) {
        const double *from = values + lane * step;
        double *to = out + lane * out_step;
        for (int64_t i = 0; i < window - 1 && i < length; i++)
            to[i] = NAN;
        for (int64_t first = 0; first + window <= length; first += block) {
            int64_t count = length - window + 1 - first < block ? length - window + 1 - first : block;
            double *result = to + first + window - 1;
            sum(from + first, count, window, result, room);
            if (divisor != 1.0)
                divide(result, divisor, count);
        }
    }
    free(room);
    return 0;
}
