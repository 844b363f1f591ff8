"""Networks that read: pictures of lines in, a sequence of character probabilities out.

`building.build_network` makes one from `NetworkOptions`.
"""
