"""Pieces of C that are the same in all exports but for NAME, which stands for the export's name."""

USAGE = """a predictor in C99 with its training.

     NAME_model model;                            NAME_init(&model);  (trained)
     NAME_prepare(cells, features)                0, or the number (from 1) of a cell that is wrong
     NAME_predict(&model, features, shares)       a number, or that of a class: NAME_classes[...];
                                                  shares: NULL, or room for each class's probability
     NAME_learn_row(&model, features, label)      0, or 1 if the error is too large or no number
     NAME_reset(&model)                           as before all training

   Cells are texts; "" is an empty one. Compile with -DNAME_HEAP for NAME_new and NAME_free, with
   -DNAME_MAIN for a command that reads rows of cells between tabs and prints predictions. Another file
   includes this one as a header after #define NAME_HEADER."""

USAGE_ALONE = """a learning algorithm in C99.

     NAME_model model;                            NAME_init(&model);
     NAME_learn_row(&model, features, label)      0, or 1 if the error is too large or no number
     NAME_predict(&model, features)               the prediction

   Compile with -DNAME_F=N for N features (best standardised) and with -DNAME_CLASSIFY=1 for labels 0
   and 1, whose predictions then are 0 or 1; with -DNAME_HEAP for NAME_new and NAME_free, with
   -DNAME_MAIN for a command that reads rows of features and a label between tabs, and prints what it
   predicts for each before it learns it. Another file includes this one as a header after
   #define NAME_HEADER."""

INCLUDES = """\
#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

"""

SIZES_ALONE = """\
#ifndef NAME_F
#define NAME_F 8 /* features */
#endif
#ifndef NAME_CLASSIFY
#define NAME_CLASSIFY 0
#endif
#define NAME_OUTPUTS 1
"""

_DECLARED = """
typedef struct {
    NAME_memory memories[NAME_OUTPUTS];
    uint32_t step; /* rows learned */
} NAME_model;

void NAME_init(NAME_model *model);
void NAME_reset(NAME_model *model);
int NAME_learn_row(NAME_model *model, const NAME_real *features, double label);
#ifdef NAME_HEAP
NAME_model *NAME_new(void); /* NULL without memory */
void NAME_free(NAME_model *model);
#endif
"""

DECLARED_ALONE = (
    _DECLARED + "double NAME_predict(const NAME_model *model, const NAME_real *features);\n"
)

DECLARED = (
    _DECLARED
    + """\
double NAME_predict(const NAME_model *model, const NAME_real *features, double *shares);
int NAME_prepare(const char *const cells[], NAME_real *features);
extern const char *const NAME_classes[];
extern const char *const NAME_columns[];
"""
)

PHILOX = """\
/* Philox-4x32-10: a random number is a function of what it is drawn for. */
static void NAME_words(uint32_t x0, uint32_t x1, uint32_t x2, uint32_t x3, uint32_t *words)
{
    uint32_t k0 = KEY_LOW, k1 = KEY_HIGH;
    int round;
    for (round = 0; round < 10; round++) {
        uint64_t p = (uint64_t)x0 * 0xD2511F53u, q = (uint64_t)x2 * 0xCD9E8D57u;
        x0 = (uint32_t)(q >> 32) ^ x1 ^ k0;
        x1 = (uint32_t)q;
        x2 = (uint32_t)(p >> 32) ^ x3 ^ k1;
        x3 = (uint32_t)p;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    words[0] = x0; words[1] = x1; words[2] = x2; words[3] = x3;
}

static double NAME_unit(uint32_t high, uint32_t low)
{
    return ((double)(((uint64_t)high << 20) | (low >> 12)) + 0.5) / 4503599627370496.0;
}
"""

UNIFORM = """\
static double NAME_uniform(double low, double high, uint32_t element, uint32_t step,
                           uint32_t stream, uint32_t task)
{
    uint32_t x[4];
    NAME_words(element, step, stream, task, x);
    return low < high ? low + NAME_unit(x[0], x[1]) * (high - low) : low;
}
"""

GAUSSIAN = """\
static double NAME_gaussian(double mean, double stdev, uint32_t element, uint32_t step,
                            uint32_t stream, uint32_t task)
{
    uint32_t x[4];
    NAME_words(element, step, stream, task, x);
    return mean + stdev * (sqrt(-2.0 * log(NAME_unit(x[0], x[1])))
                           * cos(2.0 * 3.141592653589793 * NAME_unit(x[2], x[3])));
}
"""

_SIGMOID = """\
static NAME_real NAME_sigmoid(NAME_real x)
{
    return (NAME_real)(1 / (1 + exp(-x)));
}

/* One step of training of one memory; 1 if it failed. */
static int NAME_learn_output(NAME_memory *m, const NAME_real *features, NAME_real label,
                             uint32_t step, int classify)
{
    NAME_real error;
    m->s0 = 0;
    memcpy(m->v0, features, sizeof m->v0);
    NAME_predict_row(m, 1, step);
    if (classify) m->s1 = NAME_sigmoid(m->s1);
    error = label - m->s1;
    if (!(error <= NAME_MAX_ABS_ERROR && error >= -NAME_MAX_ABS_ERROR)) return 1;
    m->s0 = label;
    memcpy(m->v0, features, sizeof m->v0);
    NAME_learn(m, 2, step);
    return 0;
}

/* The prediction for a row, whatever came before it: of a copy of the memory. */
static NAME_real NAME_score(const NAME_memory *trained, const NAME_real *features, uint32_t step)
{
    NAME_memory m = *trained;
    m.s0 = 0;
    memcpy(m.v0, features, sizeof m.v0);
    NAME_predict_row(&m, 3, step);
    return m.s1;
}
"""

MODEL_ALONE = (
    _SIGMOID
    + """
void NAME_reset(NAME_model *model)
{
    memset(model, 0, sizeof *model);
    NAME_setup(&model->memories[0], 0, 0);
}

void NAME_init(NAME_model *model)
{
    NAME_reset(model);
}

int NAME_learn_row(NAME_model *model, const NAME_real *features, double label)
{
    return NAME_learn_output(&model->memories[0], features, (NAME_real)label, model->step++,
                             NAME_CLASSIFY);
}

double NAME_predict(const NAME_model *model, const NAME_real *features)
{
    NAME_real score = NAME_score(&model->memories[0], features, model->step);
    return NAME_CLASSIFY ? NAME_sigmoid(score) > 0.5 : score;
}
"""
)

MODEL = (
    _SIGMOID
    + """
void NAME_reset(NAME_model *model)
{
    int k;
    memset(model, 0, sizeof *model);
    for (k = 0; k < NAME_OUTPUTS; k++) {
        model->memories[k].task = NAME_trained[k].task;
        NAME_setup(&model->memories[k], 0, 0);
    }
}

void NAME_init(NAME_model *model)
{
    memcpy(model->memories, NAME_trained, sizeof NAME_trained);
    model->step = NAME_trained_step;
}

/* label: a number, or that of a class. */
int NAME_learn_row(NAME_model *model, const NAME_real *features, double label)
{
    int k, failed = 0;
    for (k = 0; k < NAME_OUTPUTS; k++) {
        NAME_LEARN
    }
    model->step++;
    return failed;
}

double NAME_predict(const NAME_model *model, const NAME_real *features, double *shares)
{
    NAME_PREDICT
}
"""
)

LEARN_NUMBER = """\
NAME_real target = (NAME_real)(NAME_target_scale == 0 ? 0
                                       : (label - NAME_target_mean) / NAME_target_scale);
        failed |= NAME_learn_output(&model->memories[k], features, target, model->step, CLASSIFY);"""

LEARN_CLASS = """\
NAME_real target = label == (NAME_OUTPUTS == 1 ? 1 : k);
        failed |= NAME_learn_output(&model->memories[k], features, target, model->step, CLASSIFY);"""

PREDICT_NUMBER = """\
double score = NAME_score(&model->memories[0], features, model->step);
    (void)shares;
    return score * NAME_target_scale + NAME_target_mean;"""

PREDICT_CLASS = """\
double ones[NAME_CLASSES], total = 0;
    int k, best = 0;
    for (k = 0; k < NAME_OUTPUTS; k++) {
        double score = NAME_score(&model->memories[k], features, model->step);
        ones[k] = score == score ? 1 / (1 + exp(-score)) : 0; /* NaN says nothing */
    }
    if (NAME_OUTPUTS == 1) {
        ones[1] = ones[0];
        ones[0] = 1 - ones[1];
    }
    for (k = 0; k < NAME_CLASSES; k++) {
        total += ones[k];
        if (ones[k] > ones[best]) best = k;
    }
    for (k = 0; k < NAME_CLASSES && shares; k++)
        shares[k] = total > 0 ? ones[k] / total : 1.0 / NAME_CLASSES;
    return best;"""

CELL = """\
typedef struct {
    const char *start;
    size_t size; /* 0: an empty cell */
} NAME_text;

static int NAME_same(NAME_text text, const char *other, int fold)
{
    size_t k;
    for (k = 0; k < text.size && other[k]; k++) {
        int c = (unsigned char)text.start[k];
        if ((fold ? tolower(c) : c) != (unsigned char)other[k]) return 0;
    }
    return k == text.size && !other[k];
}

/* A cell without blanks at its ends; empty if it is a text that stands for no value. */
static NAME_text NAME_cell(const char *cell)
{
    NAME_text text;
    int k;
    text.start = cell;
    while (isspace((unsigned char)*text.start)) text.start++;
    text.size = strlen(text.start);
    while (text.size && isspace((unsigned char)text.start[text.size - 1])) text.size--;
    for (k = 0; NAME_empty[k]; k++)
        if (NAME_same(text, NAME_empty[k], 1)) text.size = 0;
    return text;
}
"""

NUMBER = """\
/* Reads a number such as -1.5e3, true or false; 0 if it is none. Needs the locale "C". */
static int NAME_number(NAME_text text, char decimal, double *number)
{
    char buffer[400];
    size_t k = 0, digits = 0;
    if (NAME_same(text, "true", 1) || NAME_same(text, "false", 1)) {
        *number = text.size == 4;
        return 1;
    }
    if (text.size >= sizeof buffer) return 0;
    memcpy(buffer, text.start, text.size);
    buffer[text.size] = 0;
    if (buffer[k] == '+' || buffer[k] == '-') k++;
    for (; isdigit((unsigned char)buffer[k]); k++) digits++;
    if (buffer[k] == decimal)
        for (buffer[k++] = '.'; isdigit((unsigned char)buffer[k]); k++) digits++;
    if (!digits) return 0;
    if (buffer[k] == 'e' || buffer[k] == 'E') {
        k++;
        if (buffer[k] == '+' || buffer[k] == '-') k++;
        if (!isdigit((unsigned char)buffer[k])) return 0;
        while (isdigit((unsigned char)buffer[k])) k++;
    }
    *number = strtod(buffer, NULL);
    return k == text.size && *number <= 1.7976931348623157e308 && *number >= -1.7976931348623157e308;
}
"""

KNOWN = """\
/* The place of a text among those known, or how many there are; values: numbers that they are. */
static int NAME_known(NAME_text text, const char *const *known, const double *values, char decimal)
{
    double number;
    int k, is_number;
    for (k = 0; known[k]; k++)
        if (NAME_same(text, known[k], 0)) return k;
    is_number = NAME_number(text, decimal, &number);
    for (k = 0; known[k]; k++)
        if (is_number && number == values[k]) return k;
    return k;
}
"""

DATE = """\
static int NAME_digits(const char **at, const char *end, int count, int *value)
{
    for (*value = 0; count; count--, (*at)++) {
        if (*at >= end || !isdigit((unsigned char)**at)) return 0;
        *value = 10 * *value + (**at - '0');
    }
    return 1;
}

static int NAME_mark(const char **at, const char *end, const char *marks)
{
    if (*at >= end || !strchr(marks, **at)) return 0;
    (*at)++;
    return 1;
}

/* Reads 2024-01-31, 2024-01-31T12:30, with seconds and a zone too, as seconds from 1970 (UTC). */
static int NAME_date(NAME_text text, double *seconds)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const char *at = text.start, *end = text.start + text.size;
    int year, month, day, hour = 0, minute = 0, second = 0, leap, length, zone_hour, zone_minute;
    double days, fraction = 0, zone = 0;
    if (!NAME_digits(&at, end, 4, &year) || !NAME_mark(&at, end, "-")) return 0;
    if (!NAME_digits(&at, end, 2, &month) || !NAME_mark(&at, end, "-")) return 0;
    if (!NAME_digits(&at, end, 2, &day) || year < 1 || month < 1 || month > 12) return 0;
    leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    length = lengths[month - 1] + (month == 2 && leap);
    if (day < 1 || day > length) return 0;
    if (NAME_mark(&at, end, "T ")) {
        if (!NAME_digits(&at, end, 2, &hour) || !NAME_mark(&at, end, ":")) return 0;
        if (!NAME_digits(&at, end, 2, &minute)) return 0;
        if (NAME_mark(&at, end, ":")) {
            if (!NAME_digits(&at, end, 2, &second)) return 0;
            if (NAME_mark(&at, end, ".")) {
                double unit = 1;
                int figure, count = 0;
                for (; at < end && isdigit((unsigned char)*at); count++) {
                    NAME_digits(&at, end, 1, &figure);
                    if (count < 6) fraction += figure * (unit /= 10); /* microseconds count */
                }
                if (count < 1 || count > 9) return 0;
            }
        }
        if (hour > 23 || minute > 59 || second > 59) return 0;
        if (at < end && (*at == '+' || *at == '-')) {
            int sign = *at++ == '-' ? -1 : 1;
            if (!NAME_digits(&at, end, 2, &zone_hour)) return 0;
            NAME_mark(&at, end, ":");
            if (!NAME_digits(&at, end, 2, &zone_minute)) return 0;
            if (zone_hour > 23 || zone_minute > 59) return 0;
            zone = sign * (zone_hour * 3600.0 + zone_minute * 60.0);
        } else {
            NAME_mark(&at, end, "Z");
        }
    }
    /* Days of the years and months before, counted from March. */
    year -= month <= 2;
    month += month <= 2 ? 9 : -3;
    days = 365.0 * year + floor(year / 4.0) - floor(year / 100.0) + floor(year / 400.0)
           + floor((153 * month + 2) / 5.0) + day - 719469;
    *seconds = days * 86400 + hour * 3600.0 + minute * 60.0 + second + fraction - zone;
    return at == end;
}
"""

# What a date's parts are, of seconds from 1970.
PARTS = {
    "days": """\
static double NAME_days(double seconds)
{
    return seconds / 86400;
}
""",
    "month": """\
static double NAME_month(double seconds)
{
    double days = floor(seconds / 86400) + 719468, era = floor(days / 146097), m;
    double of_era = days - era * 146097;
    double year = floor((of_era - floor(of_era / 1460) + floor(of_era / 36524)
                         - floor(of_era / 146096)) / 365);
    m = floor((5 * (of_era - (365 * year + floor(year / 4) - floor(year / 100))) + 2) / 153);
    return m < 10 ? m + 3 : m - 9;
}
""",
    "weekday": """\
static double NAME_weekday(double seconds)
{
    double days = floor(seconds / 86400) + 3;
    return days - 7 * floor(days / 7);
}
""",
    "hour": """\
static double NAME_hour(double seconds)
{
    double days = seconds / 86400;
    return (days - floor(days)) * 24;
}
""",
}

PROJECTED = """\
    for (k = 0; k < NAME_F; k++) {
        double sum = 0;
        for (at = 0; at < RAW; at++) sum += raw[at] * NAME_matrix[at][k];
        features[k] = (NAME_real)(NAME_scale_after[k] == 0
                                  ? 0 : (sum - NAME_mean_after[k]) / NAME_scale_after[k]);
    }"""

HEAP = """\
#ifdef NAME_HEAP
NAME_model *NAME_new(void)
{
    NAME_model *model = malloc(sizeof *model);
    if (model) NAME_init(model);
    return model;
}

void NAME_free(NAME_model *model)
{
    free(model);
}
#endif
"""

_READ = """\
#ifdef NAME_MAIN
static char NAME_line[1 << 20];

/* Cuts the next line at its tabs; returns how many cells it has, 0 at the end. */
static int NAME_read(const char **cells, int most)
{
    int count = 0;
    char *at = NAME_line;
    if (!fgets(NAME_line, sizeof NAME_line, stdin)) return 0;
    NAME_line[strcspn(NAME_line, "\\r\\n")] = 0;
    while (at && count <= most) {
        char *tab = strchr(at, '\\t');
        if (tab) *tab++ = 0;
        if (count < most) cells[count] = at;
        count++;
        at = tab;
    }
    return count;
}
"""

MAIN = (
    _READ
    + """
int main(void)
{
    static NAME_model model;
    static NAME_real features[NAME_F];
    const char *cells[NAME_CELLS];
    long row = 0;
    int count;
    NAME_init(&model);
    while ((count = NAME_read(cells, NAME_CELLS)) > 0) {
        double found;
        int bad = count == NAME_CELLS ? NAME_prepare(cells, features) : -1;
        row++;
        if (bad) {
            fprintf(stderr, "row %ld: %s\\n", row,
                    bad < 0 ? "another number of cells" : NAME_columns[bad - 1]);
            return 1;
        }
        found = NAME_predict(&model, features, NULL);
        if (NAME_CLASSES) printf("%s\\n", NAME_classes[(int)found]);
        else printf("%.17g\\n", found);
    }
    return 0;
}
#endif
"""
)

MAIN_ALONE = (
    _READ
    + """
int main(void)
{
    static NAME_model model;
    static NAME_real features[NAME_F];
    const char *cells[NAME_F + 1];
    int count, k;
    NAME_init(&model);
    while ((count = NAME_read(cells, NAME_F + 1)) > 0) {
        if (count != NAME_F + 1) {
            fprintf(stderr, "a row has another number of cells than %d\\n", NAME_F + 1);
            return 1;
        }
        for (k = 0; k < NAME_F; k++) features[k] = (NAME_real)atof(cells[k]);
        printf("%.17g\\n", NAME_predict(&model, features));
        if (NAME_learn_row(&model, features, atof(cells[NAME_F]))) {
            fprintf(stderr, "training failed: an error is too large, or no number\\n");
            return 1;
        }
    }
    return 0;
}
#endif
"""
)
