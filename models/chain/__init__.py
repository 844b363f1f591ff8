"""Two models in a row: one finds regions in a picture, the other looks at each of them.

A detector that finds barcodes and a reader of their digits are such a chain. Nothing in here knows
what either of them is: the first one's `Presenter` names the regions, the second one's says in a
few words what it saw in each.
"""
