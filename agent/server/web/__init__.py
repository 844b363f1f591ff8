"""What browsers are given: a light page of our own, or ClearML's own web application.

`page/` holds the page: plain ES modules and CSS, served as they are. It asks the same API as every
other client, with a bearer token that the browser keeps for this address alone.
"""
