//! Claims about the operator service.
