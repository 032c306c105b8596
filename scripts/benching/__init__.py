"""Measures of speed: one module a subject, one for what was measured and one for how it is shown."""
