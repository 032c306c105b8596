"""The one error of an export."""


class ExportFailed(Exception):
    """The export cannot go on. Its message is the one sentence that the person at the terminal is told."""
