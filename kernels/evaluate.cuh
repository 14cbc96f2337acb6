// Trains and validates programs: every unit takes one program and group of tasks after another.
// zero/programs/interpreter/reference.py (`run`) is the definition, step by step.
//
// What is seldom needed is read again from the job or from shared memory instead of kept in registers:
// the interpreter needs those.

enum Function { SETUP, PREDICT, LEARN, VALIDATE };  // as in zero/rng/philox.py

// The next example is copied to shared memory while this one is used; a lane sees to its own part.

#define AHEAD ((EACH + 1) * LANES)  // elements: the features, then the label for each lane

DEVICE void fetch(const Unit &u, const REAL *xs, const REAL *ys, int number) {
  const REAL *row = xs + (long long)number * FEATURES + u.mine;
#pragma unroll
  for (int e = 0; e < EACH; ++e)
    if (is_real(u, e)) copy_ahead(&u.ahead[e * LANES + u.lane], &row[e * GROUP]);
  copy_ahead(&u.ahead[EACH * LANES + u.lane], &ys[number]);
}

// Writes the fetched features to v0; returns the label.
DEVICE REAL show(const Unit &u, int place) {
  wait_for_copies();
#pragma unroll
  for (int e = 0; e < EACH; ++e) element(u, place, e) = u.ahead[e * LANES + u.lane];
  return u.ahead[EACH * LANES + u.lane];
}

// Writes an example's features to v0 again, which the program has overwritten.
DEVICE void show_again(const Unit &u, int place, const REAL *xs, int number) {
  const REAL *row = xs + (long long)number * FEATURES + u.mine;
#pragma unroll
  for (int e = 0; e < EACH; ++e)
    if (is_real(u, e)) element(u, place, e) = row[e * GROUP];
}

// Copies what a lane has of the unit's memory.
DEVICE void copy_own(const Unit &u, const Span &s, REAL *to, const REAL *from) {
#pragma unroll 1
  for (int k = u.lane; k < s.matrices_at; k += LANES) to[k] = from[k];
#pragma unroll 1
  for (int k = s.matrices_at + u.lane * CHUNK; k < s.memory; k += LANES * CHUNK)
    *(Chunk *)&to[k] = *(const Chunk *)&from[k];
}

DEVICE double fitness_of_loss(double loss, bool accuracy) {
  return accuracy ? 1.0 - loss : 1.0 - 2.0 / 3.14159265358979323846 * atan(sqrt(loss));
}

// One program on the tasks of one group.
DEVICE void run_item(const Job &job, Unit &u, Span *span, Row *code, REAL *frozen, unsigned item) {
  const unsigned groups = (unsigned)(job.num_tasks + TASKS - 1) / TASKS;
  const unsigned program = item / groups;
  const int wanted = (int)(item % groups) * TASKS + u.lane / GROUP;
  const bool real_task = wanted < job.num_tasks;
  // Lanes without a task of their own go along with the last one.
  const int task = real_task ? wanted : (int)job.num_tasks - 1;
  const long long at = (long long)program * job.num_tasks + task;
  const bool writes = real_task && u.mine == 0;

  sync();  // the program before is done with
  if (u.lane == 0) *span = job.programs[program];
  sync();
  const Span &s = *span;
#pragma unroll 1
  for (int k = u.lane; k < s.rows; k += LANES) code[k] = job.code[s.code_at + k];
  const REAL *initial = job.initial_memory;
#pragma unroll 1
  for (int k = u.lane; k < s.memory; k += LANES)
    u.memory[k] = initial ? initial[item * job.unit_memory + k] : REAL(0);
  u.temporary = s.temporary;
  u.task_key = job.task_keys[task];
  u.function = SETUP;
  u.example = 0;
  if (writes) {
    job.fitness[at] = 0.0;
    job.taken[at] = (int)(job.epochs * job.steps);
  }
  sync();

  const REAL *xs = job.train_x + task * job.train_stride * FEATURES;
  const REAL *ys = job.train_y + task * job.train_stride;
  // A predictor is scored once, when training is over.
  int step = 0, epoch_end = (int)(INDEPENDENT ? job.epochs * job.steps : job.steps), row = 0;
  bool alive = real_task, valid = false;
  REAL loss = 0, label = 0;

  // One function of the program a turn, so that the interpreter is there only once.
  int turn = 0;
  for (;;) {
    execute(u, code, turn);

    bool begin_step = false;
    if (u.function == SETUP) {
      if (job.epochs * job.steps == 0) break;
      begin_step = true;
      fetch(u, xs, ys, job.order[0]);
    } else if (u.function == PREDICT) {
      REAL prediction = scalar(u, LANES);
      if (job.accuracy) {
        prediction = sigmoid(prediction);
        scalar(u, LANES) = prediction;
      }
      const REAL error = MATH(fabs)(label - prediction);
      if (alive && !(error <= (REAL)job.max_abs_error)) {
        alive = false;
        if (writes) job.taken[at] = step + 1;
      }
      if (job.train_errors && writes) job.train_errors[at * job.epochs * job.steps + step] = error;
      if (!any(alive)) break;
      if (s.writes_features) show_again(u, s.features_at, xs, job.order[step]);
      scalar(u, 0) = label;
      u.function = LEARN;
      turn = s.learn_at;
    } else if (u.function == LEARN) {
      ++step;
      if (step < epoch_end) {
        begin_step = true;
      } else {
        row = 0;
        loss = 0;
        valid = alive;
        xs = job.valid_x + task * job.valid_stride * FEATURES;
        ys = job.valid_y + task * job.valid_stride;
        fetch(u, xs, ys, 0);
        if (INDEPENDENT) {  // what training left
          if (s.resident >= 0) put_resident(u, s.resident);
          copy_own(u, s, frozen, u.memory);
        }
        u.function = VALIDATE;
        turn = s.predict_at;
      }
    } else {
      const REAL prediction = scalar(u, LANES);
      REAL error;
      if (job.accuracy) {
        error = (label > REAL(0.5)) != (prediction > REAL(CLASS_THRESHOLD)) ? REAL(1) : REAL(0);
        loss += error;
      } else {
        error = MATH(fabs)(label - prediction);
        if (valid && !(error <= (REAL)job.max_abs_error)) {
          valid = false;
          // Validation of this task ends here: training goes on with its memory as it is now.
          if (job.frozen && !INDEPENDENT) {
            if (s.resident >= 0) put_resident(u, s.resident);
            copy_own(u, s, frozen, u.memory);
          }
        }
        loss += error * error;
      }
      if (job.valid_errors && writes) job.valid_errors[at * job.valid + row] = error;
      ++row;
      if (row == job.valid || !(any(valid) || job.valid_errors)) {
        if (valid && writes) {
          const double fitness = fitness_of_loss((double)loss / (double)job.valid, job.accuracy);
          if (fitness > job.fitness[at]) job.fitness[at] = fitness;
        }
        if (job.frozen && !INDEPENDENT && alive && !valid) {
          copy_own(u, s, u.memory, frozen);
          if (s.resident >= 0) take_resident(u, s.resident);
        }
        if (step == job.epochs * job.steps) break;
        epoch_end += (int)job.steps;
        xs = job.train_x + task * job.train_stride * FEATURES;
        ys = job.train_y + task * job.train_stride;
        begin_step = true;
        fetch(u, xs, ys, job.order[step]);
      }
    }

    if (begin_step) {
      u.function = PREDICT;
      turn = s.predict_at;
    }
    if (INDEPENDENT && u.function == VALIDATE && row > 0) {
      copy_own(u, s, u.memory, frozen);
      if (s.resident >= 0) take_resident(u, s.resident);
    }
    if (u.function != LEARN) {
      label = show(u, s.features_at);
      scalar(u, 0) = 0;
      if (u.function == PREDICT) {
        u.example = step;
        if (step + 1 < epoch_end) fetch(u, xs, ys, job.order[step + 1]);
      } else {
        u.example = INDEPENDENT ? step : step + row;
        if (row + 1 < job.valid) fetch(u, xs, ys, row + 1);
      }
    }
  }

  if (job.final_memory) {
    if (s.resident >= 0) put_resident(u, s.resident);
    sync();
#pragma unroll 1
    for (int k = u.lane; k < s.memory; k += LANES) job.final_memory[item * job.unit_memory + k] = u.memory[k];
  }
}

// Takes items from the queue until there are none. `room` is the unit's shared memory.
DEVICE void run_unit(const Job &job, char *room, long long unit, int lane) {
  Unit u;
  u.lane = lane;
  u.mine = lane % GROUP;
  u.key = job.key;
  u.partial = (REAL *)room;
  if (LANES > 32) room += 64 * sizeof(REAL);
  u.ahead = (REAL *)room;
  room += (AHEAD * sizeof(REAL) + 15) / 16 * 16;
  Span *span = (Span *)room;
  room += SPAN_BYTES;
#if SHARED
  // Rows last: their number differs from program to program.
  u.memory = (REAL *)room;
  Row *code = (Row *)(room + (job.unit_memory * sizeof(REAL) + 15) / 16 * 16);
#else
  u.memory = job.memory + unit * job.unit_memory;
  Row *code = (Row *)room;
#endif
  REAL *frozen = job.frozen + unit * job.unit_memory;
  const long long groups = (job.num_tasks + TASKS - 1) / TASKS;
  const long long items = job.num_programs * groups;
  for (;;) {
    const unsigned item = next_item(u, job.queue);
    if (item >= items) break;
    run_item(job, u, span, code, frozen, item);
  }
}

#ifdef __CUDACC__

// The job is a parameter, so its fields are constants that cost no registers. A block is a unit.
extern "C" __global__ void __launch_bounds__(LANES, UNITS) evaluate(const __grid_constant__ Job job) {
  extern __shared__ float4 shared[];
  run_unit(job, (char *)shared, blockIdx.x, threadIdx.x);
}

#else

extern "C" int evaluate(const Job *job, unsigned seed) { return run_on_fibers(*job, seed); }

#endif
