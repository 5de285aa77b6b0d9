//! `corecast stress` from outside: the command, and its configurations.

mod command;
mod configurations;
