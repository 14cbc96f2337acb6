// What a launch works on: one `Job`, made by zero/programs/cuda/job.py, field by field the same.
// All fields have 8 bytes. Arrays are C-contiguous; P programs, T tasks, n and m examples, F features.

struct alignas(16) Row { int op, a, b, out; };

#define SPAN_BYTES 48  // of shared memory, for a copy of the program's span

struct Span {
  int code_at;      // first row of the program
  int features_at;  // place of v0
  int matrices_at;  // place of the first matrix
  int predict_at, learn_at, rows;  // rows, counted from code_at; setup starts at 0
  int memory;       // elements that a unit needs
  int temporary;    // place of a matrix to write to in between, -1 for none
  int writes_features;  // whether any instruction writes v0
  int resident;     // place of the matrix that is in registers after setup, -1 for none
};

struct Job {
  const Row *code;
  const Span *programs;
  const REAL *train_x, *train_y, *valid_x, *valid_y;  // (T, n, F), (T, n), (T, m, F), (T, m)
  const int *order;            // (epochs * steps): example of each train step
  const unsigned *task_keys;   // (T)
  double *fitness;             // (P, T), result
  int *taken;                  // (P, T), result: train steps begun
  REAL *train_errors, *valid_errors;  // (P, T, epochs * steps), (P, T, valid), or null
  unsigned *queue;             // items handed out so far
  REAL *memory;                // units' memory where it is not in shared memory
  REAL *frozen;                // the same size, for more than one epoch or INDEPENDENT; else null
  const REAL *initial_memory;  // (P, groups of tasks, unit_memory), or null for zeros
  REAL *final_memory;          // the same, or null
  long long num_programs, num_tasks, train_stride, valid_stride;
  long long epochs, steps, valid, unit_memory, unit_bytes, accuracy;
  unsigned long long key;
  double max_abs_error;
};
