"""What a file says: from its bytes to the text that a model can read, by content, in a limited child process.

Knows neither Discord nor core. Bytes come in, text or a reason goes out; where files come from is their
reader's business.
"""
