//! However the bytes arrive, the outcome is the same, at the same small cost.
