"""Training that is the same for every task family: a Lightning loop that can be resumed.

A family brings a `Learner` (network, loss, scores) and its data; the loop brings mixed precision,
accumulation, clipping, averaged weights, checkpoints, early stopping, curves and progress.
"""
