"""The embedded server: the ClearML API and a file server in one process, on SQLite and files.

It is written from the request and response schemas of the `clearml` SDK (Apache-2.0), its client
code and observed traffic. Nothing else in this repository imports it: it is started with
`python -m agent.server --state DIR` and spoken to over HTTP.
"""
