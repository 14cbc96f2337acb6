// The same code on a CPU, to test it: each lane is a fiber. Between two sync() the lanes run one after
// the other in a random order, so that code which forgets a sync() gives wrong results.

#include <cmath>
#include <cstdlib>
#include <ucontext.h>
#include <vector>

static ucontext_t fibers[LANES], scheduler;
static int running;
static REAL told[LANES];
static bool told_bits[LANES];
static unsigned told_item;

DEVICE void sync() {
  if (LANES > 1) swapcontext(&fibers[running], &scheduler);
}

DEVICE bool any(bool x) {
  if (TASKS == 1) return x;
  told_bits[running] = x;
  sync();
  bool found = false;
  for (int lane = 0; lane < LANES; ++lane) found = found || told_bits[lane];
  sync();
  return found;
}

DEVICE REAL from_lane(REAL x, int distance) {
  told[running] = x;
  sync();
  const REAL found = told[running ^ distance];
  sync();
  return found;
}

DEVICE void copy_ahead(REAL *to, const REAL *from) { *to = *from; }

DEVICE void wait_for_copies() {}

DEVICE unsigned next_item(const Unit &u, unsigned *queue) {
  sync();
  if (u.lane == 0) told_item = (*queue)++;
  sync();
  return told_item;
}

static const Job *the_job;
static char *the_room;
static int ended;

static void run_unit(const Job &job, char *room, long long unit, int lane);

static void run_fiber() {
  run_unit(*the_job, the_room, 0, running);
  ++ended;
}

// The bytes around the unit's room must stay as they are; as numbers they are NaN.
#define GUARD 4096

static bool is_guarded(const char *at) {
  for (int k = 0; k < GUARD; ++k)
    if (at[k] != (char)0xff) return false;
  return true;
}

static void run_lanes(unsigned seed);

// Runs a job on one unit. Returns 0, or what went wrong: 1 if the lanes did not all wait for each other
// equally often, 2 if something was written outside the unit's shared memory.
static int run_on_fibers(const Job &job, unsigned seed) {
  the_job = &job;
  std::vector<char> held(job.unit_bytes + 2 * GUARD + 16, (char)0xff);
  the_room = (char *)(((size_t)held.data() + GUARD + 15) / 16 * 16);
  running = ended = 0;
  if (LANES == 1) run_fiber(); else run_lanes(seed);
  if (ended != LANES) return 1;
  return is_guarded(the_room - GUARD) && is_guarded(the_room + job.unit_bytes) ? 0 : 2;
}

static void run_lanes(unsigned seed) {
  const size_t size = 1 << 18;
  std::vector<char> stacks(size * LANES);
  std::vector<int> order(LANES);
  for (int lane = 0; lane < LANES; ++lane) {
    order[lane] = lane;
    getcontext(&fibers[lane]);
    fibers[lane].uc_stack.ss_sp = &stacks[size * lane];
    fibers[lane].uc_stack.ss_size = size;
    fibers[lane].uc_link = &scheduler;
    makecontext(&fibers[lane], run_fiber, 0);
  }
  while (ended == 0) {
    for (int lane = LANES - 1; lane > 0; --lane) {
      seed = seed * 1664525u + 1013904223u;
      std::swap(order[lane], order[(seed >> 8) % (lane + 1)]);
    }
    for (int lane : order) {
      running = lane;
      swapcontext(&scheduler, &fibers[lane]);
    }
  }
}
