"""What holds for all tests."""

import signal

# Begun in the background, a shell's child ignores Ctrl-C, and so would every program that a
# test starts and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)
