//! The words and rules of Raven.
