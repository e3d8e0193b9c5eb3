/* What the compiled pass works on: its argument, and the tile of bars under way. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { DIVIDEND, SPLIT, DAYS };
enum { DONE, TO_BE_NAMED, NO_MEMORY, TOO_MANY }; /* TO_BE_NAMED: a target or a price that books cannot take; Python says which */

typedef struct { /* fills.RECORD */
    int64_t ts;
    int32_t session, symbol;
    double quantity, price, reference, commission, slippage, realised;
} Fill;

typedef struct { /* a dividend, a split, or days that passed, in the order in which they apply */
    int64_t row;
    int32_t kind, column;
    double value;
} Due;

typedef struct { /* doubles; strides in values */
    const double *at;
    int64_t row, column;
} Table;

typedef struct { /* costs.Commission: fraction of the value, currency a share, currency an order */
    double rate, per_share, minimum;
} Commission;

typedef struct { /* costs.Slippage: fraction of the price, currency a share, fraction at the bar's whole volume */
    double rate, half_spread, impact;
} Slippage;

typedef struct { /* liquidity.py: shares of a lot, share of the volume; `volume.at` is NULL where it does not matter */
    double lot, cap;
    Table volume;
} Liquidity;

typedef struct { /* carry.py: of the value held short, of positive cash and of negative cash, a year */
    double borrow, credit, debit;
} Carry;

typedef struct { /* margin.Margin: equity that an account keeps, of the value held; 0 = no calls */
    double maintenance, leverage;
} Margin;

typedef struct { /* margin.MarginCall; what it traded are the fills from `first` on */
    int64_t ts, first, count;
    int32_t session, account;
    double equity, held;
} Call;

typedef struct { /* kernel.py fills it in; the arrays of the state are changed in place */
    int64_t rows, columns, bars, dues, filled, room, most, called, calls_room;
    Table open, close, targets;
    const int64_t *ts;
    const int32_t *session;
    const uint8_t *rhythm; /* (rows): an unchanged target is traded again; NULL for never */
    const Due *due;
    double *cash, *shares, *basis, *target, *pending, *unsized, *decided, *mark, *accrued, *carried;
    double *equity, *net, *gross; /* (rows), zeros */
    Fill *fills;
    Call *calls;
    double start_cash, credit;
    Commission commission;
    Slippage slippage;
    Liquidity liquidity;
    Carry carry;
    Margin margin;
    int32_t sleeves, at_fill, error;
} Pass;

typedef struct { /* what a column held, and its account's cash, until a row of the tile */
    double shares, cash;
    int32_t row, next;
} Held;

typedef struct { /* a target to be traded */
    double weight;
    int32_t column, next;
} Decision;

typedef struct { /* shares that an order wants, and the open at which it trades */
    double wanted, open;
    int64_t column;
} Buy;

typedef struct { /* an account below its maintenance margin, and the part of its positions that it keeps */
    double kept, equity, held;
    int64_t account;
} Called;

typedef struct { /* what one call works with; `columns + 1`: the last is the one account, which has cash only */
    Pass *p;
    int64_t base, height, tile, pitch, words;
    const double **mark; /* (columns): last known closes of the tile, in `filled` or where the caller has them */
    double *filled;      /* (columns, pitch) */
    double *before;      /* (columns): last known closes before the tile */
    double *current;     /* (columns): the target that was decided last */
    Buy *buys;           /* (columns): those of the row under way */
    uint64_t *waiting, *unsized, *holds; /* (words): a bit a column, where an order waits, a target waits, shares are held */
    int64_t orders, targets;             /* bits set in `waiting` and `unsized` */
    int32_t *first, *last;               /* (tile): a row's decisions, a list by ascending column */
    Decision *decision;
    int64_t decisions;
    int32_t *oldest, *newest; /* (columns + 1): what was held before, a list by ascending row */
    Held *held;
    int64_t changes, room;
    Called *called; /* (columns): those of the row under way */
    int64_t calls;
} Work;

/* Runs over the columns whose bit is set, in ascending order; the set may change meanwhile. */
#define EACH(i, set, words)                                                                                            \
    for (int64_t word_ = 0; word_ < (words); word_++)                                                                  \
        for (uint64_t bits_ = (set)[word_], i; bits_ && (i = 64 * (uint64_t)word_ + (uint64_t)__builtin_ctzll(bits_), 1); \
             bits_ &= bits_ - 1)

static inline int has(const uint64_t *set, int64_t i) {
    return set[i >> 6] >> (i & 63) & 1;
}

static inline void put(uint64_t *set, int64_t i, int yes) {
    uint64_t bit = (uint64_t)1 << (i & 63);
    set[i >> 6] = yes ? set[i >> 6] | bit : set[i >> 6] & ~bit;
}

static inline int none(double value) {
    return value != value;
}

static inline double at(const Table *table, int64_t row, int64_t column) {
    return table->at[row * table->row + column * table->column];
}
