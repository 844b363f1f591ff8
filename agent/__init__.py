"""Where it runs: the embedded server, the local stack of server and agents, and deployment."""
