// A unit: the threads that run one program together, and what they tell each other.
// The macros are set by zero/programs/cuda/source.py: REAL, FEATURES, GROUP, LANES, SHARED, STRICT, INDEPENDENT, ...

#ifdef __CUDACC__
#define INLINE __device__ __forceinline__
#define ALL_LANES 0xffffffffu
#else
#define INLINE inline
#endif
#define DEVICE static INLINE

// Functions of the mathematical library in the dtype: MATH(sin)(x).
#if SINGLE
#define MATH(name) name##f
#else
#define MATH(name) name
#endif

#define CHUNK (16 / (int)sizeof(REAL))           // elements that are read at once
#define CHUNKS ((FEATURES + CHUNK - 1) / CHUNK)  // of a matrix's row
#define EACH ((FEATURES + GROUP - 1) / GROUP)    // rows, and elements of a vector, that a lane has
#define TASKS (LANES / GROUP)                    // tasks side by side

struct alignas(16) Chunk { REAL x[CHUNK]; };

struct Unit {
  REAL *memory;   // of all lanes
  REAL *partial;  // for sums over several warps
  REAL *ahead;    // the next example, see evaluate.cuh
  int lane;       // in the unit
  int mine;       // in the task
  int temporary;  // place of a matrix to write to in between
#if RESIDENT
  Chunk resident[EACH][CHUNKS];  // this lane's rows of one matrix, in registers
#endif
  // What names the random draws (zero/rng/philox.py).
  unsigned long long key;
  unsigned task_key, function, example;
};

#ifdef __CUDACC__

// Makes what lanes wrote visible to each other.
DEVICE void sync() {
  if (LANES > 32) __syncthreads(); else __syncwarp();
}

// Whether it holds for any task of the unit. Lanes of one task always agree.
DEVICE bool any(bool x) { return TASKS == 1 ? x : __any_sync(ALL_LANES, x); }

DEVICE REAL from_lane(REAL x, int distance) { return __shfl_xor_sync(ALL_LANES, x, distance); }

// Begins to copy a number from global to shared memory, for this lane. A load to a register would be
// waited for at the next loop.
DEVICE void copy_ahead(REAL *to, const REAL *from) {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.ca.shared.global [%0], [%1], %2;" ::"r"((unsigned)__cvta_generic_to_shared(to)), "l"(from),
               "n"((int)sizeof(REAL))
               : "memory");
#else
  *to = *from;
#endif
}

// Waits until what this lane copies is there.
DEVICE void wait_for_copies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_all;" ::: "memory");
#endif
}

// The next number of the queue, the same for all lanes.
DEVICE unsigned next_item(const Unit &u, unsigned *queue) {
  unsigned item = 0;
  if (LANES == 32) {
    if (u.lane == 0) item = atomicAdd(queue, 1u);
    return __shfl_sync(ALL_LANES, item, 0);
  }
  unsigned *told = (unsigned *)u.partial;
  sync();
  if (u.lane == 0) *told = atomicAdd(queue, 1u);
  sync();
  item = *told;
  sync();
  return item;
}

#else

#include "host.h"

#endif

// Whether an element or row of this lane is one of the F, and not there to fill up.
DEVICE bool is_real(const Unit &u, int e) { return FEATURES % GROUP == 0 || e * GROUP + u.mine < FEATURES; }

// The sum over the lanes of a task; all of them get the same bits.
DEVICE REAL sum_of_task(const Unit &u, REAL x) {
#pragma unroll
  for (int distance = (GROUP < 32 ? GROUP : 32) / 2; distance; distance /= 2) x += from_lane(x, distance);
  if (GROUP > 32) {
    sync();
    if (u.lane % 32 == 0) u.partial[u.lane / 32] = x;
    sync();
    x = 0;
    for (int warp = 0; warp < GROUP / 32; ++warp) x += u.partial[warp];
  }
  return x;
}

// --- memory, see zero/programs/cuda/layout.py ---------------------------------------------------------------

DEVICE REAL &scalar(const Unit &u, int place) { return u.memory[place + u.lane]; }

DEVICE REAL &element(const Unit &u, int place, int e) { return u.memory[place + e * LANES + u.lane]; }

// Element i of the task's vector, whichever lane has it.
DEVICE REAL any_element(const Unit &u, int place, int i) {
  return u.memory[place + i / GROUP * LANES + (u.lane - u.mine) + i % GROUP];
}

// The elements from c * CHUNK on of the task's vector.
DEVICE Chunk any_elements(const Unit &u, int place, int c) {
  Chunk found;
  if (GROUP % CHUNK == 0) {
    const int i = c * CHUNK;
    return *(const Chunk *)&u.memory[place + i / GROUP * LANES + (u.lane - u.mine) + i % GROUP];
  }
#pragma unroll
  for (int w = 0; w < CHUNK; ++w) {
    const int i = c * CHUNK + w;
    found.x[w] = i < FEATURES ? any_element(u, place, i) : REAL(0);
  }
  return found;
}

DEVICE Chunk &chunk(const Unit &u, int place, int e, int c) {
  return *(Chunk *)&u.memory[place + ((e * CHUNKS + c) * LANES + u.lane) * CHUNK];
}

// The columns from c * CHUNK on of row i of the task's matrix, whichever lane has it.
DEVICE Chunk any_chunk(const Unit &u, int place, int i, int c) {
  const int lane = u.lane - u.mine + i % GROUP;
  return *(const Chunk *)&u.memory[place + ((i / GROUP * CHUNKS + c) * LANES + lane) * CHUNK];
}

// Row i, column j of the task's matrix, whichever lane has it.
DEVICE REAL any_cell(const Unit &u, int place, int i, int j) {
  const int lane = u.lane - u.mine + i % GROUP;
  return u.memory[place + ((i / GROUP * CHUNKS + j / CHUNK) * LANES + lane) * CHUNK + j % CHUNK];
}

// --- arithmetic ------------------------------------------------------------------------------------

// Products that are summed up, in one rounding unless STRICT. Formulas are never contracted: the
// standard deviation of equal numbers would be NaN as often as zero.
DEVICE REAL add_product(REAL sum, REAL a, REAL b) {
#if STRICT
  return sum + a * b;
#else
  return MATH(fma)(a, b, sum);
#endif
}

DEVICE REAL sigmoid(REAL x) { return REAL(1) / (REAL(1) + MATH(exp)(-x)); }
