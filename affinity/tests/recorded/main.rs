//! Machines and processes as their `/proc` and `/sys` describe them.

mod allowed;
mod placement;
mod topology;
mod trees;
