"""Detection networks: built from options alone, offline, the same way for training and shipping.

Each architecture is one module with one subclass of `detector.Detector`; `building` finds it by
`network.name`.
"""
