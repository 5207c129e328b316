"""A disk on which there is no room: the system itself refuses to let a file grow."""

import contextlib
import resource


@contextlib.contextmanager
def largest_file(size):
    """In this block no file of this process grows beyond `size` bytes; writing more is EFBIG."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
