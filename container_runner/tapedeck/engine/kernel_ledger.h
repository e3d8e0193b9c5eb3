/* Accounts, holdings and fills: ledger.py, operation for operation. */

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

/* Changes an account's cash alone. */
static void set_cash(Work *w, int64_t row, int64_t account, double cash) {
    Pass *p = w->p;
    keep(w, row, p->sleeves ? account : p->columns, p->cash[account]);
    p->cash[account] = cash;
}

/* Equity of column i's account at the row's closes. */
static double equity_at_close(const Work *w, int64_t row, int64_t i) {
    const Pass *p = w->p;
    double total = 0.0;
    if (p->sleeves)
        return p->cash[i] + (p->shares[i] != 0.0 ? p->shares[i] * w->mark[i][row] : 0.0);
    EACH(c, w->holds, w->words)
        total += p->shares[c] * w->mark[c][row];
    return p->cash[0] + total;
}

/* The same at its opens. */
static double equity_at_open(const Work *w, int64_t row, int64_t i) {
    const Pass *p = w->p;
    double total = 0.0;
    if (p->sleeves)
        return p->cash[i] + (p->shares[i] != 0.0 ? p->shares[i] * price_of(w, row, i) : 0.0);
    EACH(c, w->holds, w->words)
        total += p->shares[c] * price_of(w, row, (int64_t)c);
    return p->cash[0] + total;
}

/* Shares to trade until `weight` of the equity is held; NaN without a price above zero. */
static double size(const Pass *p, int64_t i, double weight, double price, double equity) {
    if (weight == 0.0)
        return -p->shares[i];
    if (!(price > 0.0))
        return NAN;
    return whole_lots(&p->liquidity, weight * greater(equity, 0.0) / price) - p->shares[i];
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

/* Books a fill of `quantity` shares, negative for a sale; `accrued`: its order's commission so far. */
static void trade(Work *w, int64_t row, int64_t i, double quantity, double reference, double *accrued) {
    Pass *p = w->p;
    double price = priced(w, row, i, quantity, reference), value = fabs(quantity) * price;
    int fits = reference > 0.0 && value < INFINITY;
    Fill *fill = fits ? new_fill(p) : NULL;
    if (!fill) {
        p->error = !fits ? TO_BE_NAMED : p->filled == p->most ? TOO_MANY : NO_MEMORY;
        return;
    }
    double commission = charge(&p->commission, accrues(&p->commission, fabs(quantity), value), accrued);
    double flow = quantity < 0.0 ? value - commission : -(value + commission);
    double realised = realise(p, i, quantity, flow);
    change(w, row, i, p->shares[i] + quantity, p->cash[p->sleeves ? i : 0] + flow);
    double slipped = fabs(quantity) * fabs(price - reference);
    *fill = (Fill){p->ts[w->base + row], p->session[w->base + row], (int32_t)i, quantity, price, reference, commission,
                   slipped, realised};
}
