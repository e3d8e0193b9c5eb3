/* The pass over bars and weights that books.py states, operation for operation: the same bytes, compiled.
 *
 * Bars are worked on in tiles of some hundred rows: first by column, last known closes and the targets that changed; then
 * the rows on which something happens, in the order of books.py; then by column again the values of what was held. Every
 * sum runs over ascending columns, as in Python.
 */
#include "kernel.h"
#include "kernel_market.h" /* from here on each uses what stands before it */
#include "kernel_ledger.h"
#include "kernel_carry.h"
#include "kernel_margin.h"
#include "kernel_books.h"

#define EXPORT __attribute__((visibility("default")))
#define TILE 65536 /* values in a tile, half of what the second-level cache holds */
#define STRIP 8    /* targets looked at together */

/* Puts the column's last known closes into `filled`, or points at the caller's where there is no gap. */
static void carry_mark(Work *w, int64_t i) {
    Pass *p = w->p;
    const double *close = p->close.at + w->base * p->close.row + i * p->close.column;
    double *filled = w->filled + i * w->pitch, known = p->mark[i];
    w->before[i] = known;
    int64_t stride = p->close.row, gaps = 0;
    if (stride == 1)
        for (int64_t t = 0; t < w->height; t++)
            gaps += close[t] != close[t];
    w->mark[i] = stride == 1 && !gaps ? close : filled;
    for (int64_t t = 0; w->mark[i] == filled && t < w->height; t++) {
        double value = close[t * stride];
        filled[t] = known = none(value) ? known : value;
    }
    p->mark[i] = w->mark[i][w->height - 1];
}

/* States last known closes in shares after a split, until the symbol trades again. */
static void split_marks(Work *w, const Due *due) {
    int64_t i = due->column, row = due->row - w->base;
    double *mark = w->filled + i * w->pitch, after = w->mark[i][row] / due->value;
    for (; row < w->height && none(at(&w->p->close, w->base + row, i)); row++)
        mark[row] = after; /* there is a gap, so that the marks are in `filled` */
    w->p->mark[i] = w->mark[i][w->height - 1];
}

static inline void prefetch(const Table *table, int64_t row, int64_t column) {
    __builtin_prefetch(table->at + row * table->row + column * table->column);
}

static void note(Work *w, int64_t row, int64_t column, double weight) {
    int32_t k = (int32_t)w->decisions++;
    w->decision[k] = (Decision){weight, (int32_t)column, -1};
    if (w->first[row] < 0)
        w->first[row] = k;
    else
        w->decision[w->last[row]].next = k;
    w->last[row] = k;
    prefetch(&w->p->open, w->base + row + 1, column); /* where it will most likely fill, some thousand steps from now */
    if (w->p->liquidity.volume.at)
        prefetch(&w->p->liquidity.volume, w->base + row + 1, column);
}

typedef double Pair __attribute__((vector_size(16), aligned(8)));
typedef int64_t Bits __attribute__((vector_size(16)));

/* Rows from `t` on whose targets are certainly nothing new: whole strips of NaN or of the target before. */
static int64_t skip(const double *target, int64_t t, int64_t height, double before) {
    const Pair same = {before, before};
    for (; t + STRIP <= height; t += STRIP) {
        Bits fresh = {0, 0};
        for (int k = 0; k < STRIP; k += 2) {
            Pair weight = *(const Pair *)(target + t + k);
            fresh |= (weight != same) & (weight == weight);
        }
        if (fresh[0] | fresh[1])
            break;
    }
    return t;
}

/* Lists the column's targets that are to be traded: those that changed, and on the rhythm's rows all. */
static void scan_targets(Work *w, int64_t i) {
    Pass *p = w->p;
    const double *target = p->targets.at + w->base * p->targets.row + i * p->targets.column;
    const uint8_t *rhythm = p->rhythm ? p->rhythm + w->base : NULL;
    const int64_t stride = p->targets.row, height = w->height;
    double before = p->target[i];
    for (int64_t t = 0; t < height;) {
        int64_t strip = t + STRIP < height ? t + STRIP : height;
        if (stride == 1 && !rhythm && (t = skip(target, t, height, before)) < height)
            strip = t + STRIP < height ? t + STRIP : height;
        for (; t < strip; t++) {
            double weight = target[t * stride];
            if (none(weight) || (weight == before && !(rhythm && rhythm[t])))
                continue;
            if (isinf(weight))
                p->error = TO_BE_NAMED;
            note(w, t, i, weight);
            before = weight;
        }
    }
    for (int64_t t = height; before == 0.0 && t-- > 0;) /* 0 and -0 are one target, and two in the state's bytes */
        if (!none(target[t * stride])) {
            before = target[t * stride];
            break;
        }
    p->target[i] = before;
}

static void add_values(double *restrict net, double *restrict gross, const double *restrict mark, double shares,
                       int64_t rows) {
    for (int64_t t = 0; t < rows; t++) {
        double value = shares * mark[t];
        net[t] += value;
        gross[t] += fabs(value);
    }
}

static void add_sleeve(double *restrict net, double *restrict gross, double *restrict equity,
                       const double *restrict mark, double shares, double cash, int64_t rows) {
    if (shares == 0.0)
        for (int64_t t = 0; t < rows; t++)
            equity[t] += cash;
    else
        for (int64_t t = 0; t < rows; t++) {
            double value = shares * mark[t];
            net[t] += value;
            gross[t] += fabs(value);
            equity[t] += cash + value;
        }
}

/* Values what column i held in the tile; column `columns` stands for the one account's cash. */
static void value(Work *w, int64_t i) {
    Pass *p = w->p;
    double *net = p->net + w->base, *gross = p->gross + w->base, *equity = p->equity + w->base;
    int64_t from = 0;
    for (int32_t k = w->oldest[i]; from < w->height; k = k < 0 ? k : w->held[k].next) {
        Held held = {0.0, p->cash[p->sleeves ? i : 0], (int32_t)w->height, -1};
        if (k >= 0)
            held = w->held[k];
        else if (i < p->columns)
            held.shares = p->shares[i];
        int64_t rows = held.row - from;
        if (i == p->columns)
            for (int64_t t = from; t < held.row; t++)
                equity[t] += held.cash + net[t];
        else if (p->sleeves)
            add_sleeve(net + from, gross + from, equity + from, w->mark[i] + from, held.shares, held.cash, rows);
        else if (held.shares != 0.0)
            add_values(net + from, gross + from, w->mark[i] + from, held.shares, rows);
        from = held.row;
    }
    w->oldest[i] = -1;
}

/* Begins a row: days that passed, the margin, dividends and splits; `due`: the first not yet applied; returns the next. */
static int64_t begin(Work *w, int64_t row, int64_t due) {
    Pass *p = w->p;
    int64_t at_row = w->base + row;
    for (; due < p->dues && p->due[due].row == at_row && p->due[due].kind == DAYS; due++)
        carry(w, row, p->due[due].value);
    if (p->margin.maintenance != 0.0)
        look(w, row);
    for (; due < p->dues && p->due[due].row == at_row; due++)
        act(w, row, &p->due[due]);
    return due;
}

/* Works on the tile's rows on which something happens; `due`: the first action not yet applied; returns the next. */
static int64_t work_rows(Work *w, int64_t due) {
    Pass *p = w->p;
    int watched = p->margin.maintenance != 0.0;
    for (int64_t row = 0; row < w->height && !p->error; row++) {
        int64_t acts = due < p->dues ? p->due[due].row - w->base : w->height;
        if (!w->orders && !w->targets && !watched)
            while (row < w->height && w->first[row] < 0 && row < acts)
                row++;
        if (row == w->height)
            break;
        due = begin(w, row, due);
        if (w->orders || w->calls)
            fill(w, row);
        if (w->first[row] >= 0 || w->targets)
            decide(w, row);
    }
    return due;
}

static int64_t work_tile(Work *w, int64_t due) {
    Pass *p = w->p;
    w->decisions = w->changes = 0;
    memset(w->first, 0xff, (size_t)w->height * sizeof *w->first);
    for (int64_t i = 0; i < p->columns; i++) {
        carry_mark(w, i);
        scan_targets(w, i);
    }
    for (int64_t k = due; k < p->dues && p->due[k].row < w->base + w->height; k++)
        if (p->due[k].kind == SPLIT && none(at(&p->close, p->due[k].row, p->due[k].column)))
            split_marks(w, &p->due[k]);
    due = work_rows(w, due);
    for (int64_t i = 0; i < p->columns + !p->sleeves && !p->error; i++)
        value(w, i);
    return due;
}

static int prepare(Work *w) {
    Pass *p = w->p;
    int64_t tile = TILE / p->columns;
    w->tile = tile < STRIP ? STRIP : tile > 2048 ? 2048 : tile;
    w->pitch = w->tile + 8; /* no power of two, which would put a row's values into one set of the cache */
    w->words = (p->columns + 63) / 64;
    w->room = 256;
    size_t wide = (size_t)p->columns, words = (size_t)w->words, tall = (size_t)w->tile;
    w->mark = malloc(wide * sizeof(double *));
    w->filled = malloc(wide * (size_t)w->pitch * sizeof(double));
    w->before = malloc(wide * sizeof(double));
    w->current = malloc(wide * sizeof(double));
    w->buys = malloc(wide * sizeof(Buy));
    w->waiting = calloc(3 * words, sizeof(uint64_t));
    w->first = malloc(2 * tall * sizeof(int32_t));
    w->decision = malloc(wide * tall * sizeof(Decision));
    w->oldest = malloc(2 * (wide + 1) * sizeof(int32_t));
    w->held = malloc((size_t)w->room * sizeof(Held));
    w->called = malloc(wide * sizeof(Called));
    if (!w->mark || !w->filled || !w->before || !w->current || !w->buys || !w->waiting || !w->first || !w->decision ||
        !w->oldest || !w->held || !w->called)
        return 0;
    w->unsized = w->waiting + words, w->holds = w->unsized + words;
    w->last = w->first + tall, w->newest = w->oldest + wide + 1;
    memcpy(w->current, p->target, wide * sizeof(double));
    memset(w->oldest, 0xff, (wide + 1) * sizeof(int32_t));
    for (int64_t i = 0; i < p->columns; i++) {
        put(w->holds, i, p->shares[i] != 0.0);
        set_pending(w, i, p->pending[i]);
        set_unsized(w, i, p->unsized[i] != 0.0);
    }
    return 1;
}

/* Carries the books over a block; the caller gives `fills` and `calls` back to `kernel_free`. */
EXPORT void kernel_pass(Pass *p) {
    Work w = {.p = p};
    int64_t due = 0;
    if (!prepare(&w))
        p->error = NO_MEMORY;
    for (; w.base < p->rows && !p->error; w.base += w.tile) {
        w.height = p->rows - w.base < w.tile ? p->rows - w.base : w.tile;
        due = work_tile(&w, due);
    }
    free(w.mark), free(w.filled), free(w.before), free(w.current), free(w.buys);
    free(w.waiting), free(w.first), free(w.decision), free(w.oldest), free(w.held), free(w.called);
}

EXPORT void kernel_free(void *memory) {
    free(memory);
}
