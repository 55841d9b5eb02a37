//! Which numbers may be published: see the README, which this page is.
#![doc = include_str!("../README.md")]

pub mod attack;
pub mod audit;
pub mod budget;
pub mod cell_key;
pub mod coarsen;
pub mod edition;
mod elimination;
pub mod improve;
pub mod preset;
pub mod problem;
pub mod protect;
pub mod release;
pub mod rounding;
mod row;
pub mod rule;
pub mod simplex;
pub mod span;
mod suppress;
pub mod world;

pub use problem::Problem;
pub use row::{Atom, Row, TooWide};
pub use suppress::{Singletons, Suppression, suppress};
