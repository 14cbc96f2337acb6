// Random numbers from a counter, the same as zero/rng/philox.py: Philox-4x32-10 (Salmon et al., SC 2011).

struct Words { unsigned x[4]; };

DEVICE Words philox(unsigned long long key, unsigned x0, unsigned x1, unsigned x2, unsigned x3) {
  unsigned k0 = (unsigned)key, k1 = (unsigned)(key >> 32);
#pragma unroll 1
  for (int round = 0; round < PHILOX_ROUNDS; ++round) {
    const unsigned long long p0 = (unsigned long long)PHILOX_M0 * x0;
    const unsigned long long p1 = (unsigned long long)PHILOX_M1 * x2;
    x0 = (unsigned)(p1 >> 32) ^ x1 ^ k0;
    x1 = (unsigned)p1;
    x2 = (unsigned)(p0 >> 32) ^ x3 ^ k1;
    x3 = (unsigned)p0;
    k0 += PHILOX_W0;
    k1 += PHILOX_W1;
  }
  return {{x0, x1, x2, x3}};
}

// In the open interval (0, 1): 52 bits, then a half.
DEVICE double unit_interval(unsigned high, unsigned low) {
  const unsigned long long bits = ((unsigned long long)high << 20) | (low >> 12);
  return ((double)bits + 0.5) * (1.0 / 4503599627370496.0);
}

struct Uniform {
  static INLINE REAL of(Words w, double low, double high) {
    return (REAL)(low < high ? low + unit_interval(w.x[0], w.x[1]) * (high - low) : low);
  }
};

struct Gaussian {
  static INLINE REAL of(Words w, double mean, double stdev) {
    const double radius = sqrt(-2.0 * log(unit_interval(w.x[0], w.x[1])));
    return (REAL)(mean + stdev * (radius * cos(2.0 * 3.14159265358979323846 * unit_interval(w.x[2], w.x[3]))));
  }
};
