"""The one kind of error that a user can mend, and the end that a user asked for."""


class InputError(ValueError):
    """Input that cannot be used.

    The message is one line, ``<file>[, line N]: <what is wrong>; <what to do>``, and the
    command line prints it as it stands and exits with status 2.
    """


class Stopped(Exception):
    """The process was asked to end (SIGTERM) and has saved what it had reached."""
