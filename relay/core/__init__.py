"""Pure decisions and transformations: values in, values out.

Nothing here does I/O, reads a clock, draws randomness, logs or awaits; `import-linter` holds that line.
"""
