"""Pure decisions and transformations: values in, values out.

Nothing here does I/O, reads a clock, draws random numbers, logs or awaits; `import-linter` enforces this.
"""
