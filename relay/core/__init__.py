"""Pure decisions and transformations: functions that get values and return values.

No module of this package does I/O, reads a clock, draws random numbers, logs or awaits; `import-linter` enforces this.
The one exception is `dkim.generate`, which makes a private key with the system's random source.
"""
