//! Behaviour of the state in virtual time.
