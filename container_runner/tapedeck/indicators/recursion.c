/* Exponential smoothing of one symbol's values, as recursion.Recursion.update does it: the same bytes. */
#include <math.h>
#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))

/* Changes `total` and `seen`, the recursion's state, so that the next call goes on where this one ended. */
EXPORT void smooth(const double *values, double *out, int64_t count, int64_t window, double alpha, double *total,
                   int64_t *seen) {
    double sum = *total;
    int64_t known = *seen;
    for (int64_t i = 0; i < count; i++) {
        double value = values[i];
        if (isnan(value)) {
            out[i] = NAN;
        } else if (known >= window) {
            sum += alpha * (value - sum);
            out[i] = sum;
        } else {
            known++;
            sum += value;
            if (known == window)
                sum /= (double)window;
            out[i] = known < window ? NAN : sum;
        }
    }
    *total = sum;
    *seen = known;
}
