"""Worker processes for heavy mail: threads would hold the interpreter that the event loop needs.

`pool` and `places` run in the daemon, `process` is the program of a worker, `wire` is the form of what they exchange.
Nothing is imported here, so that a worker loads only the modules that it needs.
"""
