//! wip
pub mod attack;
pub mod audit;
pub mod budget;
pub mod cell_key;
pub mod edition;
pub mod problem;
pub mod protect;
pub mod release;
pub mod rounding;
mod row;
pub mod simplex;
pub mod span;
mod suppress;
pub mod world;
pub use problem::Problem;
pub use row::{Atom, Row, TooWide};
pub use suppress::{Singletons, Suppression, suppress};
