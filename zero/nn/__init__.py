"""Networks of layers and their training, without any deep-learning framework.

`network` says what a network is, `reference` (NumPy) what each layer computes, `cpu` does the same
fast, `train` trains.
"""
