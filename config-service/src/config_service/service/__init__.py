"""Use cases: each is one transaction of its caller's, and leaves its trace in the audit."""
