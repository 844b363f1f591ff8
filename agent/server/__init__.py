"""The embedded server: one process that speaks enough of the ClearML API for a single machine."""
