"""The network, and the paper's adaptations of it, for tests of what tells them apart."""

from zero.programs.library import PROGRAMS

NETWORK = PROGRAMS["neural_network"][1]

# The three adaptations of the paper (spec, section 9.7), each from the network above.
NOISY_RELU = """
def Setup():
  v2 = gaussian(0, 0.1, n_features)
  m0 = gaussian(0, 0.1, (n_features, n_features))
  s3 = 0.004
def Predict():
  v3 = dot(m0, v0)
  v7 = v5 - v0
  v3 = v3 + v1
  v4 = maximum(v3, v7)
  s1 = dot(v4, v2)
def Learn():
  s4 = s0 - s1
  s4 = s3 * s4
  v6 = s4 * v4
  v2 = v2 + v6
  v7 = s4 * v2
  v8 = heaviside(v3, 1.0)
  v7 = v8 * v7
  m1 = outer(v7, v0)
  m0 = m0 + m1
  v1 = gaussian(-0.50, 0.41, n_features)
  v5 = gaussian(-0.48, 0.48, n_features)
"""
RATE_DECAY = NETWORK.replace("s3 = 0.01", "s3 = 0.37").replace(
    "def Learn():", "def Learn():\n  s3 = arctan(s3)"
)
RATE_OF_WEIGHTS = (
    NETWORK.replace("s3 = 0.01", "s5 = 0.01").replace(
        "def Predict():", "def Predict():\n  s3 = abs(s5)\n  s3 = sin(s3)"
    )
    + "  s5 = mean(m0)\n"
)
