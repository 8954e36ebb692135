// Ending sessions, after a question.
