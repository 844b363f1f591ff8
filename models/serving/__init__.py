"""A model package as an HTTP service, as a Triton model repository, and the client of both."""
