"""Worker processes for heavy mail. Threads would hold the interpreter lock that the event loop needs.

`pool` and `places` run in the daemon, `process` is the program of a worker, and `wire` is the format of their messages.
Nothing is imported here, so that a worker loads only the modules that it needs.
"""
