/* Accounts, orders and fills: ledger.py and books.py, operation for operation. */
#define DUST 1e-9     /* of the starting cash: less is no money to buy with */
#define ROUNDING 1e-6 /* of a lot */
#define UNFILLED -1.0 /* the accrued commission of an order that has no fill yet */

/* The open where the symbol trades in the tile's row, else NaN. */
static inline double traded(const Work *w, int64_t row, int64_t column) {
    double close = at(&w->p->close, w->base + row, column);
    return none(close) ? NAN : at(&w->p->open, w->base + row, column);
}

static inline double price_of(const Work *w, int64_t row, int64_t column) {
    double price = traded(w, row, column);
    return none(price) ? w->mark[column][row] : price;
}

static inline double greater(double a, double b) {
    return b > a ? b : a; /* as Python's max(a, b) */
}

static void set_pending(Work *w, int64_t i, double order) {
    w->orders += has(w->waiting, i) ? -none(order) : !none(order);
    put(w->waiting, i, !none(order));
    w->p->pending[i] = order;
}

static void set_unsized(Work *w, int64_t i, int yes) {
    w->targets += yes - has(w->unsized, i);
    put(w->unsized, i, yes);
    w->p->unsized[i] = yes;
}

/* Notes what column i and its account hold until now, before they change. */
static void keep(Work *w, int64_t row, int64_t i, double cash) {
    if (w->changes == w->room) {
        Held *held = realloc(w->held, (size_t)(2 * w->room) * sizeof(Held));
        if (!held) {
            w->p->error = NO_MEMORY;
            return;
        }
        w->held = held, w->room *= 2;
    }
    int32_t k = (int32_t)w->changes++;
    w->held[k] = (Held){i < w->p->columns ? w->p->shares[i] : 0.0, cash, (int32_t)row, -1};
    if (w->oldest[i] < 0)
        w->oldest[i] = k;
    else
        w->held[w->newest[i]].next = k;
    w->newest[i] = k;
}

/* Changes what column i holds, and its account's cash, from the tile's row on. */
static void change(Work *w, int64_t row, int64_t i, double shares, double cash) {
    Pass *p = w->p;
    int64_t account = p->sleeves ? i : 0;
    keep(w, row, i, p->cash[account]);
    if (!p->sleeves && cash != p->cash[0])
        keep(w, row, p->columns, p->cash[0]);
    p->cash[account] = cash;
    p->shares[i] = shares;
    put(w->holds, i, shares != 0.0);
}

/* Equity of column i's account; `at_open`: at the row's opens, else at its closes. */
static double account_equity(const Work *w, int64_t row, int64_t i, int at_open) {
    const Pass *p = w->p;
    double total = 0.0;
    if (p->sleeves) {
        double price = at_open ? price_of(w, row, i) : w->mark[i][row];
        return p->cash[i] + (p->shares[i] != 0.0 ? p->shares[i] * price : 0.0);
    }
    EACH(c, w->holds, w->words)
        total += p->shares[c] * (at_open ? price_of(w, row, (int64_t)c) : w->mark[c][row]);
    return p->cash[0] + total;
}

/* The whole lots in a quantity, towards zero. */
static double whole_lots(const Pass *p, double quantity) {
    if (p->lot == 0.0 || !isfinite(quantity))
        return quantity;
    if (p->lot == 1.0)
        return trunc(quantity) + 0.0;
    double lots = quantity / p->lot, whole = rint(lots);
    if (!isfinite(lots))
        return quantity;
    return (fabs(lots - whole) <= ROUNDING ? whole + 0.0 : trunc(lots) + 0.0) * p->lot;
}

static double priced(const Pass *p, double quantity, double reference) {
    if (quantity > 0.0)
        return reference * (1.0 + p->slippage) + p->half_spread;
    double price = reference * (1.0 - p->slippage) - p->half_spread;
    return greater(price, 0.0);
}

/* Shares to trade until `weight` of the equity is held; NaN without a price above zero. */
static double size(const Pass *p, int64_t i, double weight, double price, double equity) {
    if (weight == 0.0)
        return -p->shares[i];
    if (!(price > 0.0))
        return NAN;
    return whole_lots(p, weight * greater(equity, 0.0) / price) - p->shares[i];
}

/* Moves the position's cost basis (average cost); returns the profit of the part that closes, NaN for none. */
static double realise(Pass *p, int64_t i, double quantity, double flow) {
    double held = p->shares[i];
    if (held * quantity >= 0.0) {
        p->basis[i] -= flow;
        return NAN;
    }
    double closed = fabs(held) < fabs(quantity) ? fabs(held) : fabs(quantity);
    double of_position = closed / fabs(held), of_fill = closed / fabs(quantity);
    double realised = of_fill * flow - of_position * p->basis[i];
    p->basis[i] = p->basis[i] * (1.0 - of_position) - (1.0 - of_fill) * flow;
    return realised;
}

static Fill *new_fill(Pass *p) {
    if (p->filled == p->most)
        return NULL;
    if (p->filled == p->room) {
        int64_t room = p->room ? 2 * p->room : 256;
        Fill *fills = realloc(p->fills, (size_t)room * sizeof(Fill));
        if (!fills)
            return NULL;
        p->fills = fills, p->room = room;
    }
    return &p->fills[p->filled++];
}

/* What a fill pays of its order's commission, which has a minimum; `fee`: what the fill adds to it. */
static double charge(Pass *p, int64_t i, double fee) {
    double accrued = p->accrued[i];
    if (p->minimum == 0.0)
        return fee;
    p->accrued[i] = greater(accrued, 0.0) + fee;
    if (accrued < 0.0)
        return greater(fee, p->minimum);
    return greater(accrued + fee, p->minimum) - greater(accrued, p->minimum);
}

static void trade(Work *w, int64_t row, int64_t i, double quantity, double reference) {
    Pass *p = w->p;
    double price = priced(p, quantity, reference), value = fabs(quantity) * price;
    int fits = reference > 0.0 && value < INFINITY;
    Fill *fill = fits ? new_fill(p) : NULL;
    if (!fill) {
        p->error = !fits ? TO_BE_NAMED : p->filled == p->most ? TOO_MANY : NO_MEMORY;
        return;
    }
    double commission = charge(p, i, value * p->rate + fabs(quantity) * p->per_share);
    double flow = quantity < 0.0 ? value - commission : -(value + commission);
    double realised = realise(p, i, quantity, flow);
    change(w, row, i, p->shares[i] + quantity, p->cash[p->sleeves ? i : 0] + flow);
    double slipped = fabs(quantity) * fabs(price - reference);
    *fill = (Fill){p->ts[w->base + row], p->session[w->base + row], (int32_t)i, quantity, price, reference, commission,
                   slipped, realised};
}

/* Keeps what an order has not filled; says whether that is anything. */
static int rest(Work *w, int64_t i, double quantity) {
    if (quantity == 0.0)
        set_pending(w, i, NAN), w->p->accrued[i] = UNFILLED;
    else if (!w->p->at_fill)
        set_pending(w, i, quantity);
    return quantity != 0.0;
}

/* Fills the buys of one account as far as its power reaches; `unpaid`: a sale of that account still waits. */
static void buy(Work *w, int64_t row, const int32_t *columns, const double *wanted, int64_t count, double equity,
                int unpaid) {
    Pass *p = w->p;
    double cost = 0.0, reserved = 0.0;
    for (int64_t k = 0; k < count; k++) {
        double value = wanted[k] * priced(p, wanted[k], traded(w, row, columns[k]));
        double fee = value * p->rate + wanted[k] * p->per_share;
        cost += value + greater(fee, p->minimum);
        reserved += p->minimum;
    }
    double power = p->cash[p->sleeves ? columns[0] : 0] + (p->credit != 0.0 ? p->credit * equity : 0.0);
    int cut = !(cost <= power);
    double free = power - reserved, share = free > DUST * p->start_cash ? free / cost : 0.0;
    for (int64_t k = 0; k < count; k++) {
        double got = wanted[k];
        if (cut)
            got = p->lot != 0.0 && !isfinite(got * share) ? 0.0 : whole_lots(p, got * share);
        if (got > 0.0)
            trade(w, row, columns[k], got, traded(w, row, columns[k]));
        rest(w, columns[k], cut && !unpaid ? 0.0 : wanted[k] - got);
    }
}

/* Fills the waiting orders of the symbols that trade at the row's open. */
static void fill(Work *w, int64_t row) {
    Pass *p = w->p;
    int valued = p->at_fill || p->credit != 0.0, unpaid = 0;
    double equity = valued && !p->sleeves ? account_equity(w, row, 0, 1) : 0.0;
    int64_t count = 0;
    EACH(c, w->waiting, w->words) {
        int64_t i = (int64_t)c;
        double order = p->pending[i], reference = traded(w, row, i);
        if (valued && p->sleeves)
            equity = account_equity(w, row, i, 1);
        double wanted = p->at_fill ? size(p, i, order, price_of(w, row, i), equity) : order;
        if (none(reference)) {
            unpaid |= wanted < 0.0;
        } else if (wanted > 0.0) {
            w->buys[count] = (int32_t)i, w->wanted[count++] = wanted;
        } else if (wanted <= 0.0) {
            if (wanted < 0.0)
                trade(w, row, i, wanted, reference);
            unpaid |= rest(w, i, wanted - wanted);
        }
    }
    if (count && !p->sleeves)
        buy(w, row, w->buys, w->wanted, count, equity, unpaid);
    for (int64_t k = 0; p->sleeves && k < count; k++) { /* a sleeve's sale that waits is its only order */
        equity = valued ? account_equity(w, row, w->buys[k], 1) : 0.0;
        buy(w, row, w->buys + k, w->wanted + k, 1, equity, 0);
    }
}

/* Turns the row's new targets, and those that waited for a first price, into orders for the next bar. */
static void decide(Work *w, int64_t row) {
    Pass *p = w->p;
    double bar = (double)(p->bars + w->base + row);
    double equity = p->at_fill || p->sleeves ? 0.0 : account_equity(w, row, 0, 0);
    for (int64_t k = w->first[row]; k >= 0; k = w->decision[k].next) {
        int64_t i = w->decision[k].column;
        set_unsized(w, i, 1);
        p->decided[i] = bar;
        w->current[i] = w->decision[k].weight;
    }
    EACH(c, w->unsized, w->words) {
        int64_t i = (int64_t)c;
        double order = w->current[i];
        if (!p->at_fill) {
            if (p->sleeves)
                equity = account_equity(w, row, i, 0);
            order = size(p, i, order, w->mark[i][row], equity);
            if (none(order))
                continue; /* no price is known yet */
            if (order == 0.0)
                order = NAN;
        }
        set_pending(w, i, order);
        set_unsized(w, i, 0);
        p->decided[i] = bar, p->accrued[i] = UNFILLED;
    }
}

/* Applies a dividend or a split. */
static void act(Work *w, int64_t row, const Due *due) {
    Pass *p = w->p;
    int64_t i = due->column;
    double cash = p->cash[p->sleeves ? i : 0], shares = p->shares[i];
    if (due->kind == SPLIT) {
        change(w, row, i, shares * due->value, cash);
        if (!p->at_fill)
            p->pending[i] *= due->value;
    } else if (shares != 0.0)
        change(w, row, i, shares, cash + shares * due->value);
}
