//! The comparison from outside: the rounds, the peers, and the command itself.

mod command;
mod contest;
mod peers;
