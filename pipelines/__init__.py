"""What runs after what: pipeline graphs, their controller, and the command line."""
