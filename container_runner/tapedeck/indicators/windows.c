/* Sums over windows, joined as windows.tree joins them: the same bytes, a block of bars at a time, in the first-level cache. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define BLOCK 256 /* values worked on at once: with the rows of parts, half of the cache, which two threads share */

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

WIDE static void mean_of(double *restrict to, const double *restrict a, const double *restrict b, double by,
                         int64_t count) {
    for (int64_t i = 0; i < count; i++)
        to[i] = (a[i] + b[i]) / by;
}

WIDE static void mean_to(double *restrict to, const double *restrict a, double by, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        to[i] = (to[i] + a[i]) / by;
}

WIDE static void divide(double *restrict to, const double *restrict a, double by, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        to[i] = a[i] / by;
}

/* Parts of 4 x size out of parts of `size`: two joins in one pass. */
WIDE static void add_four(double *restrict to, const double *restrict a, int64_t size, int64_t count) {
    const double *restrict b = a + size, *restrict c = b + size, *restrict d = c + size;
    for (int64_t i = 0; i < count; i++)
        to[i] = (a[i] + b[i]) + (c[i] + d[i]);
}

/* Joins the sums of the windows' first values with those of the next; `last`: and divides them. */
static void join(double *out, const double *whole, const double *next, int64_t count, double divisor, int last) {
    if (last && divisor != 1.0) {
        if (whole == out)
            mean_to(out, next, divisor, count);
        else
            mean_of(out, whole, next, divisor, count);
    } else if (whole == out)
        add_to(out, next, count);
    else
        add(out, whole, next, count);
}

/* Writes the `count` sums of full windows of `values`, divided; `room` holds three rows of count + window values. */
static void sum(const double *values, int64_t count, int64_t window, double divisor, double *out, double *room) {
    const double *part = values; /* at i: of the values [i, i + size) */
    const double *whole = NULL;  /* at i: of the first `done` values of the window that begins at i */
    int64_t length = count + window - 1, row = length, done = 0;
    for (int64_t size = 1;;) {
        if (window & size) {
            if (done)
                join(out, whole, part + done, count, divisor, done + size == window);
            whole = done ? out : part;
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
    if (whole != out && divisor != 1.0) /* a power of two */
        divide(out, whole, divisor, count);
    else if (whole != out)
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
            sum(from + first, count, window, divisor, to + first + window - 1, room);
        }
    }
    free(room);
    return 0;
}
