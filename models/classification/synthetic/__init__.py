"""Pictures that are drawn rather than taken: rice grains of five varieties."""
