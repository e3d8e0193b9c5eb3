/* What holding costs and brings, as a session begins: carry.py, and `_carry` of ledger.py, operation for operation. */
#define DAYS_A_YEAR 365.0

/* What an account pays for the shares that it has borrowed, by what column i adds to it. */
static inline double borrowed(const Work *w, int64_t row, int64_t i) {
    double shares = w->p->shares[i];
    return shares < 0.0 ? shares * mark_before(w, row, i) : 0.0;
}

/* Books the days since the session before on an account: `value_short` and its cash are those of the last close. */
static void carry_account(Work *w, int64_t row, int64_t account, double value_short, double days) {
    Pass *p = w->p;
    double cash = p->cash[account];
    double interest = cash * (cash > 0.0 ? p->carry.credit : p->carry.debit) * days / DAYS_A_YEAR;
    double fee = value_short * p->carry.borrow * days / DAYS_A_YEAR;
    set_cash(w, row, account, cash + interest - fee);
    p->carried[0] += fee;
    p->carried[1] += interest;
}

static void carry(Work *w, int64_t row, double days) {
    double value_short = 0.0;
    if (w->p->sleeves) {
        for (int64_t i = 0; i < w->p->columns; i++)
            carry_account(w, row, i, 0.0 - borrowed(w, row, i), days);
        return;
    }
    EACH(c, w->holds, w->words)
        value_short -= borrowed(w, row, (int64_t)c);
    carry_account(w, row, 0, value_short, days);
}
