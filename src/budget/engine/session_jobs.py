"""Session jobs: the methods of the facade about who is logged in to the dashboard."""

from budget.domain.answers_pages import Page
from budget.domain.answers_sessions import LoginLink, Session
from budget.engine import sessions
from budget.engine.job import Job, Maker


class SessionJobs(Maker):
    """The methods about sessions. A caller sees and ends its own, an admin those of all."""

    def login_link(self) -> Job[LoginLink]:
        """Make a link that logs in to the dashboard once, within 5 minutes, with the caller's
        rights.
        """
        return Job(change=sessions.linking(self.caller))

    def sessions(
        self, *, ended: bool = False, limit: int = 100, cursor: str | None = None
    ) -> Job[Page[Session]]:
        """Who is logged in, newest first; those whose session has ended only when asked for."""
        database, caller = self.books.database, self.caller
        return Job(
            read=lambda: sessions.list_sessions(
                database, caller, ended=ended, limit=limit, cursor=cursor
            )
        )

    def session(self, session_id: str) -> Job[Session]:
        """One session."""
        database, caller = self.books.database, self.caller
        return Job(read=lambda: sessions.one_session(database, session_id, caller))

    def end_session(self, session_id: str) -> Job[Session]:
        """Log somebody out, within a second."""
        return Job(change=sessions.ending(session_id, self.caller))
