/* The pass over bars and weights that books.py states, operation for operation: the same bytes, compiled.
 *
 * Bars are worked on in tiles of some hundred rows. Columns come first: last known closes into a buffer, changed targets
 * into a list a row. Then the rows: on those where something happens fills, values and decisions in the order of books.py;
 * between them holdings are valued column by column. Every sum runs over ascending columns, as in Python.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define TILE 32768 /* values in a tile: a quarter of the second-level cache */
#define DUST 1e-9  /* of the starting cash: less is no money to buy with */
#define ROUNDING 1e-6 /* of a lot */

enum { DIVIDEND, SPLIT };
enum { DONE, TO_BE_NAMED, NO_MEMORY }; /* a target or price that has no place in books: Python says which */

typedef struct { /* fills.RECORD */
    int64_t ts;
    int32_t session, symbol;
    double quantity, price, reference, commission, slippage, realised;
} Fill;

typedef struct { /* a dividend or a split, in the order in which they apply */
    int64_t row;
    int32_t kind, column;
    double value;
} Due;

typedef struct { /* doubles; strides in values */
    const double *at;
    int64_t row, column;
} Table;

typedef struct { /* kernel.py fills it in; the arrays of the state are changed in place */
    int64_t rows, columns, bars, dues, filled, room;
    Table open, close, targets;
    const int64_t *ts;
    const int32_t *session;
    const uint8_t *rhythm; /* (rows): an unchanged target is traded again; NULL for never */
    const Due *due;
    double *cash, *shares, *basis, *target, *pending, *unsized, *decided, *mark;
    double *equity, *net, *gross; /* (rows), zeros */
    Fill *fills;
    double start_cash, credit, lot, rate, per_share, slippage, half_spread;
    int32_t sleeves, at_fill, error;
} Pass;

typedef struct { /* what one call works with */
    Pass *p;
    int64_t base, height, tile, pitch, waiting, unsized; /* waiting: columns with an order; unsized: with a flag */
    double *marks;                                       /* (columns, pitch): last known closes of the tile */
    double *current;                                     /* (columns): the target that was decided last */
    double *wanted;                                      /* (columns): shares to buy, of the columns in `buys` */
    int32_t *first, *last;                               /* (tile): a row's decisions, a list by ascending column */
    int32_t *next, *column;
    double *weight;
    int32_t *buys;
    int64_t decisions;
} Work;

static inline double at(const Table *table, int64_t row, int64_t column) {
    return table->at[row * table->row + column * table->column];
}

static inline double mark_of(const Work *w, int64_t row, int64_t column) {
    return w->marks[column * w->pitch + row];
}

/* The open where the symbol trades in the tile's row, else NaN. */
static inline double traded(const Work *w, int64_t row, int64_t column) {
    double close = at(&w->p->close, w->base + row, column);
    return isnan(close) ? NAN : at(&w->p->open, w->base + row, column);
}

static inline double price_of(const Work *w, int64_t row, int64_t column) {
    double price = traded(w, row, column);
    return isnan(price) ? mark_of(w, row, column) : price;
}

static inline double value_of(double quantity, double price) {
    return quantity != 0.0 ? quantity * price : 0.0;
}

static inline int none(double value) {
    return value != value;
}

static void set_pending(Work *w, int64_t i, double order) {
    w->waiting += none(w->p->pending[i]) - none(order);
    w->p->pending[i] = order;
}

static void set_unsized(Work *w, int64_t i, double flag) {
    w->unsized += (int64_t)(flag - w->p->unsized[i]);
    w->p->unsized[i] = flag;
}

static double account_equity(const Work *w, int64_t row, int64_t i, int at_open) {
    const Pass *p = w->p;
    if (p->sleeves)
        return p->cash[i] + value_of(p->shares[i], at_open ? price_of(w, row, i) : mark_of(w, row, i));
    double total = 0.0;
    for (int64_t c = 0; c < p->columns; c++)
        if (p->shares[c] != 0.0)
            total += p->shares[c] * (at_open ? price_of(w, row, c) : mark_of(w, row, c));
    return p->cash[0] + total;
}

/* The whole lots in a quantity, towards zero. */
static double whole_lots(const Pass *p, double quantity) {
    if (p->lot == 0.0 || !isfinite(quantity))
        return quantity;
    if (p->lot == 1.0)
        return trunc(quantity) + 0.0;
    double lots = quantity / p->lot, whole = rint(lots);
    return (fabs(lots - whole) <= ROUNDING ? whole + 0.0 : trunc(lots) + 0.0) * p->lot;
}

static double priced(const Pass *p, double quantity, double reference) {
    if (quantity > 0.0)
        return reference * (1.0 + p->slippage) + p->half_spread;
    double price = reference * (1.0 - p->slippage) - p->half_spread;
    return 0.0 > price ? 0.0 : price;
}

/* Shares to trade until `weight` of the equity is held; NaN without a price above zero. */
static double size(const Pass *p, int64_t i, double weight, double price, double equity) {
    if (weight == 0.0)
        return -p->shares[i];
    if (!(price > 0.0))
        return NAN;
    return whole_lots(p, weight * (0.0 > equity ? 0.0 : equity) / price) - p->shares[i];
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

static void trade(Pass *p, int64_t row, int64_t i, double quantity, double reference) {
    if (reference <= 0.0) {
        p->error = TO_BE_NAMED;
        return;
    }
    if (p->filled == p->room) {
        int64_t room = p->room ? 2 * p->room : 256;
        Fill *fills = realloc(p->fills, (size_t)room * sizeof(Fill));
        if (!fills) {
            p->error = NO_MEMORY;
            return;
        }
        p->fills = fills, p->room = room;
    }
    double price = priced(p, quantity, reference);
    double value = fabs(quantity) * price;
    double commission = value * p->rate + fabs(quantity) * p->per_share;
    double flow = quantity < 0.0 ? value - commission : -(value + commission);
    p->cash[p->sleeves ? i : 0] += flow;
    double realised = realise(p, i, quantity, flow);
    p->shares[i] += quantity;
    p->fills[p->filled++] = (Fill){p->ts[row], p->session[row], (int32_t)i, quantity, price, reference, commission,
                                   fabs(quantity) * fabs(price - reference), realised};
}

/* Keeps what an order has not filled; says whether that is anything. */
static int rest(Work *w, int64_t i, double quantity) {
    if (quantity == 0.0)
        set_pending(w, i, NAN);
    else if (!w->p->at_fill)
        set_pending(w, i, quantity);
    return quantity != 0.0;
}

static void buy(Work *w, int64_t row, const int32_t *columns, int64_t count, double equity, int unpaid) {
    Pass *p = w->p;
    double cost = 0.0;
    for (int64_t k = 0; k < count; k++) {
        double value = w->wanted[k] * priced(p, w->wanted[k], traded(w, row, columns[k]));
        double fee = value * p->rate + w->wanted[k] * p->per_share;
        cost += value + (0.0 > fee ? 0.0 : fee);
    }
    double power = p->cash[p->sleeves ? columns[0] : 0] + (p->credit != 0.0 ? p->credit * equity : 0.0);
    int cut = !(cost <= power);
    double share = power > DUST * p->start_cash ? power / cost : 0.0;
    for (int64_t k = 0; k < count; k++) {
        int64_t i = columns[k];
        double wanted = w->wanted[k], got = wanted;
        if (cut)
            got = p->lot != 0.0 && !isfinite(wanted * share) ? 0.0 : whole_lots(p, wanted * share);
        if (got > 0.0)
            trade(p, w->base + row, i, got, traded(w, row, i));
        rest(w, i, cut && !unpaid ? 0.0 : wanted - got);
    }
}

static void fill(Work *w, int64_t row) {
    Pass *p = w->p;
    int valued = p->at_fill || p->credit != 0.0, unpaid = 0;
    double equity = valued && !p->sleeves ? account_equity(w, row, 0, 1) : 0.0;
    int64_t count = 0, left = w->waiting;
    for (int64_t i = 0; left; i++) {
        double order = p->pending[i];
        if (isnan(order))
            continue;
        left--;
        if (valued && p->sleeves)
            equity = account_equity(w, row, i, 1);
        double wanted = p->at_fill ? size(p, i, order, price_of(w, row, i), equity) : order;
        double reference = traded(w, row, i);
        if (isnan(reference)) {
            unpaid |= wanted < 0.0;
            continue;
        }
        if (wanted < 0.0)
            trade(p, w->base + row, i, wanted, reference);
        if (wanted <= 0.0)
            unpaid |= rest(w, i, wanted - wanted);
        if (wanted > 0.0)
            w->buys[count] = (int32_t)i, w->wanted[count++] = wanted;
    }
    if (count && !p->sleeves)
        buy(w, row, w->buys, count, equity, unpaid);
    for (int64_t k = 0; p->sleeves && k < count; k++) { /* a sleeve's sale that waits is its only order */
        w->wanted[0] = w->wanted[k];
        buy(w, row, w->buys + k, 1, valued ? account_equity(w, row, w->buys[k], 1) : 0.0, 0);
    }
}

/* Turns the row's new targets, and those that waited for a first price, into orders for the next bar. */
static void decide(Work *w, int64_t row, double total) {
    Pass *p = w->p;
    double bar = (double)(p->bars + w->base + row);
    for (int64_t k = w->first[row]; k >= 0; k = w->next[k]) {
        int64_t i = w->column[k];
        set_unsized(w, i, 1.0);
        p->decided[i] = bar;
        w->current[i] = w->weight[k];
    }
    int64_t left = w->unsized;
    for (int64_t i = 0; left; i++) {
        if (p->unsized[i] == 0.0)
            continue;
        left--;
        double order = w->current[i];
        if (!p->at_fill) {
            double equity = p->sleeves ? account_equity(w, row, i, 0) : p->cash[0] + total;
            order = size(p, i, order, mark_of(w, row, i), equity);
            if (none(order))
                continue; /* no price is known yet */
            if (order == 0.0)
                order = NAN;
        }
        set_pending(w, i, order);
        set_unsized(w, i, 0.0);
        p->decided[i] = bar;
    }
}

/* Values the holdings at the closes of one row; returns their sum. */
static double value_row(Work *w, int64_t row) {
    Pass *p = w->p;
    double net = 0.0, gross = 0.0, equity = 0.0;
    for (int64_t i = 0; i < p->columns; i++) {
        double value = value_of(p->shares[i], mark_of(w, row, i));
        net += value;
        gross += fabs(value);
        if (p->sleeves)
            equity += p->cash[i] + value;
    }
    p->net[w->base + row] = net;
    p->gross[w->base + row] = gross;
    p->equity[w->base + row] = p->sleeves ? equity : 0.0 + (p->cash[0] + net);
    return net;
}

static void add_values(double *restrict net, double *restrict gross, const double *restrict mark, double quantity,
                       int64_t rows) {
    for (int64_t t = 0; t < rows; t++) {
        double value = quantity * mark[t];
        net[t] += value;
        gross[t] += fabs(value);
    }
}

static void add_sleeve(double *restrict equity, const double *restrict mark, double quantity, double cash, int64_t rows) {
    if (quantity != 0.0)
        for (int64_t t = 0; t < rows; t++)
            equity[t] += cash + quantity * mark[t];
    else
        for (int64_t t = 0; t < rows; t++)
            equity[t] += cash + 0.0;
}

/* Values the holdings at the closes of rows on which nothing happens. */
static void value_rows(Work *w, int64_t from, int64_t to) {
    Pass *p = w->p;
    double *net = p->net + w->base, *equity = p->equity + w->base;
    for (int64_t i = 0; i < p->columns; i++) {
        const double *mark = w->marks + i * w->pitch + from;
        if (p->shares[i] != 0.0)
            add_values(net + from, p->gross + w->base + from, mark, p->shares[i], to - from);
        if (p->sleeves)
            add_sleeve(equity + from, mark, p->shares[i], p->cash[i], to - from);
    }
    for (int64_t t = from; !p->sleeves && t < to; t++)
        equity[t] += p->cash[0] + net[t];
}

/* Puts the last known closes of the tile into `marks`. */
static void carry_marks(Work *w) {
    Pass *p = w->p;
    for (int64_t i = 0; i < p->columns; i++) {
        double *restrict mark = w->marks + i * w->pitch, known = p->mark[i];
        const double *restrict close = p->close.at + w->base * p->close.row + i * p->close.column;
        int64_t stride = p->close.row, gaps = 0;
        if (stride == 1)
            for (int64_t t = 0; t < w->height; t++) {
                mark[t] = close[t];
                gaps += close[t] != close[t];
            }
        else
            for (int64_t t = 0; t < w->height; t++) {
                mark[t] = close[t * stride];
                gaps += mark[t] != mark[t];
            }
        for (int64_t t = 0; gaps && t < w->height; t++) {
            if (none(mark[t]))
                mark[t] = known;
            known = mark[t];
        }
        p->mark[i] = mark[w->height - 1];
    }
}

/* States last known closes in shares after a split, until the symbol trades again. */
static void split_marks(Work *w, const Due *due) {
    Pass *p = w->p;
    double *mark = w->marks + due->column * w->pitch;
    int64_t row = due->row - w->base;
    double after = mark[row] / due->value;
    for (; row < w->height && none(at(&p->close, w->base + row, due->column)); row++)
        mark[row] = after;
    p->mark[due->column] = mark[w->height - 1];
}

static void note(Work *w, int64_t row, int64_t column, double weight) {
    int64_t k = w->decisions++;
    w->column[k] = (int32_t)column, w->weight[k] = weight, w->next[k] = -1;
    if (w->first[row] < 0)
        w->first[row] = (int32_t)k;
    else
        w->next[w->last[row]] = (int32_t)k;
    w->last[row] = (int32_t)k;
}

/* Lists the tile's targets that are to be traded: those that changed, and on the rhythm's rows all. */
static void scan_targets(Work *w) {
    Pass *p = w->p;
    w->decisions = 0;
    memset(w->first, 0xff, (size_t)w->height * sizeof *w->first);
    for (int64_t i = 0; i < p->columns; i++) {
        double before = p->target[i];
        const double *target = p->targets.at + w->base * p->targets.row + i * p->targets.column;
        const int64_t stride = p->targets.row;
        for (int64_t t = 0; t < w->height; t++) {
            double weight = target[t * stride];
            int again = p->rhythm && p->rhythm[w->base + t];
            if ((weight == before && !again) || none(weight))
                continue;
            if (isinf(weight))
                p->error = TO_BE_NAMED;
            note(w, t, i, weight);
            before = weight;
        }
        for (int64_t t = w->height; before == 0.0 && t-- > 0;) /* 0 and -0 are one target, and two in the state's bytes */
            if (!none(target[t * stride])) {
                before = target[t * stride];
                break;
            }
        p->target[i] = before;
    }
}

static void act(Pass *p, const Due *due) {
    double quantity = p->shares[due->column];
    if (due->kind == SPLIT) {
        p->shares[due->column] = quantity * due->value;
        if (!p->at_fill)
            p->pending[due->column] *= due->value;
    } else if (quantity != 0.0)
        p->cash[p->sleeves ? due->column : 0] += quantity * due->value;
}

/* Works on one tile; `due` is the first action not yet applied; returns the next. */
static int64_t work_tile(Work *w, int64_t due) {
    Pass *p = w->p;
    int64_t end = w->base + w->height;
    carry_marks(w);
    for (int64_t k = due; k < p->dues && p->due[k].row < end; k++)
        if (p->due[k].kind == SPLIT)
            split_marks(w, &p->due[k]);
    scan_targets(w);
    for (int64_t row = 0; row < w->height && !p->error; row++) {
        int64_t from = row, acts = due < p->dues ? p->due[due].row - w->base : w->height;
        if (!w->waiting && !w->unsized)
            while (row < w->height && w->first[row] < 0 && row < acts)
                row++;
        if (row > from)
            value_rows(w, from, row);
        if (row == w->height)
            break;
        for (; due < p->dues && p->due[due].row == w->base + row; due++)
            act(p, &p->due[due]);
        if (w->waiting)
            fill(w, row);
        double total = value_row(w, row);
        if (w->first[row] >= 0 || w->unsized)
            decide(w, row, total);
    }
    return due;
}

static int prepare(Work *w) {
    Pass *p = w->p;
    int64_t columns = p->columns, tile = TILE / columns;
    w->tile = tile < 8 ? 8 : tile > 2048 ? 2048 : tile;
    w->pitch = w->tile + 8; /* no power of two, which would put a row's values into one set of the cache */
    size_t values = (size_t)(w->tile * columns), wide = (size_t)columns;
    w->marks = malloc(wide * (size_t)w->pitch * sizeof(double));
    w->weight = malloc(values * sizeof(double));
    w->next = malloc(values * sizeof(int32_t));
    w->column = malloc(values * sizeof(int32_t));
    w->first = malloc((size_t)w->tile * sizeof(int32_t));
    w->last = malloc((size_t)w->tile * sizeof(int32_t));
    w->buys = malloc(wide * sizeof(int32_t));
    w->wanted = malloc(wide * sizeof(double));
    w->current = malloc(wide * sizeof(double));
    if (!w->marks || !w->weight || !w->next || !w->column || !w->first || !w->last || !w->buys || !w->wanted || !w->current)
        return 0;
    memcpy(w->current, p->target, wide * sizeof(double));
    for (int64_t i = 0; i < columns; i++) {
        w->waiting += !none(p->pending[i]);
        w->unsized += p->unsized[i] != 0.0;
    }
    return 1;
}

EXPORT int32_t kernel_abi(void) {
    return 1;
}

/* Carries the books over a block; the caller gives `fills` back to `kernel_free`. */
EXPORT void kernel_pass(Pass *p) {
    Work w = {.p = p};
    int64_t due = 0;
    if (!prepare(&w))
        p->error = NO_MEMORY;
    for (w.base = 0; w.base < p->rows && !p->error; w.base += w.tile) {
        w.height = p->rows - w.base < w.tile ? p->rows - w.base : w.tile;
        due = work_tile(&w, due);
    }
    free(w.marks), free(w.weight), free(w.next), free(w.column), free(w.first), free(w.last);
    free(w.buys), free(w.wanted), free(w.current);
}

EXPORT void kernel_free(void *memory) {
    free(memory);
}
