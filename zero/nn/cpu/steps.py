"""Steps: what a plan is made of, each a row of int64; and rows of batch normalisations' figures.

`zero.nn.cpu.plan` fills the fields in, `zero.nn.cpu.kernels` executes them.

To *load* an image means x -> factor * min(max(scale * x + shift, floor), ceiling): scale and shift of
a batch normalisation that stands before, floor 0 for a ReLU (else minus infinity), ceiling 6 for a
ReLU6 (else infinity), factor from drop path.
"""

# Kinds of steps, each on loaded images.
CONV = 0  # a depthwise convolution or none, then another one or none; sums for batch normalisation
POOL = 1  # largest, smallest or mean value of a window
ADD = 2  # sum
MEAN = 3  # mean over pixels
MASK = 4  # times an array (dropout)
GATHER = 5  # a choice of channels
NORM = 6  # forward: the sums that a batch normalisation needs; backward: those of its gradient
SPREAD = 7  # backward only: gradient through a batch normalisation whose input has other readers
CURVE = 8  # a function of each value plus its channel's bias, if there is one (WEIGHT, GRADIENT)
CHANNEL_FACTORS = 9  # each channel times the image's factor: the only value of another input (I_X)

MAX, MIN, AVERAGE = range(3)  # MODE of a POOL
NO_RELU, A_RELU, A_RELU6 = range(3)  # RELU, I_RELU
PLAIN, SIGMOID, HARD_SIGMOID, SWISH, HARD_SWISH = range(5)  # MODE of a CURVE
MAX_INPUTS = 12  # of an ADD

# Fields of a step. Lengths from image to image and pixel to pixel are in bytes, like addresses; an
# address of 0 says that there is no such thing.
(
    KIND, VECTOR, MODE,
    # What it loads: values, padded channels; scale, shift: (channels,); factor: (images,).
    X, X_IMAGE, X_PIXEL, X_HEIGHT, X_WIDTH, X_CHANNELS, SCALE, SHIFT, RELU, FACTOR,
    # Where the gradient of that goes, and whether it is added to what is there.
    G, G_IMAGE, G_PIXEL, G_ADD,
    # The loaded image: pixel (y, x) is (y * SAMPLE + TOP, x * SAMPLE + LEFT) of the values, or 0.
    # PIXELS: of the values, if it is exactly these.
    TOP, LEFT, SAMPLE, U_HEIGHT, U_WIDTH, PIXELS,
    # The window that a depthwise convolution, another one or a pool moves over the loaded image.
    TAPS_Y, TAPS_X, STRIDE, DILATION, OFFSETS, ONE_OFFSET,
    # Weights: of the depthwise convolution (taps, c) and with its taps reversed, of the other
    # one (taps, USED, out) and transposed (taps, out, in); gradients, (taps, in, out): of chunk k
    # at GRADIENT + k * CHUNK.
    # USED: channels of the loaded image that have weights.
    DEPTHWISE, DEPTHWISE_BACK, DEPTHWISE_GRADIENT,
    TAPS, USED, WEIGHT, WEIGHT_BACK, GRADIENT, CHUNK,
    # What it writes.
    Y, Y_IMAGE, Y_PIXEL, Y_HEIGHT, Y_WIDTH, Y_CHANNELS,
    # Gradient of that: factor * values, through a batch normalisation if there are coefficients
    # (3, COEFFICIENT apart).
    D, D_IMAGE, D_PIXEL, D_FACTOR, COEFFICIENTS, COEFFICIENT,
    # Batch normalisation of the result: sums of chunk k (2, c) float64 at SUMS + k * SUMS_CHUNK,
    # means (c,); number of its first channel.
    SUMS, SUMS_CHUNK, MEAN_OF, FIRST_CHANNEL,
    # The image of gradients from which a window's input gradient is gathered: pixel (y, x) of the
    # result's gradient lies at (y * STRIDE + E_TOP, x * STRIDE + E_LEFT).
    E_HEIGHT, E_WIDTH, E_TOP, E_LEFT, E_FIRST, OFFSETS_BACK,
    # Places in the thread's memory.
    AT_U, AT_D, AT_E, AT_V,
    COUNTS,  # POOL: 1 / pixels in the window of each output pixel, or 0; GATHER: channel numbers
    INPUTS,
) = range(66)  # fmt: skip
# The inputs of an ADD, or the factors of CHANNEL_FACTORS, follow, each with these fields; SAME: its
# gradient is the sum's own.
(I_X, I_IMAGE, I_PIXEL, I_SCALE, I_SHIFT, I_RELU, I_FACTOR, I_G, I_G_IMAGE, I_G_PIXEL, I_G_ADD,
 I_SAME) = range(12)  # fmt: skip
FIRST_INPUT, INPUT_FIELDS = 66, 12
FIELDS = FIRST_INPUT + MAX_INPUTS * INPUT_FIELDS

# Rows of `Plan.norms`, float32 (channels of all batch normalisations).
(N_GAMMA, N_BETA, N_MEAN, N_VARIANCE, N_SCALE, N_SHIFT, N_FACTOR_D, N_FACTOR_Y, N_CONSTANT, N_D_GAMMA,
 N_D_BETA) = range(11)  # fmt: skip
NORM_ROWS = 11
