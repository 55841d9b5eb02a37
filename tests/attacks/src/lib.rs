//! What disclosure control is attacked with: organisations of chance, and the tables of their board reports.
//!
//! An [`Organisation`](organisation::Organisation) comes from a seed, or from a folder that somebody else's generator
//! wrote. [`Board`](board::Board) makes of it the true tables, before anything is hidden; [`folder`] writes and reads
//! the files that a reader of the report gets.
//!
//! **Invariant**: the same seed is the same organisation, on every machine; no clock, no other chance.

pub mod board;
pub mod campaign;
pub mod folder;
pub mod linked;
pub mod organisation;
pub mod presets;
