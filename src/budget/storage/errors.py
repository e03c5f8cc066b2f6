"""What can go wrong with a database, told apart by what to do next."""


class StorageError(Exception):
    """Root of the errors that units of work raise."""


class Transient(StorageError):
    """Deadlock, serialization failure or lock timeout: run the batch again."""


class Unreachable(StorageError):
    """The database is locked, full, read-only or gone: answer 503; the next begin tries again."""


class CommitUnknown(StorageError):
    """COMMIT failed: the batch may or may not stand."""


class Broken(StorageError):
    """A statement failed for a reason that a retry won't cure: run the commands one by one."""
