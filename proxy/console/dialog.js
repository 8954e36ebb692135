// A question that waits for an answer.
