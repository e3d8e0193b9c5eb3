/* One symbol's pass over weights that keeps no record: what kernel.c does for one column, operation for operation, as far
 * as equity at the sessions' closes and the number of fills need it. sweeps/single.py says when it serves. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#define DUST 1e-9 /* of the starting cash: less is no money to buy with */

typedef struct { /* single.py fills it in; arrays of (rows) but where said */
    int64_t rows, sessions, fills;
    const double *open, *close, *mark; /* mark: last known close */
    const int64_t *last;               /* (sessions): the last row of each */
    double *equity;                    /* (sessions) */
    const double *weights;             /* NULL where `flags` says it: 1 and 0 */
    const uint8_t *flags;
    double cash, commission, slippage, credit;
    int32_t at_fill, fractional, infinite;
} Single;

typedef struct {
    double cash, shares, pending, target;
    int unsized;
} Account;

static double valued(const Account *a, double price) {
    return a->cash + (a->shares != 0.0 ? a->shares * price : 0.0);
}

/* Shares to trade until `weight` of the equity is held; NaN without a price. */
static double sized(const Single *p, const Account *a, double weight, double price) {
    if (weight == 0.0)
        return -a->shares;
    double equity = valued(a, price), shares = weight * (0.0 > equity ? 0.0 : equity) / price;
    if (!p->fractional && isfinite(shares))
        shares = trunc(shares) + 0.0;
    return shares - a->shares;
}

static void trade(Single *p, Account *a, double quantity, double reference) {
    double price = quantity > 0.0 ? reference * (1.0 + p->slippage) : reference * (1.0 - p->slippage);
    double value = fabs(quantity) * price, commission = value * p->commission;
    a->cash += quantity < 0.0 ? value - commission : -(value + commission);
    a->shares += quantity;
    p->fills++;
}

static void buy(Single *p, Account *a, double wanted, double open) {
    double value = wanted * (open * (1.0 + p->slippage));
    double cost = 0.0 + (value + value * p->commission);
    double power = a->cash + (p->credit != 0.0 ? p->credit * valued(a, open) : 0.0);
    if (!(cost <= power)) {
        wanted *= power > DUST * p->cash ? power / cost : 0.0;
        if (!p->fractional)
            wanted = isfinite(wanted) ? floor(wanted) + 0.0 : 0.0;
    }
    if (wanted > 0.0)
        trade(p, a, wanted, open);
}

static void fill(Single *p, Account *a, int64_t row) {
    if (isnan(p->close[row]) || isnan(p->open[row]))
        return; /* the symbol does not trade: the order waits */
    double open = p->open[row];
    double wanted = p->at_fill ? sized(p, a, a->pending, open) : a->pending;
    if (wanted < 0.0)
        trade(p, a, wanted, open);
    else if (wanted > 0.0)
        buy(p, a, wanted, open);
    a->pending = NAN;
}

static void decide(Single *p, Account *a, int64_t row) {
    double order = a->target;
    if (!p->at_fill) {
        order = sized(p, a, order, p->mark[row]);
        if (isnan(order))
            return; /* no price is known yet */
        if (order == 0.0)
            order = NAN;
    }
    a->pending = order;
    a->unsized = 0;
}

/* The first row from `row` on whose weight is a number and not the target. */
static int64_t next_weight(const Single *p, int64_t row, double target) {
    const double *weights = p->weights;
    for (; row + 8 <= p->rows; row += 8) {
        int same = 1; /* the compiler makes this one comparison of several values */
        for (int k = 0; k < 8; k++)
            same &= weights[row + k] == target;
        if (!same)
            for (int k = 0; k < 8; k++)
                if (!(weights[row + k] == target || isnan(weights[row + k])))
                    return row + k;
    }
    for (; row < p->rows; row++)
        if (!(weights[row] == target || isnan(weights[row])))
            return row;
    return p->rows;
}

static int64_t next_flag(const Single *p, int64_t row, double target) {
    if (isnan(target))
        return row;
    const void *found = row < p->rows ? memchr(p->flags + row, target == 0.0, (size_t)(p->rows - row)) : NULL;
    return found ? (const uint8_t *)found - p->flags : p->rows;
}

__attribute__((visibility("default"))) void single_pass(Single *p) {
    Account a = {p->cash, 0.0, NAN, NAN, 0};
    int64_t session = 0;
    p->fills = p->infinite = 0;
    int64_t change = p->flags ? next_flag(p, 0, a.target) : next_weight(p, 0, a.target);
    for (int64_t row = 0; row < p->rows; row++) {
        if (isnan(a.pending) && !a.unsized && change > row) { /* nothing happens before the next change */
            for (; session < p->sessions && p->last[session] < change; session++)
                p->equity[session] = valued(&a, p->mark[p->last[session]]);
            row = change;
            if (row == p->rows)
                break;
        }
        if (!isnan(a.pending))
            fill(p, &a, row);
        if (row == change) {
            a.target = p->flags ? (double)p->flags[row] : p->weights[row];
            a.unsized = 1;
            p->infinite |= isinf(a.target);
            change = p->flags ? next_flag(p, row + 1, a.target) : next_weight(p, row + 1, a.target);
        }
        if (a.unsized)
            decide(p, &a, row);
        if (session < p->sessions && p->last[session] == row)
            p->equity[session++] = valued(&a, p->mark[row]);
    }
}
