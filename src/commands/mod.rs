//! What people ask of the program besides running: each command says what it found and ends.

pub mod check;
pub mod login;
