/* Margin calls: margin.py, and `begin` and `obey` of ledger.py, operation for operation. */

/* Notes an account whose equity is below what its margin asks for. */
static void look_at(Work *w, int64_t account, double equity, double held) {
    const Margin *m = &w->p->margin;
    if (held == 0.0 || equity >= m->maintenance * held)
        return;
    double kept = greater(equity * m->leverage / held, 0.0);
    if (kept < 1.0)
        w->called[w->calls++] = (Called){kept, equity, held, account};
}

/* Notes which accounts are called, by what they held at the closes of the row before. */
static void look(Work *w, int64_t row) {
    Pass *p = w->p;
    double net = 0.0, gross = 0.0;
    w->calls = 0;
    EACH(c, w->holds, w->words) {
        double value = p->shares[c] * mark_before(w, row, (int64_t)c);
        net += value, gross += fabs(value);
        if (p->sleeves)
            look_at(w, (int64_t)c, p->cash[c] + value, fabs(value));
    }
    if (!p->sleeves)
        look_at(w, 0, p->cash[0] + net, gross);
}

/* Trades what a called account must of one position; what does not trade stays. */
static void cut_back(Work *w, int64_t row, int64_t i, double kept) {
    Pass *p = w->p;
    double shares = p->shares[i], reference = traded(w, row, i), accrued = UNFILLED;
    double over = lots_up(&p->liquidity, shares * (1.0 - kept));
    double quantity = -taken(w, row, i, fabs(over) < fabs(shares) ? over : shares);
    if (quantity != 0.0 && !none(reference))
        trade(w, row, i, quantity, reference, &accrued);
}

static void note_call(Work *w, int64_t row, const Called *called, int64_t first) {
    Pass *p = w->p;
    if (p->called == p->calls_room) {
        int64_t room = p->calls_room ? 2 * p->calls_room : 16;
        Call *calls = realloc(p->calls, (size_t)room * sizeof(Call));
        if (!calls) {
            p->error = NO_MEMORY;
            return;
        }
        p->calls = calls, p->calls_room = room;
    }
    int64_t bar = w->base + row;
    p->calls[p->called++] = (Call){p->ts[bar],      first,         p->filled - first, p->session[bar],
                                   (int32_t)called->account, called->equity, called->held};
}

/* Sells at the row's open what called accounts must, long before short, by column. */
static void obey(Work *w, int64_t row) {
    Pass *p = w->p;
    for (int64_t k = 0; k < w->calls; k++) {
        const Called *called = &w->called[k];
        int64_t first = p->filled;
        for (int shorts = 0; shorts < 2; shorts++) {
            if (p->sleeves) {
                if ((p->shares[called->account] < 0.0) == shorts)
                    cut_back(w, row, called->account, called->kept);
            } else {
                EACH(c, w->holds, w->words)
                    if ((p->shares[c] < 0.0) == shorts)
                        cut_back(w, row, (int64_t)c, called->kept);
            }
        }
        if (p->filled > first)
            note_call(w, row, called, first);
    }
}
