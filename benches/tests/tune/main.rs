//! The tuning from outside: the decisions, the laps and their sums, the code to paste, the command.

mod advice;
mod code;
mod command;
mod figures;
mod laps;
mod verdict;
