"""The commands of `sightline`, a file for each that belong together; `pipelines.cli` lists them."""
