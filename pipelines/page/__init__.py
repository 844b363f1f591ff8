"""The page that a pipeline ends with: what ran, on what, how good it is, and where things lie."""
