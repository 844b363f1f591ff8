"""Agents on other machines: images, a compose file, Helm values and systemd units, filled in.

Everything is written for one server and a list of queues. No file holds a secret: each says where
the keys are read from.
"""
