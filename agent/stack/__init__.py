"""The local stack: the embedded server and real agents on this machine."""
