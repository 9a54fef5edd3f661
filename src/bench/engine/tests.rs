//! Verification with planted faults.
