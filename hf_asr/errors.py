"""The one thing all our errors share, so that the command line can tell them from faults of the program."""


class UserError(Exception):
    """Something the user can mend. The message says what and how; shown without a traceback, exit code 2."""
