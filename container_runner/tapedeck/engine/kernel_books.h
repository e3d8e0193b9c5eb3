/* The order that waits for each symbol: books.py, and `afford` of ledger.py, operation for operation. */
#define DUST 1e-9 /* of the starting cash: less is no money to buy with */

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

/* Keeps what an order has not filled; says whether that is anything. */
static int rest(Work *w, int64_t i, double quantity) {
    if (quantity == 0.0)
        set_pending(w, i, NAN), w->p->accrued[i] = UNFILLED;
    else if (!w->p->at_fill)
        set_pending(w, i, quantity);
    return quantity != 0.0;
}

/* Fills the buys of one account as far as volume and its power reach; `unpaid`: a sale of that account still waits. */
static void buy(Work *w, int64_t row, const Buy *buys, int64_t count, double equity, int unpaid) {
    Pass *p = w->p;
    double cost = 0.0, reserved = 0.0;
    for (const Buy *one = buys; one < buys + count; one++) {
        double shares = taken(w, row, one->column, one->wanted);
        if (shares == 0.0)
            continue;
        double value = shares * priced(w, row, one->column, shares, one->open);
        cost += value + greater(accrues(&p->commission, shares, value), p->commission.minimum);
        reserved += p->commission.minimum;
    }
    double power = p->cash[p->sleeves ? buys->column : 0] + (p->credit != 0.0 ? p->credit * equity : 0.0);
    double free = power - reserved, share = free > DUST * p->start_cash ? free / cost : 0.0;
    for (const Buy *one = buys; one < buys + count; one++) {
        double got = taken(w, row, one->column, one->wanted);
        int cut = got != 0.0 && !(cost <= power);
        if (cut)
            got = p->liquidity.lot != 0.0 && !isfinite(got * share) ? 0.0 : whole_lots(&p->liquidity, got * share);
        if (got > 0.0)
            trade(w, row, one->column, got, one->open, &p->accrued[one->column]);
        rest(w, one->column, cut && !unpaid ? 0.0 : one->wanted - got);
    }
}

/* Ends the order and the target that wait for column i. */
static void end(Work *w, int64_t i) {
    rest(w, i, 0.0);
    set_unsized(w, i, 0);
}

/* Ends what waits for called accounts. */
static void end_called(Work *w) {
    for (int64_t k = 0; k < w->calls; k++) {
        int64_t first = w->called[k].account, last = w->p->sleeves ? first + 1 : w->p->columns;
        for (int64_t i = first; i < last; i++)
            end(w, i);
    }
}

/* Fills the waiting orders of the symbols that trade at the row's open. */
static void fill(Work *w, int64_t row) {
    Pass *p = w->p;
    int valued = p->at_fill || p->credit != 0.0, unpaid = 0;
    if (w->calls) {
        end_called(w);
        obey(w, row);
    }
    double equity = valued && !p->sleeves ? equity_at_open(w, row, 0) : 0.0;
    int64_t count = 0;
    EACH(c, w->waiting, w->words) {
        int64_t i = (int64_t)c;
        double order = p->pending[i], reference = traded(w, row, i);
        if (valued && p->sleeves)
            equity = equity_at_open(w, row, i);
        double wanted = p->at_fill ? size(p, i, order, price_of(w, row, i), equity) : order;
        if (none(reference)) {
            unpaid |= wanted < 0.0;
        } else if (wanted > 0.0) {
            w->buys[count++] = (Buy){wanted, reference, i};
        } else if (wanted <= 0.0) {
            double sold = taken(w, row, i, wanted);
            if (sold != 0.0)
                trade(w, row, i, sold, reference, &p->accrued[i]);
            unpaid |= rest(w, i, wanted - sold);
        }
    }
    if (count && !p->sleeves)
        buy(w, row, w->buys, count, equity, unpaid);
    for (int64_t k = 0; p->sleeves && k < count; k++) { /* a sleeve's sale that waits is its only order */
        equity = valued ? equity_at_open(w, row, w->buys[k].column) : 0.0;
        buy(w, row, w->buys + k, 1, equity, 0);
    }
}

/* Turns the row's new targets, and those that waited for a first price, into orders for the next bar. */
static void decide(Work *w, int64_t row) {
    Pass *p = w->p;
    double bar = (double)(p->bars + w->base + row);
    double equity = p->at_fill || p->sleeves ? 0.0 : equity_at_close(w, row, 0);
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
                equity = equity_at_close(w, row, i);
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
