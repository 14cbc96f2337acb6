"""Pieces of exported Python modules that are the same in all; `str.format` fills in what differs."""

HEAD = '''\
"""{title}, written by `zero export`. It needs NumPy 2 alone, and Python 3.11.

{usage}

NOTES tells where it comes from. The functions setup, predict and learn are the program, line by line; the
names of its memory are those of the search: s are scalars, v vectors and m matrices; v0 holds the
features, s0 the label, s1 the prediction.
"""

from __future__ import annotations

{imports}import numpy as np

NOTES = {notes}
DTYPE = np.{dtype}
MAX_ABS_ERROR = {limit!r}  # training fails at a larger error
'''

USAGE_TRAINED = """\
    model = Model()                        # trained
    model.predict(prepare(rows))           # rows: dicts, a dict of columns, or an array of cells
    model.partial_fit(X, y)                # goes on training; fit(X, y) begins anew"""

USAGE_ALONE = """\
    model = Model().fit(X, y, epochs=1)    # X: (N, F) numbers, best standardised; y: (N,) numbers
    model.predict(X)                       # Model(classify=True) learns labels 0 and 1"""

TRAINED = '''

class Model:
    """The program with its memory, which is trained: one for each output."""

    def __init__(self):
        self.memories = [dict(memory) for memory in MEMORIES]
        self.step = STEP

    def fit(self, X, y, epochs=1):
        """Trains from zero on features X (N, F) and labels y, in this order; returns the model."""
        self.memories = [new_memory(F) for _ in TASK_KEYS]
        for memory, key in zip(self.memories, TASK_KEYS):
            with np.errstate(all="ignore"):
                setup(memory{setup_at})
        self.step = 0
        return self.partial_fit(X, y, epochs)

    def partial_fit(self, X, y, epochs=1):
        """Trains on; returns the model. Raises ArithmeticError where an error is too large or NaN."""
        X = check(X, F)
        targets = targets_of(y)
        for memory, key, target in zip(self.memories, TASK_KEYS, targets):
            train(memory, X, target, epochs, {classify}, key, self.step)
        self.step += epochs * len(X)
        return self

    def scores(self, X):
        """Returns the predictions s1 of features X (N, F): (N, outputs)."""
        X = check(X, F)
        found = np.empty((len(X), len(self.memories)), DTYPE)
        for start in range(0, len(X), {block}):
            part = X[start : start + {block}]
            for k, memory in enumerate(self.memories):
                with np.errstate(all="ignore"):
                    s1 = predict(dict(memory), part{predict_at})
                found[start : start + {block}, k] = s1
        return found
'''

REGRESSION = '''
    def predict(self, X):
        """Returns a number for each row of features."""
        return self.scores(X)[:, 0].astype(np.float64) * TARGET_SCALE + TARGET_MEAN


def targets_of(y):
    """Returns what each output is trained to say."""
    y = np.asarray(y, np.float64)
    return [(y - TARGET_MEAN) / TARGET_SCALE if TARGET_SCALE else np.zeros(len(y))]
'''

CLASSES = '''
    def predict(self, X):
        """Returns the name of a class for each row of features."""
        return np.array(CLASSES)[self.predict_proba(X).argmax(axis=1)]

    def predict_proba(self, X):
        """Returns the probabilities of CLASSES (N, K); a prediction that is NaN says nothing."""
        ones = sigmoid(np.nan_to_num(self.scores(X).astype(np.float64), nan=-np.inf))
        if ones.shape[1] == 1:
            return np.hstack([1.0 - ones, ones])
        total = ones.sum(axis=1, keepdims=True)
        with np.errstate(all="ignore"):
            return np.where(total > 0, ones / total, 1.0 / ones.shape[1])


def targets_of(y):
    """Returns what each output is trained to say: 1 for its class, else 0; y: names of CLASSES."""
    texts = [str(name) if str(name) in CLASSES else number_text(float(name)) for name in y]
    labels = np.array([CLASSES.index(text) for text in texts])
    outputs = [1] if len(TASK_KEYS) == 1 else range(len(CLASSES))
    return [(labels == k).astype(np.float64) for k in outputs]
'''

ALONE = '''

class Model:
    """The program with its memory. `classify`: labels are 0 and 1, s1 goes through a sigmoid."""

    def __init__(self, classify=False, key=0):
        self.classify, self.key = classify, key
        self.memory = None
        self.step = 0

    def fit(self, X, y, epochs=1):
        """Trains from zero on features X (N, F) and labels y, in this order; returns the model."""
        self.memory, self.step = None, 0
        return self.partial_fit(X, y, epochs)

    def partial_fit(self, X, y, epochs=1):
        """Trains on; returns the model. Raises ArithmeticError where an error is too large or NaN."""
        X = check(X, np.shape(X)[-1] if self.memory is None else self.memory["F"])
        if self.memory is None:
            self.memory, key = new_memory(X.shape[1]), self.key
            with np.errstate(all="ignore"):
                setup(self.memory{setup_at})
        train(self.memory, X, y, epochs, self.classify, self.key, self.step)
        self.step += epochs * len(X)
        return self

    def predict(self, X):
        """Returns s1 for each row of features, with `classify` the label."""
        if self.memory is None:
            raise ValueError("fit the model first")
        X, key = check(X, self.memory["F"]), self.key
        with np.errstate(all="ignore"):
            s1 = predict(dict(self.memory), X{predict_at})
        s1 = np.broadcast_to(s1, len(X)).copy()
        return (sigmoid(s1) > 0.5).astype(np.int64) if self.classify else s1
'''

TRAIN = '''

def train(memory, X, y, epochs, classify, key, step):
    """Trains one memory on rows in order, in later epochs in a shuffled one."""
    y = np.asarray(y, np.float64).astype(DTYPE)
    with np.errstate(all="ignore"):
        for order in epoch_orders(len(X), epochs):
            for row in order:
                s1 = predict(memory, X[row]{train_predict_at})
                if classify:
                    memory["s1"] = s1 = sigmoid(s1)
                if not abs(y[row] - s1) <= MAX_ABS_ERROR:
                    raise ArithmeticError(
                        f"training failed in step {{step}}: an error above {{MAX_ABS_ERROR:g}}, or NaN"
                    )
                learn(memory, X[row], y[row]{learn_at})
                step += 1


def check(X, features):
    """Returns features as an array of numbers (N, F)."""
    X = np.asarray(X).astype(DTYPE)
    if X.ndim != 2 or X.shape[1] != features:
        raise ValueError(f"features of shape {{X.shape}} given, expected (N, {{features}})")
    return X
'''

COLUMNS = """
# How a row becomes features, column by column: a number itself, a date's parts (days since 1970, month,
# weekday from Monday = 0, hour), "fill" where the cell is empty; 1 or 0 for each of a column's categories,
# and for other texts than those known; with "missing" 1 where the cell is empty. low, high: seen in training.
"""

PREPARE = '''

def prepare(rows):
    """Returns features (N, F) of raw rows.

    rows: a list of dicts, a dict of columns (a pandas frame too), or a 2-D array with the cells of
    COLUMNS in this order. Cells are numbers or texts; None, NaN and texts such as "" are empty.
    Raises ValueError for cells that are not what they should be. Warns where a column does not look
    as in training (see `unlike`).
    """
    raw = raw_features(rows, COLUMNS, DECIMAL)
    x = scaled(raw, MEAN, SCALE)
    return {result}
'''
