// One function an op kind, for all dtypes and layouts; zero/programs/interpreter/reference.py is the definition.
// The switch that calls them and the formulas are written from the op table (zero/programs/cuda/source.py).
//
// A lane writes only what is its own. Kinds that read what other lanes wrote call sync() before they
// read, and again before anything is overwritten; the others need none.

enum Kind { NONE, S, V, M };

// --- formulas, element by element -----------------------------------------------------------------

// What an operand is at one element: a scalar is the same everywhere.
template <int KIND> struct Operand {
  const Unit &u;
  int place;
  REAL same;
  INLINE Operand(const Unit &u, int place) : u(u), place(place), same(KIND == S ? scalar(u, place) : REAL(0)) {}
  INLINE REAL of_vector(int e) const { return KIND == V ? element(u, place, e) : same; }
  INLINE Chunk of_matrix(int e, int c) const {
    if (KIND == M) return chunk(u, place, e, c);
    Chunk repeated;
#pragma unroll
    for (int w = 0; w < CHUNK; ++w) repeated.x[w] = same;
    return repeated;
  }
};

template <class Formula, int OUT, int A, int B> DEVICE void map(const Unit &u, const Row &r) {
  const Operand<A> a(u, r.a);
  const Operand<B> b(u, r.b);
  if (OUT == S) {
    scalar(u, r.out) = Formula::of(a.same, b.same);
  } else if (OUT == V) {
    // All are read before any is written: as they may be the same, the compiler would keep them in turn.
    REAL result[EACH];
#pragma unroll
    for (int e = 0; e < EACH; ++e) result[e] = Formula::of(a.of_vector(e), b.of_vector(e));
#pragma unroll
    for (int e = 0; e < EACH; ++e) element(u, r.out, e) = result[e];
  } else {
#pragma unroll(UNROLL_ROWS)
    for (int e = 0; e < EACH; ++e) {
#pragma unroll(UNROLL)
      for (int c = 0; c < CHUNKS; ++c) {
        const Chunk x = a.of_matrix(e, c), y = b.of_matrix(e, c);
        Chunk result;
#pragma unroll
        for (int w = 0; w < CHUNK; ++w) result.x[w] = Formula::of(x.x[w], y.x[w]);
        chunk(u, r.out, e, c) = result;
      }
    }
  }
}

// --- formulas over sums ----------------------------------------------------------------------------

struct Sums {
  REAL sum = 0, squares = 0;
  INLINE void add(REAL x) {
    sum += x;
    squares = add_product(squares, x, x);
  }
  // The sums over one row of this lane.
  INLINE void add_row(const Unit &u, int place, int e) {
#pragma unroll(UNROLL)
    for (int c = 0; c < CHUNKS; ++c) {
      const Chunk x = chunk(u, place, e, c);
#pragma unroll
      for (int w = 0; w < CHUNK; ++w)
        if (c * CHUNK + w < FEATURES) add(x.x[w]);
    }
  }
  // A formula says which sums it reads.
  template <class Formula> INLINE void add_lanes(const Unit &u) {
    if (Formula::reads_sum) sum = sum_of_task(u, sum);
    if (Formula::reads_squares) squares = sum_of_task(u, squares);
  }
};

template <class Formula, int A> DEVICE void reduce(const Unit &u, const Row &r) {
  Sums sums;
#pragma unroll(UNROLL_ROWS)
  for (int e = 0; e < EACH; ++e) {
    if (!is_real(u, e)) continue;
    if (A == V) sums.add(element(u, r.a, e)); else sums.add_row(u, r.a, e);
  }
  sums.template add_lanes<Formula>(u);
  scalar(u, r.out) = Formula::of(sums.sum, sums.squares, REAL(A == V ? FEATURES : FEATURES * FEATURES));
}

template <class Formula> DEVICE void reduce_rows(const Unit &u, const Row &r) {
#pragma unroll(UNROLL_ROWS)
  for (int e = 0; e < EACH; ++e) {
    Sums sums;
    sums.add_row(u, r.a, e);
    element(u, r.out, e) = Formula::of(sums.sum, sums.squares, REAL(FEATURES));
  }
}

template <class Formula> DEVICE void reduce_columns(const Unit &u, const Row &r) {
#pragma unroll 1
  for (int j = 0; j < FEATURES; ++j) {
    Sums sums;
#pragma unroll(UNROLL_ROWS)
    for (int e = 0; e < EACH; ++e)
      if (is_real(u, e)) sums.add(chunk(u, r.a, e, j / CHUNK).x[j % CHUNK]);
    sums.template add_lanes<Formula>(u);
    if (j % GROUP == u.mine) element(u, r.out, j / GROUP) = Formula::of(sums.sum, sums.squares, REAL(FEATURES));
  }
}

// --- the resident matrix ---------------------------------------------------------------------------
// Weights are multiplied by a vector in Predict and get an outer product added in Learn, at every
// example. A matrix with which Predict and Learn do nothing else stays in registers.

// A chunk of this lane's rows, of the matrix at a place or of the resident one.
template <bool HELD> DEVICE Chunk &own_chunk(Unit &u, int place, int e, int c) {
#if RESIDENT
  if (HELD) return u.resident[e][c];
#endif
  return chunk(u, place, e, c);
}

DEVICE void take_resident(Unit &u, int place) {
  if (!RESIDENT) return;
#pragma unroll
  for (int e = 0; e < EACH; ++e)
#pragma unroll
    for (int c = 0; c < CHUNKS; ++c) own_chunk<true>(u, place, e, c) = chunk(u, place, e, c);
}

DEVICE void put_resident(Unit &u, int place) {
  if (!RESIDENT) return;
#pragma unroll
  for (int e = 0; e < EACH; ++e)
#pragma unroll
    for (int c = 0; c < CHUNKS; ++c) chunk(u, place, e, c) = own_chunk<true>(u, place, e, c);
}

// --- products --------------------------------------------------------------------------------------

DEVICE void inner(const Unit &u, const Row &r) {
  REAL sum = 0;
#pragma unroll(UNROLL)
  for (int e = 0; e < EACH; ++e)
    if (is_real(u, e)) sum = add_product(sum, element(u, r.a, e), element(u, r.b, e));
  scalar(u, r.out) = sum_of_task(u, sum);
}

// out = a b^T, or with ADD out += a b^T; HELD: out is the resident matrix.
template <bool ADD, bool HELD> DEVICE void outer(Unit &u, const Row &r) {
  sync();
#pragma unroll(HELD ? CHUNKS : UNROLL)
  for (int c = 0; c < CHUNKS; ++c) {
    const Chunk b = any_elements(u, r.b, c);
#pragma unroll(HELD ? EACH : UNROLL_ROWS)
    for (int e = 0; e < EACH; ++e) {
      const REAL a = element(u, r.a, e);
      Chunk result;
      if (ADD) result = own_chunk<HELD>(u, r.out, e, c);
#pragma unroll
      for (int w = 0; w < CHUNK; ++w) result.x[w] = ADD ? add_product(result.x[w], a, b.x[w]) : a * b.x[w];
      own_chunk<HELD>(u, r.out, e, c) = result;
    }
  }
  sync();
}

// out += a * b, a scalar and a vector.
DEVICE void scaled_add(const Unit &u, const Row &r) {
  const REAL a = scalar(u, r.a);
  REAL result[EACH];  // as in `map`
#pragma unroll
  for (int e = 0; e < EACH; ++e) result[e] = add_product(element(u, r.out, e), a, element(u, r.b, e));
#pragma unroll
  for (int e = 0; e < EACH; ++e) element(u, r.out, e) = result[e];
}

// HELD: a is the resident matrix.
template <bool HELD> DEVICE void matvec(Unit &u, const Row &r) {
  REAL sums[EACH];
#pragma unroll
  for (int e = 0; e < EACH; ++e) sums[e] = 0;
  sync();
#pragma unroll(HELD ? CHUNKS : UNROLL)
  for (int c = 0; c < CHUNKS; ++c) {
    const Chunk b = any_elements(u, r.b, c);
#pragma unroll
    for (int e = 0; e < EACH; ++e) {
      const Chunk a = own_chunk<HELD>(u, r.a, e, c);
#pragma unroll
      for (int w = 0; w < CHUNK; ++w)
        if (c * CHUNK + w < FEATURES) sums[e] = add_product(sums[e], a.x[w], b.x[w]);
    }
  }
  sync();
#pragma unroll
  for (int e = 0; e < EACH; ++e) element(u, r.out, e) = sums[e];
}

// Copies the temporary matrix, in which a result is until nobody needs the operands any more.
DEVICE void take_temporary(const Unit &u, int out) {
  sync();
#pragma unroll 1
  for (int e = 0; e < EACH; ++e)
#pragma unroll(UNROLL)
    for (int c = 0; c < CHUNKS; ++c) chunk(u, out, e, c) = chunk(u, u.temporary, e, c);
}

DEVICE void matmul(const Unit &u, const Row &r) {
  sync();
#pragma unroll 1
  for (int c = 0; c < CHUNKS; ++c) {
    Chunk sums[EACH];
#pragma unroll
    for (int e = 0; e < EACH; ++e)
#pragma unroll
      for (int w = 0; w < CHUNK; ++w) sums[e].x[w] = 0;
#pragma unroll 1
    for (int k = 0; k < FEATURES; ++k) {
      const Chunk b = any_chunk(u, r.b, k, c);
#pragma unroll
      for (int e = 0; e < EACH; ++e) {
        const REAL a = chunk(u, r.a, e, k / CHUNK).x[k % CHUNK];
#pragma unroll
        for (int w = 0; w < CHUNK; ++w) sums[e].x[w] = add_product(sums[e].x[w], a, b.x[w]);
      }
    }
#pragma unroll
    for (int e = 0; e < EACH; ++e) chunk(u, u.temporary, e, c) = sums[e];
  }
  take_temporary(u, r.out);
}

// --- moves -----------------------------------------------------------------------------------------

DEVICE void fill_columns(const Unit &u, const Row &r) {
#pragma unroll(UNROLL_ROWS)
  for (int e = 0; e < EACH; ++e) {
    const REAL a = element(u, r.a, e);
    Chunk repeated;
#pragma unroll
    for (int w = 0; w < CHUNK; ++w) repeated.x[w] = a;
#pragma unroll(UNROLL)
    for (int c = 0; c < CHUNKS; ++c) chunk(u, r.out, e, c) = repeated;
  }
}

DEVICE void fill_rows(const Unit &u, const Row &r) {
  sync();
#pragma unroll(UNROLL)
  for (int c = 0; c < CHUNKS; ++c) {
    const Chunk a = any_elements(u, r.a, c);
#pragma unroll(UNROLL_ROWS)
    for (int e = 0; e < EACH; ++e) chunk(u, r.out, e, c) = a;
  }
  sync();
}

DEVICE void transpose(const Unit &u, const Row &r) {
  sync();
#pragma unroll 1
  for (int e = 0; e < EACH; ++e) {
    const int i = e * GROUP + u.mine;
    if (i >= FEATURES) continue;
#pragma unroll 1
    for (int j = 0; j < FEATURES; ++j)
      chunk(u, u.temporary, e, j / CHUNK).x[j % CHUNK] = any_cell(u, r.a, j, i);
  }
  take_temporary(u, r.out);
}

// --- constants and random numbers; the row after them holds two numbers ---------------------------

DEVICE double number(const Row *after, int k) { return ((const double *)after)[k]; }

DEVICE void set_scalar(const Unit &u, const Row &r, const Row *after) { scalar(u, r.out) = (REAL)number(after, 0); }

DEVICE void set_element(const Unit &u, const Row &r, const Row *after) {
  if (u.mine == r.a) scalar(u, r.out) = (REAL)number(after, 0);
}

DEVICE void set_cell(const Unit &u, const Row &r, const Row *after) {
  if (u.mine == r.a) u.memory[r.out + u.lane * CHUNK + r.b] = (REAL)number(after, 0);
}

template <class Distribution> DEVICE REAL draw(const Unit &u, const Row &r, const Row *after, int number_of) {
  const Words words = philox(u.key, number_of, u.example, u.function << 16 | (unsigned)r.a, u.task_key);
  return Distribution::of(words, number(after, 0), number(after, 1));
}

template <class Distribution, int OUT> DEVICE void draw_all(const Unit &u, const Row &r, const Row *after) {
  if (OUT == S) {
    scalar(u, r.out) = draw<Distribution>(u, r, after, 0);
    return;
  }
#pragma unroll 1
  for (int e = 0; e < EACH; ++e) {
    const int i = e * GROUP + u.mine;
    if (i >= FEATURES) continue;
    if (OUT == V) {
      element(u, r.out, e) = draw<Distribution>(u, r, after, i);
    } else {
#pragma unroll 1
      for (int j = 0; j < FEATURES; ++j)
        chunk(u, r.out, e, j / CHUNK).x[j % CHUNK] = draw<Distribution>(u, r, after, i * FEATURES + j);
    }
  }
}
