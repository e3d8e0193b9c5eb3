/* What a bar's market takes and what trading costs: liquidity.py and costs.py, operation for operation. */
#define ROUNDING 1e-6 /* of a lot */
#define UNFILLED -1.0 /* the accrued commission of an order that has no fill yet */

static inline double greater(double a, double b) {
    return b > a ? b : a; /* as Python's max(a, b) */
}

static inline double volume_of(const Work *w, int64_t row, int64_t column) {
    return at(&w->p->liquidity.volume, w->base + row, column);
}

/* The open at which orders fill in the tile's row, else NaN: nothing trades without a price, nor, where volume matters,
 * without volume. */
static inline double traded(const Work *w, int64_t row, int64_t column) {
    const Pass *p = w->p;
    int halted = none(at(&p->close, w->base + row, column));
    if (p->liquidity.volume.at)
        halted |= !(volume_of(w, row, column) > 0.0);
    return halted ? NAN : at(&p->open, w->base + row, column);
}

static inline double price_of(const Work *w, int64_t row, int64_t column) {
    double price = traded(w, row, column);
    return none(price) ? w->mark[column][row] : price;
}

/* The last known close of the row before. */
static inline double mark_before(const Work *w, int64_t row, int64_t column) {
    return row ? w->mark[column][row - 1] : w->before[column];
}

/* The whole lots in a quantity, towards zero. */
static double whole_lots(const Liquidity *l, double quantity) {
    if (l->lot == 0.0 || !isfinite(quantity))
        return quantity;
    if (l->lot == 1.0)
        return trunc(quantity) + 0.0;
    double lots = quantity / l->lot, whole = rint(lots);
    if (!isfinite(lots))
        return quantity;
    return (fabs(lots - whole) <= ROUNDING ? whole + 0.0 : trunc(lots) + 0.0) * l->lot;
}

/* The least whole lots that hold a quantity, away from zero. */
static double lots_up(const Liquidity *l, double quantity) {
    double down = whole_lots(l, quantity);
    if (l->lot == 0.0 || fabs(quantity - down) <= ROUNDING * l->lot)
        return down;
    return down + copysign(l->lot, quantity);
}

/* What the bar takes of a quantity, which keeps its sign: a bar trades a column once, so nothing has used it up. */
static inline double taken(const Work *w, int64_t row, int64_t column, double quantity) {
    const Liquidity *l = &w->p->liquidity;
    if (l->cap == 0.0)
        return quantity;
    double most = whole_lots(l, l->cap * volume_of(w, row, column));
    return fabs(quantity) <= most ? quantity : copysign(most, quantity);
}

/* The price of a trade, negative for a sale: sqrt, unlike pow, is the same to the last bit in every library. */
static inline double priced(const Work *w, int64_t row, int64_t column, double quantity, double reference) {
    const Slippage *s = &w->p->slippage;
    double away = s->rate;
    if (s->impact != 0.0)
        away += s->impact * sqrt(fabs(quantity) / volume_of(w, row, column));
    if (quantity > 0.0)
        return reference * (1.0 + away) + s->half_spread;
    return greater(reference * (1.0 - away) - s->half_spread, 0.0);
}

/* What a fill adds to its order's commission, before the minimum. */
static inline double accrues(const Commission *c, double shares, double value) {
    return value * c->rate + shares * c->per_share;
}

/* What a fill pays of its order's commission, which has a minimum; `accrued`: the order's so far, which it moves. */
static double charge(const Commission *c, double fee, double *accrued) {
    double before = *accrued;
    if (c->minimum == 0.0)
        return fee;
    *accrued = greater(before, 0.0) + fee;
    if (before < 0.0)
        return greater(fee, c->minimum);
    return greater(before + fee, c->minimum) - greater(before, c->minimum);
}
